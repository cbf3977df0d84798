"""Files that grow while a run goes on, also in a store such as `gs://`, which can only replace.

They are written to a local folder. Where they belong into a store, copies go there now and then,
and at the end.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
import time

from etils import epath

from capf_jax.runtime import files

EVERY = 60.0  # seconds between two copies into a store; what a killed run has not copied is lost


class GrowingFolder:
    """A folder with such files.

    Attributes:
      path: where they belong; it is made.
      local: where to write them.
    """

    def __init__(self, path: str | os.PathLike, *names: str) -> None:
        """The folder; in a store, the files of these names are brought first, if they are there."""
        self.path = files.user_path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._copied = time.monotonic()
        if not files.is_remote(self.path):
            self.local = pathlib.Path(self.path)
            return
        self._scratch = tempfile.TemporaryDirectory()
        self.local = pathlib.Path(self._scratch.name)
        for name in names:
            if (self.path / name).exists():
                (self.path / name).copy(self.local / name)

    def grown(self, *, at_once: bool = False) -> None:
        """Says that something was written; the store gets its copies if it is time.

        Args:
          at_once: whether it is time whenever the last ones were made.
        """
        if self._scratch and (at_once or time.monotonic() - self._copied >= EVERY):
            self._copy()

    def close(self) -> None:
        """Says that nothing more comes: the store gets its copies, and the local ones go."""
        if self._scratch is not None:
            self._copy()
            self._scratch.cleanup()
            self._scratch = None

    def _copy(self) -> None:
        for path in self.local.iterdir():
            epath.Path(path).copy(self.path / path.name, overwrite=True)
        self._copied = time.monotonic()

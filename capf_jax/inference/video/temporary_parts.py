"""A folder for the parts of a video whose people are for Python alone; it goes with the call."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator

from capf_jax.inference.video.track_parts import DiskFullError


@contextlib.contextmanager
def folder(name: str) -> Iterator[pathlib.Path]:
    """A folder for parts, as long as the `with` lasts.

    Args:
      name: of the video, for the sentence.

    Raises:
      DiskFullError: the disk of temporary files is full. The sentence promises no parts with which
        a run goes on, as that of a folder of the user's own does.
    """
    with tempfile.TemporaryDirectory() as temporary:
        try:
            yield pathlib.Path(temporary, 'parts')
        except DiskFullError as error:
            raise DiskFullError(
                f'the disk of {tempfile.gettempdir()} is full at {name}, of which nothing is kept: '
                'make room there, or name another folder for temporary files by TMPDIR'
            ) from error

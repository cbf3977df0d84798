"""What the files of `People`, of `Tracks` and of a video's parts share: fields, format and version.

`people_files`, `tracks_files` and `video.track_parts` say which fields each has.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from capf_jax.errors import UserError
from capf_jax.runtime import array_files

PREFIX = 'capf_jax '  # of all formats


def read_archive(path: str | os.PathLike, largest: int) -> dict[str, Any]:
    """The content of a NumPy archive by name; scalars are Python's.

    Args:
      path: a file on this machine.
      largest: bytes that it may unpack to.

    Raises:
      OSError: the file cannot be opened.
      ValueError: it unpacks to more, is damaged, or is no archive.
    """
    arrays = array_files.read(path, largest=largest)
    return {name: array if array.ndim else array.item() for name, array in arrays.items()}


def check_format(
    path: str | os.PathLike, fields: Mapping[str, Any], expected: str, version: int
) -> None:
    """UserError unless a file says this format and version of itself."""
    if fields.get('format') != expected:
        raise UserError(
            f'{path} is no file of {expected.removeprefix(PREFIX)}: its format is '
            f'{fields.get("format")!r}, not {expected!r}; '
            'give one that python -m capf_jax.predict wrote'
        )
    if fields.get('version') != version:
        raise UserError(
            f'{path} has version {fields.get("version")!r} of its format, and this program reads '
            f'version {version}; make the file again, or get a newer capf_jax'
        )

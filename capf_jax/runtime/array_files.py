"""Reads NumPy archives (`.npz`) that may come from a stranger, or be damaged.

What an archive declares is compared with what it holds before memory is taken, and Python objects
in it are refused.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Collection, Sequence

import numpy as np

from capf_jax.runtime import files

LARGEST = 2_000_000_000  # bytes that the arrays of an archive may hold together


def read(
    path: str | os.PathLike, names: Collection[str] | None = None, largest: int = LARGEST
) -> dict[str, np.ndarray]:
    """The arrays of an archive.

    Args:
      path: a file on this machine.
      names: which are read, where they are there; the others are empty. None reads all.
      largest: bytes that they may hold together.

    Raises:
      OSError: the file cannot be opened.
      ValueError: what is wrong with it, in one line, to follow the name of the file.
    """
    try:
        with files.named(path), zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix('.npy'): info for info in archive.infolist()}
            read_ones = [one for name, one in members.items() if names is None or name in names]
            _check_sizes(archive, read_ones, largest)
        with np.load(path, allow_pickle=False) as arrays:
            return {
                name: arrays[name] if names is None or name in names else np.empty(0)
                for name in arrays.files
            }
    except Exception as error:  # NumPy's and Python's readers raise any error at damaged files.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(' '.join(str(error).split())[:200] or type(error).__name__) from error


def _check_sizes(
    archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo], largest: int
) -> None:
    """ValueError where arrays are gigantic, or their headers do not fit what is stored."""
    if sum(member.file_size for member in members) > largest:
        raise ValueError(f'its arrays hold more than {largest / 1e9:.1f} GB')
    for member in members:
        with archive.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, kind = read_header(stream)
            if kind.hasobject:
                raise ValueError(f'{member.filename} is a pickle of Python objects')
            if math.prod(shape) * kind.itemsize != member.file_size - stream.tell():
                raise ValueError(f'{member.filename} declares {list(shape)} and holds another size')

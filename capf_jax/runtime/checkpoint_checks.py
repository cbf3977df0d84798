"""Whether a checkpoint is as it was saved, and of the model that wants it."""

from __future__ import annotations

import os
import pathlib
import zlib
from typing import Any

import jax
import numpy as np
from etils import epath

from capf_jax.errors import UserError
from capf_jax.runtime import files

_CHECKSUMS = 'checksums.json'


class DamagedError(UserError):
    """A checkpoint whose files are not whole.

    Attributes:
      short: the message without advice.
    """

    def __init__(self, folder: os.PathLike, trouble: str) -> None:
        self.short = f'the checkpoint {os.fspath(folder)} is damaged ({trouble})'
        super().__init__(
            f'{self.short}, and no other one of its run can be used in its place: put back a copy, '
            'evaluate another with --checkpoint, or train again in another --workdir'
        )


def note_checksums(checkpoints: epath.Path, name: str) -> None:
    """Keeps a checksum of every file of a checkpoint; those of removed ones are dropped.

    Args:
      checkpoints: the folder of a run's checkpoints; nothing is kept in a store such as `gs://`.
      name: the checkpoint's folder in it, such as 'latest/100'.
    """
    if files.is_remote(checkpoints):
        return
    before = _checksums(checkpoints).items()
    notes = {key: sums for key, sums in before if (checkpoints / key).is_dir()}
    notes[name] = _sums(pathlib.Path(checkpoints, name))
    files.write_json(checkpoints / _CHECKSUMS, notes)


def check_files(checkpoints: epath.Path, name: str) -> None:
    """Compares the files of a checkpoint with their checksums, where there are any.

    Args:
      checkpoints: as `note_checksums`.
      name: as `note_checksums`.

    Raises:
      DamagedError: a file is missing or changed.
    """
    folder = checkpoints / name
    if not (folder / 'default' / '_METADATA').is_file():
        raise DamagedError(folder, 'default/_METADATA is missing')
    expected = _checksums(checkpoints).get(name)
    if files.is_remote(checkpoints) or not isinstance(expected, dict):
        return
    there = _sums(pathlib.Path(folder))
    for file, value in expected.items():
        if there.get(file) != value:
            raise DamagedError(folder, f'{file} is {"changed" if file in there else "missing"}')


def check_shapes(folder: epath.Path, stored: Any, wanted: Any) -> None:
    """Compares the arrays of a checkpoint with those of the model.

    Args:
      folder: of the checkpoint, for the message.
      stored: tree of what has a shape, in the checkpoint.
      wanted: the same of the model.

    Raises:
      UserError: a name or a shape differs.
    """

    def shapes(tree: Any) -> dict[str, tuple[int, ...]]:
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        return {
            '.'.join(map(_key_name, path)): tuple(leaf.shape)
            for path, leaf in leaves
            if hasattr(leaf, 'shape')
        }

    before, now = shapes(stored), shapes(wanted)
    for name in [*now, *before]:
        if before.get(name) != now.get(name):
            there, here = (list(some[name]) if name in some else 'absent' for some in (before, now))
            raise UserError(
                f'the checkpoint {folder} is of another model ({name} is {there} there and {here} '
                'here): give the configuration that it was made with, or another --workdir'
            )


def check_numbers(folder: epath.Path, state: Any) -> None:
    """DamagedError where a number of a restored state is not finite."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if np.issubdtype(leaf.dtype, np.floating) and not np.isfinite(_local(leaf)).all():
            raise DamagedError(folder, f'NaN or infinity in {jax.tree_util.keystr(path)}')


def _checksums(checkpoints: epath.Path) -> dict[str, Any]:
    try:
        notes = files.read_json(checkpoints / _CHECKSUMS)
    except (OSError, UserError):  # Older runs have none, and a damaged file proves nothing.
        return {}
    return notes if isinstance(notes, dict) else {}


def _sums(folder: pathlib.Path) -> dict[str, int]:
    """CRC-32 of each file of a checkpoint's arrays, by its name."""
    sums = {}
    for path in sorted((folder / 'default').rglob('*')):
        if path.is_file():
            value = 0
            with path.open('rb') as file:
                while block := file.read(1 << 20):
                    value = zlib.crc32(block, value)
            sums[path.relative_to(folder).as_posix()] = value
    return sums


def _key_name(key: Any) -> str:
    """A step into a tree, in words: a key, the name of a field or a position."""
    for attribute in ('key', 'name', 'idx'):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _local(array: Any) -> np.ndarray:
    """An array's numbers on this process's devices."""
    return np.asarray(array.addressable_data(0)) if isinstance(array, jax.Array) else array

"""Datasets in a store such as `gs://`: copies of them on a disk of this machine, which are read.

ArrayRecord reads files on disks alone. What a dataset says of itself is copied when the dataset is
opened, and the files of a split when that split is opened for the first time. A training shuffles
over a whole split, so that every host reads all files of the splits that it opens, and no others.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow_datasets as tfds
from ml_collections import ConfigDict
from tqdm import tqdm

from capf_jax.errors import UserError
from capf_jax.runtime import files, locks
from data_pipeline import store_files
from data_pipeline.building.estimates import free_bytes, say, size_text
from data_pipeline.store_files import Original

DESCRIPTIONS = ('dataset_info.json', 'features.json', 'metadata.json')
DOING = 'is copying the same dataset'
NOTE = 'store.json'  # in the folder of a dataset's copies: what the store has, and what is here


class _Note(NamedTuple):
    """What is kept of the copies of all datasets of one name.

    Attributes:
      store: the folder of all datasets in the store; '' where nothing is a copy.
      originals: the files there, by their paths below the name: config/version/file.
      copies: the paths of those that are whole here.
    """

    store: str
    originals: Mapping[str, Original]
    copies: Sequence[str]


def default_folder() -> pathlib.Path:
    """`capf_jax/datasets` in the user's cache folder: $XDG_CACHE_HOME, or else ~/.cache."""
    caches = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return pathlib.Path(caches).expanduser() / 'capf_jax' / 'datasets'


def with_local_folder(data: ConfigDict) -> ConfigDict:
    """The fields of a dataset with the folder of its copies as `dir`; as they are without a store.

    What the datasets of this name say of themselves is copied; copies of a dataset that has changed
    in the store are removed.

    Args:
      data: config.data: `dir`, `name`, and `cache`, the folder of all copies; where that is '' or
        absent, it is `default_folder()`.

    Raises:
      UserError: the store cannot be opened or reached, or `cache` is no folder of this machine.
      OSError: the disk is full, or cannot be written to.
    """
    if not files.is_remote(data.dir):
        return data
    store, cache = os.fspath(files.user_path(data.dir)).rstrip('/'), data.get('cache', '')
    if files.is_remote(cache):
        raise UserError(f'config.data.cache is {cache}: name a folder of this machine')
    folder = pathlib.Path(files.absolute(cache)) if cache else default_folder()
    root = folder.joinpath(*store.split('://'))
    copy_descriptions(store, root, data.name)
    local = ConfigDict(data.to_dict())
    local.dir = str(root)
    return local


def copy_descriptions(store: str, root: pathlib.Path, name: str) -> None:
    """Copies what the datasets of a name say of themselves, and removes copies that are outdated.

    Args:
      store: folder of all datasets, in a store.
      root: the folder of their copies.
      name: of the datasets.

    Raises:
      UserError: the store cannot be reached.
      OSError: the disk is full, or cannot be written to.
    """
    folder = root / name
    originals = {
        path: original
        for path, original in store_files.listing(f'{store}/{name}').items()
        if _is_of_a_version(path)
    }
    note = _renewed(folder, _read_note(folder), store, originals)
    if note == _read_note(folder) and not _descriptions(note):
        return
    with locks.locked(folder, DOING):
        before = _read_note(folder)
        for version in _changed(before.originals, originals):
            # What was derived of it lies beside it, such as the videos of windows.
            shutil.rmtree(folder / version, ignore_errors=True)
        note = _renewed(folder, before, store, originals)
        files.write_json(folder / NOTE, note)
        _copy(folder, note, _descriptions(note), None)


def copy_beside(builder: tfds.core.DatasetBuilder, name: str) -> None:
    """`copy_descriptions` of the datasets of another name beside one; nothing without a store.

    Args:
      builder: a dataset whose fields went through `with_local_folder`.
      name: of the others, such as 'features'.
    """
    store = store_of(builder)
    if store:
        copy_descriptions(store, pathlib.Path(os.fspath(builder.data_dir_root)), name)


def store_of(builder: tfds.core.DatasetBuilder) -> str:
    """The folder in a store that the copies of a dataset are of; '' where it is no copy."""
    return _read_note(_folder(builder)).store


def lacking(builder: tfds.core.DatasetBuilder, split: str) -> list[str]:
    """The files that a split reads and that are still to be copied, by their paths below the name.

    There are none where the dataset is no copy, or has no such split.
    """
    folder = _folder(builder)
    note = _read_note(folder)
    if not note.store:
        return []
    try:
        instructions = builder.info.splits[split].file_instructions
    except (ValueError, KeyError):  # Whoever reads the split tells that it does not exist.
        return []
    names = [pathlib.Path(os.fspath(one.filename)).relative_to(folder) for one in instructions]
    copies = set(note.copies)
    return [name.as_posix() for name in names if name.as_posix() not in copies]


def copy_split(builder: tfds.core.DatasetBuilder, split: str) -> bool:
    """Copies the files of a split that are not here yet; nothing of a dataset that is no copy.

    Each file is here whole or not at all, so that the next call goes on after an interruption.
    Other processes of this machine wait meanwhile.

    Args:
      builder: any dataset; a copy if its fields went through `with_local_folder`.
      split: a TFDS split; of 'train[:10%]' the files are copied that it reads.

    Returns:
      Whether any was copied.

    Raises:
      UserError: the store cannot be reached, a file is missing there, or came damaged.
      OSError: the disk is too small or full, or cannot be written to.
    """
    if not lacking(builder, split):
        return False
    folder = _folder(builder)
    with locks.locked(folder, DOING):
        note = _read_note(folder)
        paths = lacking(builder, split)  # Another process may have copied them meanwhile.
        where = f'{note.store}/{folder.name}'
        for path in paths:
            if path not in note.originals:
                raise UserError(f'{where}/{path} is missing: copy the dataset there again')
        size = sum(note.originals[path].size for path in paths)
        if size > free_bytes(folder):
            raise OSError(
                f'{folder} has {size_text(free_bytes(folder))} free, and the split {split!r} of '
                f'{where} takes {size_text(size)} more: make room there, or name another folder in '
                'config.data.cache'
            )
        if paths:
            say(f'{size_text(size)} of {where} are copied to {folder}, for this and later runs')
            with tqdm(total=size, desc=f'copying {split}', unit='B', unit_scale=True) as progress:
                _copy(folder, note, paths, progress)
    return bool(paths)


def _copy(folder: pathlib.Path, note: _Note, paths: Sequence[str], progress: tqdm | None) -> None:
    """Copies files, and notes each that is whole."""
    source, copies = f'{note.store}/{folder.name}', list(note.copies)
    wanted = {path: note.originals[path] for path in paths}
    with contextlib.closing(store_files.copy(source, folder, wanted, progress)) as finished:
        for path in finished:
            copies.append(path)
            files.write_json(folder / NOTE, note._replace(copies=copies))


def _folder(builder: tfds.core.DatasetBuilder) -> pathlib.Path:
    """The folder of all datasets of a builder's name."""
    return pathlib.Path(os.fspath(builder.data_dir_root), builder.name)


def _descriptions(note: _Note) -> list[str]:
    """The files of `DESCRIPTIONS` that are still to be copied."""
    wanted = [path for path in note.originals if os.path.basename(path) in DESCRIPTIONS]
    return [path for path in wanted if path not in note.copies]


def _renewed(
    folder: pathlib.Path, before: _Note, store: str, originals: Mapping[str, Original]
) -> _Note:
    """The note that follows another one: without copies that are outdated, or not there."""
    changed = _changed(before.originals, originals)
    copies = [
        path
        for path in before.copies
        if os.path.dirname(path) not in changed
        and store_files.has_size(folder / path, originals[path].size)
    ]
    return _Note(store, originals, copies)


def _changed(before: Mapping[str, Original], now: Mapping[str, Original]) -> set[str]:
    """The versions of datasets of which any file is another one, gone or new."""
    names = before.keys() | now.keys()
    return {os.path.dirname(name) for name in names if before.get(name) != now.get(name)}


def _is_of_a_version(path: str) -> bool:
    """Whether a path is config/version/file, as TFDS lays them out; none leads elsewhere."""
    parts = path.split('/')
    return len(parts) == 3 and all(part not in ('', '.', '..') for part in parts)


def _read_note(folder: pathlib.Path) -> _Note:
    """The note in a folder; one of nothing where there is none that reads."""
    try:
        store, originals, copies = files.read_json(folder / NOTE)
        originals = {
            path: Original(*one) for path, one in originals.items() if _is_of_a_version(path)
        }
        return _Note(store, originals, [path for path in copies if path in originals])
    except (OSError, ValueError, TypeError, AttributeError):
        return _Note('', {}, [])

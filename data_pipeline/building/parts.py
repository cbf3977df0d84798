"""Parts: the finished clips of a build under way, each a file that is whole or absent.

They lie beside the dataset in a folder that only one process may use at a time. A part's name
holds a hash of everything that its clip is made from. A build that goes on after a label file was
mended therefore keeps the parts whose labels are the same, and makes the others again.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import pathlib
import pickle
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import tensorflow_datasets as tfds
from array_record.python import array_record_module  # pyright: ignore[reportAttributeAccessIssue] - compiled
from tensorflow_datasets.core import example_serializer

from capf_jax.runtime import files, locks
from data_pipeline import records
from data_pipeline.building.clips import Clip

SUFFIX = '.part'
_OPTIONS = 'group_size:1'  # of ArrayRecord files, as TFDS writes them: each record is read alone
_READ_AT_ONCE = 256  # number of records that are held in memory while parts are joined


def locked(folder: pathlib.Path) -> contextlib.AbstractContextManager[None]:
    """Makes the folder and keeps other processes out of it, which wait until this one has ended."""
    return locks.locked(folder, 'is building the same dataset', 'lock')


def count(path: pathlib.Path) -> int:
    """Records in a file; 0 for one that is cut short."""
    return array_record_module.ArrayRecordReader(str(path)).num_records()


def write(
    path: pathlib.Path,
    examples: Iterable[records.Record],
    features: tfds.features.FeaturesDict,
) -> int:
    """Writes records as a file of a TFDS dataset, whole or not at all.

    Args:
      path: of the part.
      examples: Records, which are not all held in memory (TFDS's own writer does).
      features: of the dataset, see `records.features`.

    Returns:
      How many records there are.

    Raises:
      OSError: the disk is full.
    """
    specification: Any = features.get_serialized_info()  # nested as deep as ours are: once
    serializer = example_serializer.ExampleSerializer(specification)
    return write_serialized(
        path,
        (
            serializer.serialize_example(features.encode_example(records.to_example(record)))
            for record in examples
        ),
    )


def write_serialized(path: pathlib.Path, stored: Iterable[bytes]) -> int:
    """Writes records that are serialized already, whole or not at all; returns how many there are.

    Raises:
      OSError: the disk is full.
    """
    with files.whole(path) as temporary:
        return _write(temporary, stored)


def link(part: pathlib.Path, path: pathlib.Path) -> None:
    """Gives a part a second name, or copies it where the file system has no hard links."""
    try:
        os.link(part, path)
    except OSError:
        shutil.copyfile(part, path)


def join(parts: Sequence[pathlib.Path], paths: Sequence[pathlib.Path], size: int) -> list[int]:
    """Copies the records of all parts, in their order, to other files.

    Args:
      parts: the files to read.
      paths: the files to write; they must be enough for all records.
      size: records in each of them; the last has what is left.

    Returns:
      Records in each of the files.

    Raises:
      OSError: the disk is full.
    """
    stored = (record for part in parts for record in _read(part))
    return [_write(path, itertools.islice(stored, size)) for path in paths]


def clean(folder: pathlib.Path, names: Iterable[str]) -> None:
    """Removes all files but the lock and those of these names.

    These are parts of other labels, and unfinished files of a process that was killed.
    """
    names = {'lock', *names}
    for path in folder.iterdir():
        if path.name not in names:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def part_name(split: str, clip: Clip) -> str:
    """File name of a clip's part, which changes with everything in the clip."""
    digest = hashlib.sha256(pickle.dumps(clip)).hexdigest()[:16]
    return f'{split}-{clip.name}-{digest}{SUFFIX}'


def _read(path: pathlib.Path) -> Iterator[bytes]:
    """Every record of a file."""
    reader = array_record_module.ArrayRecordReader(str(path))
    total = reader.num_records()
    for start in range(0, total, _READ_AT_ONCE):
        yield from reader.read(list(range(start, min(start + _READ_AT_ONCE, total))))


def _write(path: pathlib.Path, stored: Iterable[bytes]) -> int:
    """Writes records to a file; returns how many. Raises OSError where the disk is full."""
    number = 0
    writer = array_record_module.ArrayRecordWriter(str(path), _OPTIONS)
    try:
        for record in stored:
            with _in_a_sentence(path):
                writer.write(record)
            number += 1
    except BaseException:
        with contextlib.suppress(RuntimeError):  # the first error is the one to report
            writer.close()
        raise
    with _in_a_sentence(path):
        writer.close()
        if count(path) != number:
            raise RuntimeError('records are missing after it was written')
    return number


@contextlib.contextmanager
def _in_a_sentence(path: pathlib.Path) -> Iterator[None]:
    """Turns the RuntimeError that ArrayRecord raises at a full disk into an OSError."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split(';')[0]
        raise OSError(
            f'{path.parent} cannot be written to ({reason}); make room there and give the same '
            'command again: clips that are finished are kept'
        ) from error

"""Parts: the finished clips of a build under way, each a file that is whole or absent.

They lie beside the dataset in a folder that only one process may use at a time. A part's name
holds a hash of everything that its clip is made from, so that a build that goes on after a label
file was mended takes up what is still right and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import pathlib
import pickle
import shutil
from collections.abc import Iterable, Iterator

from array_record.python import array_record_module
from tensorflow_datasets.core import example_serializer

from data_pipeline import records
from data_pipeline.person_crops.clips import Clip

SUFFIX = '.part'


@contextlib.contextmanager
def locked(folder: pathlib.Path) -> Iterator[None]:
    """Makes the folder and keeps other processes out of it.

    The lock belongs to the process and ends with it, however it ends.

    Raises:
      RuntimeError: another process builds there.
    """
    path = folder / 'lock'
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with open(path, 'a+') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise
                file.seek(0)
                raise RuntimeError(
                    f'process {file.read().strip() or "unknown"} is building the same dataset in '
                    f'{folder.parent}; wait until it has finished, or give another data folder'
                ) from None
            # The process that held the lock may have removed the folder meanwhile.
            if not path.exists() or not os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                continue
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
            return


def count(path: pathlib.Path) -> int:
    """Records in a file; 0 for one that is cut short."""
    return array_record_module.ArrayRecordReader(str(path)).num_records()


def write(
    path: pathlib.Path,
    examples: Iterable[records.Record],
    shape: tuple[int, int, int],
) -> int:
    """Writes records as a file of a TFDS dataset, whole or not at all.

    Args:
      path: of the part.
      examples: Records, which are not all held in memory (TFDS's own writer does).
      shape: joints, height and width, as `records.features` takes them.

    Returns:
      How many records there are.

    Raises:
      OSError: the disk is full.
    """
    features = records.features(*shape, box=True)
    serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
    temporary = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    number = 0
    try:
        # The options of TFDS: each record can be read alone.
        writer = array_record_module.ArrayRecordWriter(str(temporary), 'group_size:1')
        try:
            for record in examples:
                example = features.encode_example(records.to_example(record))
                with _readable(path):
                    writer.write(serializer.serialize_example(example))
                number += 1
        except BaseException:
            with contextlib.suppress(RuntimeError):  # what happened first is what matters
                writer.close()
            raise
        with _readable(path):
            writer.close()
            if count(temporary) != number:
                raise RuntimeError('records are missing after it was written')
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return number


@contextlib.contextmanager
def _readable(path: pathlib.Path) -> Iterator[None]:
    """ArrayRecord tells of a full disk as a RuntimeError; here it is an OSError in a sentence."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split(';')[0]
        raise OSError(
            f'{path.parent} cannot be written to ({reason}); make room there and give the same '
            'command again: clips that are finished are kept'
        ) from error


def clean(folder: pathlib.Path, wanted: Iterable[str]) -> None:
    """Removes parts of other labels and files that were being written when a process was killed."""
    wanted = set(wanted)
    for path in folder.iterdir():
        if path.name != 'lock' and path.name not in wanted:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def part_name(split: str, clip: Clip) -> str:
    """File name of a clip's part, which changes with everything in the clip."""
    digest = hashlib.sha256(pickle.dumps(clip)).hexdigest()[:16]
    return f'{split}-{clip.name}-{digest}{SUFFIX}'

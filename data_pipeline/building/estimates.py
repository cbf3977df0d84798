"""How large a dataset will be, from a few records; and the messages of a build."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import sys
from collections.abc import Sequence

from capf_jax.errors import UserError
from data_pipeline.building.clips import Clip

_SAMPLED = 24  # records cropped ahead, from clips far apart
_JOINT_BYTES = 60  # bytes that a record's labels take for each joint, about
_ROOM = 0.8  # a build begins if at least this share of the estimated size is free


def record_bytes(clips: Sequence[Clip], joints: int) -> float:
    """Bytes of a record, on average; 0 if no clip that is tried gives a record.

    Args:
      clips: of all splits; the first records of some of them are made.
      joints: J, the number of joints of a record.
    """
    sizes = []
    for clip in clips[:: -(-len(clips) // _SAMPLED)]:
        # The build reports later what is wrong with a clip, together with all other clips.
        with contextlib.suppress(UserError, StopIteration):
            sizes.append(len(next(clip.records()).image))
    return sum(sizes) / len(sizes) + _JOINT_BYTES * joints if sizes else 0.0


def check_room(folder: pathlib.Path, needed: float) -> None:
    """Raises an OSError if the disk that holds a folder has much less than `needed` bytes free."""
    free = free_bytes(folder)
    if _ROOM * needed > free:
        raise OSError(
            f'{folder.parent} has {size_text(free)} free and about {size_text(needed)} are needed; '
            'make room there, or give another data folder'
        )


def free_bytes(folder: pathlib.Path) -> int:
    """Bytes that are free on the disk that holds a folder."""
    return shutil.disk_usage(folder).free


def size_text(number: float) -> str:
    """A number of bytes, such as '41.3 GB'."""
    for unit in ('B', 'kB', 'MB'):
        if number < 1000:
            return f'{number:.1f} {unit}'
        number /= 1000
    return f'{number:.1f} GB'


def say(text: str) -> None:
    """Prints a message of a build to stderr, which no other program reads."""
    print(text, file=sys.stderr, flush=True)

"""The people of a long video on disk, part by part, so that memory stays flat and a run goes on.

While a video is predicted, a folder NAME.parts beside the result collects archives of
`FRAMES_IN_PART` frames each. Each is whole or absent. Whoever runs the same command again reads
them and goes on behind the last one; when the result is written, the folder goes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.inference import people_files, stored_fields
from capf_jax.inference.people import People
from capf_jax.inference.tracks_files import BROKEN, LARGEST
from capf_jax.runtime import files

FORMAT = 'capf_jax part of a video'
VERSION = 1
FRAMES_IN_PART = 100
SETTINGS = 'settings.json'


@dataclasses.dataclass(frozen=True, eq=False)
class StoredFrame:
    """One frame of a part.

    Attributes:
      number: of the frame in its video.
      time: seconds.
      people: in it; perhaps nobody.
      colours: [N, K, 3] of each.
    """

    number: int
    time: float
    people: People
    colours: Float[np.ndarray, 'N K 3']


class PartsWriter:
    """Writes frames into the folder, a part as soon as it is full; used by `with`.

    At the end of the `with`, also by an error or Ctrl-C, the last part is written, however short.
    """

    def __init__(self, folder: pathlib.Path, first_part: int = 0) -> None:
        """A writer behind the parts that are there.

        Args:
          folder: of the parts.
          first_part: number of the next one.
        """
        self._folder, self._part = folder, first_part
        self._waiting: list[StoredFrame] = []
        self.frames = 0  # that are on disk

    def __enter__(self) -> PartsWriter:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if not isinstance(error, OSError) and not _is_about_disk(error):
            self._write()

    @property
    def waiting(self) -> tuple[StoredFrame, ...]:
        """The frames that are not on disk yet."""
        return tuple(self._waiting)

    def append(self, frame: StoredFrame) -> None:
        """Takes the next frame.

        Raises:
          UserError: the disk is full.
          OSError: the part could not be written.
        """
        self._waiting.append(frame)
        if len(self._waiting) >= FRAMES_IN_PART:
            self._write()

    def _write(self) -> None:
        if not self._waiting:
            return
        path = self._folder / f'{self._part:06d}.npz'
        try:
            with files.whole(path) as temporary, temporary.open('wb') as file:
                np.savez_compressed(file, **_fields(self._waiting))
        except OSError as error:
            if not files.disk_is_full(error):
                raise
            raise DiskFullError(
                f'the disk of {self._folder} is full at frame {self._waiting[-1].number}: make '
                f'room there; the frames before {self._waiting[0].number} are kept, and the same '
                'command goes on'
            ) from error
        self.frames += len(self._waiting)
        self._part += 1
        self._waiting = []


class DiskFullError(UserError):
    """A part or a result does not fit onto the disk."""


def _is_about_disk(error: BaseException | None) -> bool:
    return isinstance(error, DiskFullError)


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a run begins in a folder of parts.

    Attributes:
      part: number of the next part.
      frame: number of the next frame.
      stored: how many frames the parts hold.
      removed: how many frames of other settings were there, which are gone.
      others: the settings of these, as JSON holds them; None where they cannot be read.
    """

    part: int = 0
    frame: int = 0
    stored: int = 0
    removed: int = 0
    others: Any = None


def prepare(folder: pathlib.Path, settings: dict[str, Any]) -> Start:
    """Makes the folder ready to go on; parts of other settings or of another video are removed.

    Args:
      folder: of the parts.
      settings: all that the parts depend on, as JSON holds it.

    Raises:
      UserError: the parts are of a recording of a camera, which could not be made again.
    """
    path = folder / SETTINGS
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        before = None
    if _paths(folder) and (before == {} or not path.is_file()):
        raise UserError(
            f'{folder} holds a recording of a camera that was interrupted: record into the same '
            '--output again, which writes it, or name another --output for this video'
        )
    if before != json.loads(json.dumps(settings)):
        removed = count(folder)
        remove(folder)
        files.write_json(path, settings)
        return Start(removed=removed, others=before)
    paths, next_frame, stored = _paths(folder), 0, 0
    for number, part in enumerate(paths):
        try:
            if int(part.stem) != number:
                raise UserError(f'the part before {part} is gone')
            frames = list(_read(part))
        except UserError:
            # A part that was damaged or removed is made again, and so are those behind it.
            for damaged in paths[number:]:
                damaged.unlink()
            return Start(number, next_frame, stored)
        next_frame = frames[-1].number + 1
        stored += len(frames)
    return Start(len(paths), next_frame, stored)


def count(folder: pathlib.Path) -> int:
    """How many frames of the folder can be read; one part at a time is in memory."""
    number = 0
    for path in _paths(folder):
        with contextlib.suppress(UserError):
            number += sum(1 for _ in _read(path))
    return number


def read(folder: pathlib.Path, number: int = 0) -> Iterator[StoredFrame]:
    """All frames of the folder in turn; one part at a time is in memory.

    Args:
      folder: of the parts.
      number: how many frames were stored there.

    Raises:
      UserError: a part is damaged, or there are fewer frames than were stored.
    """
    there = 0
    for path in _paths(folder):
        for frame in _read(path):
            yield frame
            there += 1
    if there < number:
        raise UserError(
            f'{folder} holds {there} of the {number} frames that were stored there, since another '
            'program has removed some; run the same command again'
        )


def read_undamaged(folder: pathlib.Path) -> tuple[list[StoredFrame], int]:
    """All frames that can be read, of what cannot be made again; and how many parts are damaged."""
    frames: list[StoredFrame] = []
    damaged = 0
    for path in _paths(folder):
        try:
            frames += _read(path)
        except UserError:
            damaged += 1
    return frames, damaged


def remove(folder: pathlib.Path) -> None:
    """Removes the folder with its parts."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_empty(folder: pathlib.Path) -> None:
    """Removes the folder where it holds no part."""
    if not _paths(folder):
        remove(folder)


def _paths(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.glob('*.npz') if path.stem.isdecimal())


def _fields(frames: list[StoredFrame]) -> dict[str, Any]:
    """The content of a part: the people of all frames in one `People`, and who is in which."""
    rows = people_files.join([frame.people for frame in frames])
    return people_files.fields_of(rows) | {
        'format': FORMAT,
        'version': VERSION,
        'frames': np.array([frame.number for frame in frames], np.int64),
        'times': np.array([frame.time for frame in frames], np.float64),
        'counts': np.array([len(frame.people) for frame in frames], np.int64),
        'colours': np.concatenate([frame.colours for frame in frames]),
    }


def _read(path: pathlib.Path) -> Iterator[StoredFrame]:
    try:
        fields = stored_fields.read_archive(path, LARGEST)
        stored_fields.check_format(path, fields, FORMAT, VERSION)
        people = people_files.of_fields(path, fields)
        bounds = np.concatenate([[0], np.cumsum(fields['counts'])])
        if bounds[-1] != len(people) or len(fields['colours']) != len(people):
            raise ValueError('its numbers of people do not agree')
        stored = [
            StoredFrame(
                int(number),
                float(time),
                people.select(np.arange(first, last)),
                fields['colours'][first:last],
            )
            for number, time, first, last in zip(
                fields['frames'], fields['times'], bounds[:-1], bounds[1:], strict=True
            )
        ]
        if not stored:
            raise ValueError('it holds no frame')
    except (*BROKEN, OSError) as error:
        raise UserError(
            f'{path} is damaged ({error}); run the same command again, which makes it anew'
        ) from error
    yield from stored

"""The names of a camera's recordings, of which each is kept, and those that were interrupted.

The first recording of camera 0 in a folder is camera_0, the next ones are camera_0-2, camera_0-3
and so on. While one is under way its people lie in a folder NAME.parts, as those of a video do.
"""

from __future__ import annotations

import glob
import itertools
import pathlib
import re

from capf_jax.inference.video import track_parts
from capf_jax.inference.video.video_prediction import PARTS
from capf_jax.runtime import files


def first(folder: pathlib.Path, number: int) -> pathlib.Path:
    """The path, without an ending, of the first recording of a camera in a folder."""
    return folder / f'camera_{number}'


def free(folder: pathlib.Path, number: int) -> pathlib.Path:
    """The path, without an ending, of the next recording: no file of this name is there."""
    base = first(folder, number)
    further = (base.with_name(f'{base.name}-{count}') for count in itertools.count(2))
    names = itertools.chain([base], further)
    return next(one for one in names if not any(folder.glob(f'{glob.escape(one.name)}.*')))


def parts_of(stem: pathlib.Path) -> pathlib.Path:
    """The folder of a recording's parts."""
    return stem.with_name(f'{stem.name}{PARTS}')


def interrupted(folder: pathlib.Path, number: int) -> list[pathlib.Path]:
    """The paths, without an ending, of a camera's recordings of which parts are left."""
    pattern = re.compile(rf'{re.escape(first(folder, number).name)}(-\d+)?{re.escape(PARTS)}')
    parts = (path for path in folder.glob(f'*{PARTS}') if pattern.fullmatch(path.name))
    return sorted(
        path.with_name(path.name.removesuffix(PARTS)) for path in parts if not are_of_a_video(path)
    )


def are_of_a_video(parts: pathlib.Path) -> bool:
    """Whether the parts have settings, as those of a video that is called camera_0.mp4 have."""
    settings = parts / track_parts.SETTINGS
    return settings.is_file() and files.read_json(settings) != {}

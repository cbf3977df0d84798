"""The folders of pictures that the H36M-Toolbox makes: which frames of which video are there."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re

import numpy as np

_VIDEO = re.compile(r's_\d\d_act_\d\d_subact_\d\d_ca_\d\d')
_PICTURE = re.compile(rf'({_VIDEO.pattern})_(\d{{6}})(\.jpg|\.jpeg|\.png)')
LAYOUT = 'images/s_01_act_02_subact_01_ca_01/s_01_act_02_subact_01_ca_01_000001.jpg'


@dataclasses.dataclass(frozen=True, eq=False)
class Video:
    """A folder of pictures."""

    frames: np.ndarray  # [N] int32, rising: positions, counted from 0, of the pictures that exist
    pattern: str  # path of a picture: pattern.format(number), numbers count from 1


def folders(source: pathlib.Path) -> dict[str, pathlib.Path]:
    """Video name -> folder, in `source/images` or in `source` itself; {} if there is none."""
    for parent in (source / 'images', source):
        if parent.is_dir():
            inner = {entry.name: entry for entry in os.scandir(parent) if entry.is_dir()}
            videos = {
                name: pathlib.Path(entry.path)
                for name, entry in inner.items()
                if _VIDEO.fullmatch(name)
            }
            if videos:
                return videos
    return {}


def read(folder: pathlib.Path) -> Video:
    """Finds which pictures a folder has; files with other names are ignored."""
    matches = map(_PICTURE.fullmatch, os.listdir(folder))
    pictures = [match for match in matches if match and match[1] == folder.name]
    frames = np.array(sorted(int(match[2]) - 1 for match in pictures), np.int32)
    suffix = pictures[0][3] if pictures else '.jpg'
    braces = os.fspath(folder).replace('{', '{{').replace('}', '}}')
    return Video(frames, f'{braces}/{folder.name}_{{:06d}}{suffix}')

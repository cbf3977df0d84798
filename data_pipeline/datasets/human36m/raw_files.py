"""The raw labels of Human3.6M: one CDF file of 2D and one of 3D joints for each video."""

from __future__ import annotations

import os
import pathlib
import re
from typing import NamedTuple

import numpy as np

from capf_jax.errors import UserError
from data_pipeline.datasets.human36m import trials
from data_pipeline.datasets.human36m.recordings import JOINTS, RAW_JOINTS
from data_pipeline.published_cameras import HUMAN36M_CAMERAS

_KINDS = {  # names of the folders, with or without the archive's name
    '3d': re.compile(r'(Poses_)?D3_Positions_mono(_S\d+)?'),
    '2d': re.compile(r'(Poses_)?D2_Positions(_S\d+)?'),
}
_SUBJECT = re.compile(r'(?:.*_)?(S\d+)')
_FILE = re.compile(rf'(.+)\.({"|".join(HUMAN36M_CAMERAS)})\.cdf')
LAYOUT = (
    'S1/MyPoseFeatures/D3_Positions_mono/Directions 1.54138969.cdf and '
    'S1/MyPoseFeatures/D2_Positions/Directions 1.54138969.cdf'
)


class RawName(NamedTuple):
    """A recording of the raw files."""

    subject: str
    name: str  # 'Directions 1', the raw files' own: 'TakingPhoto', not 'Photo'
    camera: str


def find(source: pathlib.Path) -> dict[str, dict[RawName, pathlib.Path]]:
    """All CDF files under a folder: kind, '3d' or '2d', -> recording -> file."""
    paths: dict[str, dict[RawName, pathlib.Path]] = {kind: {} for kind in _KINDS}
    for folder, inner, files in os.walk(source):
        # Folders of pictures are not searched, since they hold millions of files.
        inner[:] = [name for name in inner if name != 'images' and not name.startswith('s_')]
        path = pathlib.Path(folder)
        for kind, pattern in _KINDS.items():
            if pattern.fullmatch(path.name):
                subject = _subject(path.relative_to(source))
                for file in filter(None, map(_FILE.fullmatch, files)):
                    if subject and (name := trials.canonical(file[1])):
                        paths[kind][RawName(subject, name, file[2])] = path / file[0]
    return paths


def _subject(path: pathlib.Path) -> str:
    """The innermost subject in a path, such as 'S1', alone or at the end of a folder's name."""
    for part in reversed(path.parts):
        if match := _SUBJECT.fullmatch(part):
            return match[1]
    return ''


def read(path: pathlib.Path, dimensions: int) -> np.ndarray:
    """Joints of a CDF file.

    Args:
      path: the file.
      dimensions: D, 3 for mm in the camera frame or 2 for pixels.

    Returns:
      [N, 17, D] float64.

    Raises:
      UserError: it is no CDF file, or has other contents.
    """
    import cdflib  # imported here, since only this source needs it

    try:
        values = np.asarray(cdflib.CDF(path).varget('Pose'))
    except Exception as error:  # a damaged file can make cdflib raise any error
        raise UserError(
            f"{path} is no CDF file with a variable 'Pose', or is cut short ({error}); unpack or "
            'download it again'
        ) from error
    if values.size == 0 or values.shape[-1] != RAW_JOINTS * dimensions:
        raise UserError(
            f'{path} has a Pose of shape {list(values.shape)}; {RAW_JOINTS * dimensions} numbers a '
            f'frame are {RAW_JOINTS} joints in {dimensions} dimensions'
        )
    return values.reshape(-1, RAW_JOINTS, dimensions)[:, JOINTS].astype(np.float64)

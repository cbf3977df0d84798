"""The camera as a calibration file of Pose2Sim (TOML), to go with TRC files.

Pose2Sim's world has z up, and its TRC files hold the same points as (y, z, x). The file keeps to
that, so that Pose2Sim projects the markers of the TRC onto the video. The unit is the metre.
"""

from __future__ import annotations

import json
import pathlib

import cv2
import numpy as np

from capf_jax.inference.formats.axes import camera_along
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks

# What turns points of Pose2Sim's world into those of its TRC files.
_TO_TRC = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
_KEY = 'cam_01'


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes the camera; nobody needs to be there.

    Args:
      path: the file.
      tracks: of any people.
      pictures: not needed.

    Raises:
      OSError: the file could not be written.
    """
    del pictures
    rotation, place = camera_along(tracks, 'y_up')
    vector = cv2.Rodrigues(rotation @ _TO_TRC)[0].ravel()
    fx, fy, cx, cy = map(float, tracks.camera.intrinsics)
    lens = tracks.camera.distortion
    lens = [0.0] * 4 if lens is None else [float(value) for value in lens]
    fields = {
        'name': tracks.camera.name or _KEY,
        'size': [float(side) for side in tracks.image_size],
        'matrix': [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]],
        'distortions': lens,
        'rotation': vector.tolist(),
        'translation': (-rotation @ place + 0.0).tolist(),  # Adding 0 turns -0 into 0.
        'fisheye': False,
    }
    # Text, numbers, lists and truth values are written in TOML as in JSON.
    lines = [f'[{_KEY}]', *(f'{name} = {json.dumps(value)}' for name, value in fields.items())]
    assumed = json.dumps(bool(tracks.camera_assumed))
    origin = json.dumps(tracks.camera_origin)
    lines += ['', '[metadata]', 'adjusted = false', 'error = 0.0']
    lines += [f'assumed = {assumed}', f'origin = {origin}', '']
    path.write_text('\n'.join(lines), encoding='utf-8')

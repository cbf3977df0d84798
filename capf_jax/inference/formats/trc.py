"""TRC: the markers of one person as text, which OpenSim, Pose2Sim and Blender's add-on read.

y points up. The layout follows what strict readers count on: six lines of header of which the last
is empty, marker names three columns apart, a row of numbers for each frame. Where there is no pose
the numbers are NaN.
"""

from __future__ import annotations

import pathlib

import numpy as np
from jaxtyping import Int

from capf_jax.inference.formats.axes import joints_along
from capf_jax.inference.formats.markers import marker_names
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons

# The factor from metres to a unit, and how many decimals make a micrometre.
_UNITS = {'mm': (1000.0, 3), 'm': (1.0, 6)}


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None, unit: str = 'mm') -> None:
    """Writes one person, from the first to the last frame with a pose.

    Args:
      path: the file.
      tracks: of one person with at least one pose.
      pictures: not needed.
      unit: 'mm' or 'm'.

    Raises:
      OSError: the file could not be written.
    """
    del pictures
    factor, decimals = _UNITS[unit]
    present = np.flatnonzero(tracks.valid[0])
    first = _first_row(tracks.frames) + int(present[0])
    tracks = tracks.select(frames=slice(present[0], present[-1] + 1))
    joints = factor * joints_along(tracks, 'y_up')[0]
    names = marker_names(skeletons.get(tracks.skeleton))
    rate = round(tracks.fps, 6)
    count = len(tracks.times)
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{pathlib.PurePath(tracks.source).stem}.trc',
        'DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\t'
        'OrigNumFrames',
        f'{rate:g}\t{rate:g}\t{count}\t{len(names)}\t{unit}\t{rate:g}\t{first}\t{count}',
        'Frame#\tTime\t' + '\t\t\t'.join(names) + '\t\t',
        '\t\t' + '\t'.join(f'X{n}\tY{n}\tZ{n}' for n in range(1, len(names) + 1)),
        '',
    ]
    rows = joints.reshape(count, -1)
    for number, (time, row) in enumerate(zip(tracks.times, rows, strict=True), first):
        places = '\t'.join('NaN' if np.isnan(x) else f'{x:.{decimals}f}' for x in row)
        lines.append(f'{number}\t{time:.6f}\t{places}')
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def _first_row(frames: Int[np.ndarray, ' T']) -> int:
    """The number, from 1, of the first of frames that are then counted one by one, as readers want.

    It is that of the frame in the video; where each N-th frame is taken, that of a video of these
    frames alone.

    Args:
      frames: their numbers in the video, from 0, increasing.
    """
    step = int(np.median(np.diff(frames))) if len(frames) > 1 else 1
    return int(frames[0]) // step + 1

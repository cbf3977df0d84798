"""TRC: the markers of one person as text, which OpenSim, Pose2Sim and Blender's add-on read.

y points up. The layout follows what strict readers count on: six lines of header of which the last
is empty, marker names three columns apart, a row of numbers for each frame. Where there is no pose
the numbers are NaN.
"""

from __future__ import annotations

import pathlib

import numpy as np

from capf_jax.inference.formats import timeline
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
    tracks = tracks.select(frames=slice(present[0], present[-1] + 1))
    joints = factor * joints_along(tracks, 'y_up')[0]
    names = marker_names(skeletons.get(tracks.skeleton))
    rate = round(timeline.rate(tracks.times, tracks.fps), 6)
    count = len(tracks.times)
    lines = [
        f'PathFileType\t4\t(X/Y/Z)\t{pathlib.PurePath(tracks.source).stem}.trc',
        'DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\t'
        'OrigNumFrames',
        f'{rate:g}\t{rate:g}\t{count}\t{len(names)}\t{unit}\t{rate:g}\t1\t{count}',
        'Frame#\tTime\t' + '\t\t\t'.join(names) + '\t\t',
        '\t\t' + '\t'.join(f'X{n}\tY{n}\tZ{n}' for n in range(1, len(names) + 1)),
        '',
    ]
    rows = joints.reshape(count, -1)
    for frame, time, row in zip(tracks.frames, tracks.times, rows, strict=True):
        numbers = '\t'.join('NaN' if np.isnan(x) else f'{x:.{decimals}f}' for x in row)
        lines.append(f'{frame + 1}\t{time:.6f}\t{numbers}')
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')

"""C3D: the markers of one person in the binary format of motion-capture laboratories.

Millimetres, z up. The library `c3d` writes it. A marker that is missing has the residual -1.
"""

from __future__ import annotations

import pathlib
import warnings

import numpy as np

from capf_jax.inference.formats import timeline
from capf_jax.inference.formats.axes import joints_along
from capf_jax.inference.formats.markers import marker_names
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes one person in all frames of the video, the first of which is number 1.

    Args:
      path: the file.
      tracks: of one person with at least one pose.
      pictures: not needed.

    Raises:
      OSError: the file could not be written.
    """
    import c3d

    del pictures
    times = timeline.even_times(tracks.times)
    joints = 1000 * timeline.without_gaps(tracks.times, joints_along(tracks, 'z_up')[0], times)
    has_pose = timeline.has_pose_at(tracks.times, tracks.valid[0], times)
    names = marker_names(skeletons.get(tracks.skeleton))
    writer = c3d.Writer(point_rate=tracks.fps, point_units='mm')
    writer.set_point_labels(names)
    writer.set_screen_axis('+X', '+Z')
    # Columns: x, y, z, residual, and the cameras that saw the marker.
    rows = np.zeros((len(names), 5), np.float32)
    no_analog = np.zeros((0, 1), np.float32)
    for place, is_there in zip(joints, has_pose, strict=True):
        points = rows.copy()
        points[:, :3] = place if is_there else 0
        points[:, 3] = 0 if is_there else -1
        writer.add_frames([(points, no_analog)])
    with path.open('wb') as file, warnings.catch_warnings():
        # The library tells that there are no forces and no muscles' signals, as always here.
        warnings.filterwarnings('ignore', message='No analog data')
        writer.write(file)

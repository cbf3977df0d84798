"""BVH: the bones of one person and how they turn, for Blender and other animation programs.

Metres, y up; `rig` describes the rest pose and what the rotations mean. A frame without a pose gets
the joints on the way from the last pose to the next.
"""

from __future__ import annotations

import pathlib
import warnings

import numpy as np
from scipy.spatial.transform import Rotation

from capf_jax.inference.formats import timeline
from capf_jax.inference.formats.axes import joints_along
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.formats.rig import Rig, rest_directions, rig_of, rotations_of
from capf_jax.inference.tracks import Tracks
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton

_STUB = 0.1  # metres of the bone behind the last joint of a limb, such as the hand
_DECIMALS = 6


def write(path: pathlib.Path, tracks: Tracks, pictures: Pictures | None) -> None:
    """Writes one person in all frames of the video, so that files of several people keep step.

    Args:
      path: the file.
      tracks: of one person with at least one pose.
      pictures: not needed.

    Raises:
      OSError: the file could not be written.
    """
    del pictures
    skeleton = skeletons.get(tracks.skeleton)
    joints = joints_along(tracks, 'y_up')[0]
    rig = rig_of(skeleton, joints)
    times = timeline.even_times(tracks.times)
    joints = timeline.without_gaps(tracks.times, joints, times)
    columns = [joints[:, skeleton.root]]
    columns += [_angles(turn) for turn in rotations_of(rig, skeleton, joints)]
    lines = ['HIERARCHY', *_hierarchy(rig, skeleton), 'MOTION', f'Frames: {len(times)}']
    lines.append(f'Frame Time: {1 / tracks.fps:.8f}')
    for row in np.concatenate(columns, axis=-1):
        lines.append(' '.join(f'{number:.{_DECIMALS}f}' for number in row))
    path.write_text('\n'.join(lines) + '\n', encoding='utf-8')


def _angles(turn: Rotation) -> np.ndarray:
    """Angles [T, 3] about z, then the new x, then the new y, degrees, without jumps by a turn."""
    with warnings.catch_warnings():
        # Where two of the three axes coincide, angles are not the only ones, and still right.
        warnings.filterwarnings('ignore', message='Gimbal lock')
        return np.degrees(np.unwrap(turn.as_euler('ZXY'), axis=0))


def _hierarchy(rig: Rig, skeleton: Skeleton) -> list[str]:
    """The lines from the root to the end of the last limb."""
    directions = rest_directions(skeleton)

    def block(row: int, indent: str) -> list[str]:
        inside = indent + '  '
        channels = 'CHANNELS 3'
        kind = 'JOINT'
        if rig.parents[row] < 0:
            kind, channels = 'ROOT', 'CHANNELS 6 Xposition Yposition Zposition'
        lines = [
            f'{indent}{kind} {rig.names[row]}',
            f'{indent}{{',
            f'{inside}OFFSET {_numbers(rig.offsets[row])}',
            f'{inside}{channels} Zrotation Xrotation Yrotation',
        ]
        below = [child for child, parent in enumerate(rig.parents) if parent == row]
        for child in below:
            lines += block(child, inside)
        if not below:
            stub = _numbers(_STUB * directions[rig.joints[row]])
            lines += [f'{inside}End Site', f'{inside}{{', f'{inside}  OFFSET {stub}', f'{inside}}}']
        return [*lines, f'{indent}}}']

    return block(0, '')


def _numbers(values: np.ndarray) -> str:
    return ' '.join(f'{value:.{_DECIMALS}f}' for value in values + 0.0)

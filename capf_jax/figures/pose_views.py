"""Views of a pose: orthographic, upright as the photograph, on a floor of squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from capf_jax.figures.sure_joints import draw_joints
from capf_jax.pose.skeletons import Skeleton

FLOOR = '#CFCFCF'
SQUARE = 0.5  # metres, side of a square of the floor
# How far each view is turned to the camera's right, and down; degrees.
VIEWS = ((30.0, 12.0), (90.0, 12.0))
VIEWS_IN_WORDS = 'Poses are turned by 30° and 90° (camera: left).'


def project(
    points: Float[np.ndarray, 'P 3'], right: float, down: float
) -> tuple[Float[np.ndarray, 'P 2'], Float[np.ndarray, ' P']]:
    """Points of the camera frame as a viewer sees them who has walked around them.

    Args:
      points: metres.
      right: how far the viewer has walked to the camera's right, degrees; at 90 the camera is at
        the left of the view.
      down: how far the viewer looks down, degrees.

    Returns:
      [P, 2] metres to the right and down, orthographic, and how near the points are [P], metres.
    """
    turn, tilt = np.radians([right, down])
    level = np.array([-np.sin(turn), 0, np.cos(turn)])  # the viewer's direction, were it level
    below = np.array([0.0, 1.0, 0.0])
    across = np.array([np.cos(turn), 0, np.sin(turn)])
    downward = np.cos(tilt) * below - np.sin(tilt) * level
    ahead = np.cos(tilt) * level + np.sin(tilt) * below
    return points @ np.stack([across, downward], axis=1), -points @ ahead


def extent(poses: Sequence[Float[np.ndarray, 'J 3']]) -> Float[np.ndarray, ' 2']:
    """[2] metres across and down that every view of these poses and their floors takes."""
    views = [project(_with_floor(pose), *turn)[0] for pose in poses for turn in VIEWS]
    return np.max([np.ptp(view, axis=0) for view in views], axis=0, initial=0) + 0.12


def draw_view(
    axes: Axes,
    pose: Float[np.ndarray, 'J 3'],
    skeleton: Skeleton,
    sure: Bool[np.ndarray, ' J'],
    turn: tuple[float, float],
    size: tuple[float, float],
    scale: float,
) -> None:
    """Draws the pose in the middle of the axes.

    Args:
      axes: where to draw.
      pose: metres, camera frame.
      skeleton: the joints of the pose.
      sure: which joints are.
      turn: one of `VIEWS`.
      size: width and height of the axes, inches.
      scale: inches a metre.
    """
    joints, near = project(pose, *turn)
    everything, _ = project(_with_floor(pose), *turn)
    _draw_floor(axes, pose, turn)
    width = float(np.clip(1.1 * scale, 0.6, 2.0))
    draw_joints(axes, joints, skeleton, width, sure, near=near)
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
    half = np.array(size) / scale / 2
    axes.set(
        xlim=middle[0] + half[0] * np.array([-1, 1]),
        ylim=middle[1] + half[1] * np.array([1, -1]),  # y points down.
    )
    axes.set_axis_off()


def _with_floor(pose: np.ndarray) -> np.ndarray:
    """The joints, and the corners of the floor beneath them."""
    low, high, floor = _floor(pose)
    corners = [(x, floor, z) for x in (low[0], high[0]) for z in (low[1], high[1])]
    return np.concatenate([pose, corners])


def _floor(pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Ends [x, z] of a floor of whole squares, and its height, at the lowest joint."""
    ground = pose[:, [0, 2]]
    middle = (ground.min(axis=0) + ground.max(axis=0)) / 2
    half = SQUARE / 2 * np.ceil((np.ptp(ground, axis=0) + 0.02) / SQUARE)
    return middle - half, middle + half, float(pose[:, 1].max())


def _draw_floor(axes: Axes, pose: np.ndarray, turn: tuple[float, float]) -> None:
    """Squares beneath the pose."""
    low, high, floor = _floor(pose)
    if (high - low).max() > 20:  # metres, which is nobody
        return
    lines = []
    for axis in (0, 1):
        for place in np.arange(low[axis], high[axis] + SQUARE / 2, SQUARE):
            ends = np.array([[low[0], floor, low[1]], [high[0], floor, high[1]]])
            ends[:, 2 * axis] = place
            lines.append(project(ends, *turn)[0])
    axes.add_collection(LineCollection(lines, colors=FLOOR, linewidths=0.5, zorder=1), False)

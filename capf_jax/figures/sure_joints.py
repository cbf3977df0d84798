"""Joints and bones, drawn so that one sees which of them are sure."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from capf_jax.figures.drawing import COLOURS, side_of
from capf_jax.pose.skeletons import SURE, Skeleton

_SOLID, _DASHES = (0, ()), (0, (0.9, 2.1))


def as_sure(
    skeleton: Skeleton, joints2d_skeleton: Skeleton, confidence: Float[np.ndarray, ' J2']
) -> Bool[np.ndarray, ' J']:
    """Which joints of a pose rest on 2D joints that are sure.

    A joint that the 2D skeleton lacks is as sure as the surest of its neighbours that it has, and
    sure where it has none of them.
    """
    known = dict(zip(joints2d_skeleton.joints, np.asarray(confidence) >= SURE, strict=True))

    def is_sure(joint: int) -> bool:
        name = skeleton.joints[joint]
        if name in known:
            return bool(known[name])
        pairs = [bone for bone in skeleton.bones if joint in bone]
        beside = [skeleton.joints[j] for bone in pairs for j in bone if j != joint]
        return any(known[name] for name in beside if name in known) or not known.keys() & {*beside}

    return np.array([is_sure(joint) for joint in range(len(skeleton))])


def draw_joints(
    axes: Axes,
    joints: np.ndarray,
    skeleton: Skeleton,
    width: float,
    sure: np.ndarray,
    near: np.ndarray | None = None,
    present: np.ndarray | None = None,
) -> None:
    """Joints [J, 2] and their bones, dashed and hollow where they are not sure.

    Args:
      axes: where to draw.
      joints: [J, 2].
      skeleton: names and bones.
      width: of a bone, points.
      sure: [J] bool.
      near: [J]; bones and joints with a larger one cover the others.
      present: [J] bool; False leaves a joint and its bones out.
    """
    near = np.zeros(len(joints)) if near is None else near
    present = np.ones(len(joints), bool) if present is None else present
    strokes = []  # how near, points, width, colour, dashes
    for bone in _drawn_bones(skeleton):
        ends = list(bone)
        if not present[ends].all():
            continue
        dashes = _SOLID if sure[ends].all() else _DASHES
        colour, nearness = COLOURS[_side(skeleton, bone)], near[ends].mean()
        strokes.append((nearness, joints[ends], width + 1.0, 'white', _SOLID))
        strokes.append((nearness, joints[ends], width, colour, dashes))
    for joint in np.flatnonzero(present).tolist():
        colour = COLOURS[side_of(skeleton, joint)]
        outside, inside = ('white', colour) if sure[joint] else (colour, 'white')
        # A joint covers its own bones, also those that come nearer to the viewer.
        nearness, dot = near[joint] + 0.25, joints[[joint, joint]] + [[0, 0], [1e-6, 0]]
        strokes.append((nearness, dot, 2.9 * width, outside, _SOLID))
        strokes.append((nearness, dot, 2.0 * width, inside, _SOLID))
    if not strokes:
        return
    strokes.sort(key=lambda stroke: stroke[0])
    _, points, widths, colours, dashes = zip(*strokes, strict=True)
    # One collection is drawn many times faster than a line for each of them.
    axes.add_collection(
        LineCollection(
            list(points), linewidths=widths, colors=colours, linestyles=list(dashes),
            capstyle='round', snap=False, zorder=4,
        ),
        autolim=False,
    )  # fmt: skip


def _drawn_bones(skeleton: Skeleton) -> list[tuple[int, int]]:
    """The bones, and the lines across shoulders and hips of a skeleton without a trunk."""
    bones = list(skeleton.bones)
    for part in ('shoulder', 'hip'):
        pair = [f'{side}_{part}' for side in ('left', 'right')]
        if {*pair} <= {*skeleton.joints} and not {'pelvis', 'thorax', 'neck'} & {*skeleton.joints}:
            bones.append((skeleton.index(pair[0]), skeleton.index(pair[1])))
    return bones


def _side(skeleton: Skeleton, bone: tuple[int, int]) -> str:
    """The side of a bone is the one of its child; a bone across both sides is of the centre."""
    sides = [side_of(skeleton, joint) for joint in bone]
    return 'centre' if {*sides} == {'left', 'right'} else sides[1]


def unsure_entry() -> Line2D:
    """A legend's entry for what is not sure."""
    grey = COLOURS['centre']
    return Line2D(
        [], [], color=grey, lw=1.3, ls=_DASHES, dash_capstyle='round', marker='o', ms=3.4,
        mfc='white', label='not sure',
    )  # fmt: skip

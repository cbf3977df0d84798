"""Bones that turn: from places of joints to a rest pose and rotations, for BVH and glTF.

The rest pose is a T: upright, arms to the sides, along x to the person's left, y up, z forward. Its
bones have the person's median lengths. A joint with one child turns it the shortest way (swing
without twist), since places of joints do not tell how a limb is turned about itself. A joint with
several children, such as the pelvis, turns as their places turn as a whole (least squares), and
below it each of those bones has a joint of its own, without length, that turns the bone the rest of
the way, as in the motion-capture files of the CMU. So the joints are met exactly where bones keep
their lengths; where they do not, a joint is off by no more than what the lengths of the bones
between the root and it are off together.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from capf_jax.pose.skeletons import Skeleton

# Places of joints in the rest pose by name, metres; those of the left side, whose mirror images are
# the right one's. Only the directions from joint to joint matter.
REST = {
    'pelvis': (0, 0, 0), 'hip': (0.13, 0, 0), 'knee': (0.13, -0.45, 0), 'ankle': (0.13, -0.9, 0),
    'spine': (0, 0.24, 0), 'thorax': (0, 0.49, 0), 'neck': (0, 0.49, 0), 'nose': (0, 0.6, 0.05),
    'head': (0, 0.72, 0), 'head_top': (0, 0.8, 0), 'eye': (0.03, 0.64, 0.07),
    'ear': (0.08, 0.62, 0), 'shoulder': (0.15, 0.49, 0), 'elbow': (0.43, 0.49, 0),
    'wrist': (0.68, 0.49, 0), 'fingers': (0.85, 0.49, 0), 'toe': (0.13, -0.96, 0.17),
    'big_toe': (0.11, -0.96, 0.18), 'small_toe': (0.18, -0.96, 0.14), 'heel': (0.13, -0.96, -0.05),
    'kneecap': (0.13, -0.45, 0.06), 'calf': (0.13, -0.6, -0.06), 'breast': (0.08, 0.35, 0.12),
    'shoulder_blade': (0.08, 0.4, -0.12), 'seat': (0.08, -0.05, -0.12), 'belly': (0, 0.12, 0.12),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Rig:
    """The rest pose of one person. R joints, each behind its parent.

    Attributes:
      names: of the joints; those of bones of their own are called 'PARENT_to_CHILD'.
      parents: index of each joint's parent; -1 for the root.
      joints: for each joint, which of the skeleton's it is, or lies at.
      targets: for each joint, those of the skeleton that its rotation is found from; none for the
        last joint of a limb.
      offsets: [R, 3] metres, from the parent, at rest; 0 for the root.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    joints: tuple[int, ...]
    targets: tuple[tuple[int, ...], ...]
    offsets: Float[np.ndarray, 'R 3']


def rest_directions(skeleton: Skeleton) -> Float[np.ndarray, 'J 3']:
    """The unit vector from each joint's parent to it in the rest pose; 0 for the root."""

    def place(joint: str) -> np.ndarray:
        side, _, name = joint.partition('_')
        if side not in ('left', 'right'):
            return np.array(REST[joint], np.float64)
        return np.array(REST[name], np.float64) * ((1 if side == 'left' else -1), 1, 1)

    places = np.stack([place(joint) for joint in skeleton.joints])
    steps = places - places[list(skeleton.parents)]
    lengths = np.linalg.norm(steps, axis=-1, keepdims=True)
    return np.divide(steps, lengths, out=np.zeros_like(steps), where=lengths > 0)


def rig_of(skeleton: Skeleton, joints: Float[np.ndarray, 'T J 3']) -> Rig:
    """The rig of a person.

    Args:
      skeleton: the joints.
      joints: metres, any frame; T is at least 1, and NaN stands for no pose.
    """
    steps = joints - joints[:, list(skeleton.parents)]
    lengths = np.nanmedian(np.linalg.norm(steps, axis=-1), axis=0)
    bones = rest_directions(skeleton) * lengths[:, None]
    children = [
        [child for parent, child in skeleton.bones if parent == joint]
        for joint in range(len(skeleton))
    ]
    rows: list[tuple[str, int, int, tuple[int, ...], np.ndarray]] = []

    def add(joint: int, parent: int, offset: np.ndarray) -> None:
        row, below = len(rows), children[joint]
        rows.append((skeleton.joints[joint], parent, joint, tuple(below), offset))
        for child in below:
            above = row
            if len(below) > 1:
                above = len(rows)
                name = f'{skeleton.joints[joint]}_to_{skeleton.joints[child]}'
                rows.append((name, row, joint, (child,), np.zeros(3)))
            add(child, above, bones[child])

    add(skeleton.root, -1, np.zeros(3))
    names, parents, own, targets, offsets = zip(*rows, strict=True)
    return Rig(names, parents, own, targets, np.stack(offsets))


def rotations_of(
    rig: Rig, skeleton: Skeleton, joints: Float[np.ndarray, 'T J 3']
) -> list[Rotation]:
    """The rotation of each of the R joints, relative to its parent's, in T frames.

    Args:
      rig: of the person.
      skeleton: the joints.
      joints: metres, y up; all finite.

    Returns:
      For each joint of the rig T rotations.
    """
    directions = rest_directions(skeleton)
    still = Rotation.identity(len(joints))
    whole: list[Rotation] = []  # the rotations relative to the world
    local: list[Rotation] = []
    for row, (joint, targets) in enumerate(zip(rig.joints, rig.targets, strict=True)):
        above = whole[rig.parents[row]] if rig.parents[row] >= 0 else still
        turn = still
        if targets:
            back = above.inv().as_matrix()
            steps = joints[:, list(targets)] - joints[:, [joint]]
            steps = np.einsum('tij,tcj->tci', back, steps)
            rest = directions[list(targets)]
            if len(targets) == 1:
                turn = _swing(rest[0], steps[:, 0])
            else:
                lengths = np.linalg.norm(steps, axis=-1).mean(axis=0)
                turn = _turn_together(rest * lengths[:, None], steps)
        local.append(turn)
        whole.append(above * turn)
    return local


def _swing(rest: Float[np.ndarray, ' 3'], steps: Float[np.ndarray, 'T 3']) -> Rotation:
    """The smallest rotations that turn the direction `rest` into those of `steps`."""
    lengths = np.linalg.norm(steps, axis=-1, keepdims=True)
    if not rest.any():
        return Rotation.identity(len(steps))
    ahead = np.where(lengths > 0, steps / np.maximum(lengths, 1e-12), rest)
    cosine = ahead @ rest
    across = np.cross(rest, ahead)
    # The half angle between two unit vectors gives the quaternion without a trigonometric function.
    quaternions = np.concatenate([across, 1 + cosine[:, None]], axis=-1)
    # Any axis across the bone turns it right round, where the two vectors are opposite.
    any_axis = np.cross(rest, np.eye(3)[np.argmin(np.abs(rest))])
    quaternions[cosine < -1 + 1e-12] = [*any_axis, 0]
    return Rotation.from_quat(quaternions)


def _turn_together(rest: Float[np.ndarray, 'C 3'], steps: Float[np.ndarray, 'T C 3']) -> Rotation:
    """The rotations that bring several bones nearest to where they are (Kabsch, 1976)."""
    left, _, right = np.linalg.svd(np.einsum('ci,tcj->tij', rest, steps))
    mirrored = np.linalg.det(left) * np.linalg.det(right) < 0
    right[:, 2] *= np.where(mirrored, -1, 1)[:, None]
    return Rotation.from_matrix(np.einsum('tki,tjk->tij', right, left))

"""Poses as rotations of parts and directions of bones, which can be moved from one to another.

A bone keeps its length while its direction turns, so that bodies do not stretch between two poses.
Bones belong to one of three parts: the legs and the spine to the pelvis, the arms and the neck to
the chest, and the top of the head to the head. Lengths are in millimetres.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic.kinematics import (
    ELBOW,
    HEAD,
    NOSE,
    SHOULDER,
    WRIST,
    Pose,
)

_PARENTS = [parent for parent, _ in H36M17.bones]
_CHILDREN = [child for _, child in H36M17.bones]
# The part of the bone that ends in each joint: 0 the pelvis, 1 the chest, 2 the head.
_PARTS = np.zeros(17, int)
_PARTS[[NOSE, *SHOULDER, *ELBOW, *WRIST]] = 1
_PARTS[HEAD] = 2
_LOWER = _PARTS == 0


@dataclasses.dataclass(frozen=True)
class Articulation:
    """A pose without its place.

    Attributes:
      parts: [3, 3, 3], rotations of the pelvis in the world, of the chest in the pelvis, and of the
        head in the chest; columns are forward, left and up.
      bones: [17, 3], unit vectors of the bones by the joints where they end, in the axes of their
        parts; 0 for the pelvis.
      feet: [2, 3], unit vectors to the toes, right and left, in the axes of the pelvis.
    """

    parts: np.ndarray
    bones: np.ndarray
    feet: np.ndarray

    @property
    def directions(self) -> np.ndarray:
        """[19, 3], bones and feet."""
        return np.concatenate([self.bones, self.feet])


def of_pose(pose: Pose) -> Articulation:
    """The articulation of a pose."""
    axes = np.stack([pose.pelvis, pose.chest, pose.head])
    parts = np.stack([pose.pelvis, pose.pelvis.T @ pose.chest, pose.chest.T @ pose.head])
    bones = np.zeros((17, 3))
    along = pose.joints[_CHILDREN] - pose.joints[_PARENTS]
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    bones[_CHILDREN] = np.einsum('jab,ja->jb', axes[_PARTS[_CHILDREN]], along)
    return Articulation(parts, bones, pose.feet @ pose.pelvis)


def bone_lengths(pose: Pose) -> Float[np.ndarray, '17']:
    """Length of the bone that ends in each joint, mm; 0 for the pelvis."""
    lengths = np.zeros(17)
    along = pose.joints[_CHILDREN] - pose.joints[_PARENTS]
    lengths[_CHILDREN] = np.linalg.norm(along, axis=-1)
    return lengths


def place(
    parts: Float[np.ndarray, 'F 3 3 3'],
    directions: Float[np.ndarray, 'F 19 3'],
    lengths: Float[np.ndarray, '17'],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The joints of F articulations, relative to the pelvis.

    Args:
      parts: see `Articulation`.
      directions: see `Articulation.directions`.
      lengths: see `bone_lengths`.

    Returns:
      Joints [F, 17, 3] in mm, axes [F, 3, 3, 3] of pelvis, chest and head in the world, and feet
      [F, 2, 3].
    """
    chest = parts[:, 0] @ parts[:, 1]
    axes = np.stack([parts[:, 0], chest, chest @ parts[:, 2]], axis=1)
    along = np.einsum('fjab,fjb->fja', axes[:, _PARTS], directions[:, :17])
    joints = np.zeros((len(parts), 17, 3))
    for parent, child in H36M17.bones:
        joints[:, child] = joints[:, parent] + lengths[child] * along[:, child]
    feet = np.einsum('fab,fsb->fsa', parts[:, 0], directions[:, 17:])
    return joints, axes, feet


def rotations(vectors: Float[np.ndarray, '*batch 3']) -> Float[np.ndarray, '*batch 3 3']:
    """The rotations about vectors by their lengths in radians (Rodrigues' formula)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    skew = np.zeros((*vectors.shape, 3))
    for row, column, axis, sign in ((2, 1, 0, 1), (0, 2, 1, 1), (1, 0, 2, 1)):
        skew[..., row, column] = sign * vectors[..., axis]
        skew[..., column, row] = -sign * vectors[..., axis]
    squared = np.maximum(angle, 1e-9)
    sine, cosine = np.sinc(angle / np.pi), (1 - np.cos(angle)) / squared**2
    return np.eye(3) + sine * skew + cosine * (skew @ skew)


def vectors_of(matrices: Float[np.ndarray, '*batch 3 3']) -> Float[np.ndarray, '*batch 3']:
    """The vectors whose `rotations` these are; the axis of a half turn is not exact."""
    trace = np.trace(matrices, axis1=-2, axis2=-1)
    angle = np.arccos(np.clip((trace - 1) / 2, -1, 1))[..., None]
    axis = np.stack(
        [
            matrices[..., 2, 1] - matrices[..., 1, 2],
            matrices[..., 0, 2] - matrices[..., 2, 0],
            matrices[..., 1, 0] - matrices[..., 0, 1],
        ],
        axis=-1,
    )
    return axis / 2 / np.maximum(np.sinc(angle / np.pi), 1e-3)


def shortest_turns(
    start: Float[np.ndarray, '*batch 3'], end: Float[np.ndarray, '*batch 3']
) -> Float[np.ndarray, '*batch 3']:
    """The vectors of the shortest rotations that take unit vectors to others."""
    across = np.cross(start, end)
    sine = np.linalg.norm(across, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (start * end).sum(-1, keepdims=True))
    return across / np.maximum(sine, 1e-9) * angle


def hips_and_legs_of(lower: Articulation, upper: Articulation) -> Articulation:
    """The pelvis, spine, legs and feet of one, with the chest, arms and head of the other."""
    bones = np.where(_LOWER[:, None], lower.bones, upper.bones)
    parts = np.concatenate([lower.parts[:1], upper.parts[1:]])
    return Articulation(parts, bones, lower.feet)

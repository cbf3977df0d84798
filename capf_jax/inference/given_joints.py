"""`GivenJoints`: the 2D joints of people whom another program has found, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True, eq=False)
class GivenJoints:
    """The 2D joints of N people of one picture.

    Attributes:
      skeleton: of the joints, by name.
      joints: [N, J, 2] pixels; a joint that was not found is where its neighbour is.
      confidence: [N, J], 0 to 1; 0 for a joint that was not found.
      boxes: [N, 4] x, y, width, height, pixels; None where the file gives none.
      camera: the name of the picture's camera; '' where the file says nothing.
    """

    skeleton: str
    joints: np.ndarray
    confidence: np.ndarray
    boxes: np.ndarray | None = None
    camera: str = ''

    def __len__(self) -> int:
        return len(self.joints)


def given(
    joints2d: Any, confidence: Any = None, skeleton: str = 'coco17', boxes: Any = None
) -> GivenJoints:
    """Arrays of 2D joints, checked.

    Args:
      joints2d: [N, J, 2] pixels.
      confidence: [N, J], 0 to 1; 1 for all where it is None.
      skeleton: of the joints, by name.
      boxes: [N, 4] x, y, width, height, pixels, or None.

    Raises:
      UserError: an unknown skeleton, another number of joints, numbers that are not finite.
    """
    joint_set = skeletons.get(skeleton)
    joints = numbers(joints2d, 'joints2d')
    if joints.ndim != 3:
        raise UserError(f'joints2d is {list(joints.shape)}; it must be [people, joints, 2]')
    sure = np.ones(joints.shape[:2]) if confidence is None else numbers(confidence, 'confidence')
    if len(sure) != len(joints):
        raise UserError(f'there are joints2d of {len(joints)} people, confidence of {len(sure)}')
    people = [
        checked_joints(f'joints2d of person {index}', joint_set, *pair)
        for index, pair in enumerate(zip(joints, sure, strict=True))
    ]
    return of_people(joint_set, people, None if boxes is None else numbers(boxes, 'boxes'))


def of_people(
    skeleton: Skeleton,
    people: Sequence[tuple[np.ndarray, np.ndarray]],
    boxes: np.ndarray | None = None,
    camera: str = '',
) -> GivenJoints:
    """The people of one picture, of (joints [J, 2], confidence [J]) of each."""
    joints = np.array([each for each, _ in people]).reshape(-1, len(skeleton), 2)
    confidence = np.array([each for _, each in people]).reshape(-1, len(skeleton))
    return GivenJoints(skeleton.name, joints, confidence, boxes, camera)


def numbers(values: Any, where: str) -> np.ndarray:
    """Values of a file as an array; a UserError, which says where they are, if they are none."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f'{where} holds things that are no numbers, or lists of any length') from (
            None
        )


def checked_box(values: Any, where: str) -> np.ndarray:
    """[4] x, y, width, height of a box, pixels."""
    box = numbers(values, where)
    if box.shape != (4,) or not np.isfinite(box).all() or not (box[2:] > 0).all():
        raise UserError(f'{where} has the box {str(values)[:60]}; it must be x, y, width, height')
    return box


def checked_joints(
    where: str, skeleton: Skeleton, joints: np.ndarray, confidence: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A person's joints [J, 2] and confidence [J]; those that were not found get a place.

    A joint without a place takes that of the nearest joint on the way to the root that has one, or
    else the middle of all that have one.
    """
    if joints.shape != (len(skeleton), 2) or confidence.shape != (len(skeleton),):
        raise UserError(
            f'{where} has joints {list(joints.shape)} and confidence {list(confidence.shape)}; '
            f'{skeleton.name!r} needs [{len(skeleton)}, 2] and [{len(skeleton)}]'
        )
    usable = np.isfinite(joints).all(axis=-1) & (confidence > 0)
    if not np.isfinite(joints[confidence > 0]).all():
        raise UserError(
            f'{where} holds NaN or infinity; give such a joint the confidence 0, or leave it out'
        )
    joints, confidence = joints.copy(), np.where(usable, confidence, 0.0)
    middle = joints[usable].mean(axis=0) if usable.any() else np.zeros(2)
    for joint in np.flatnonzero(~usable):
        other = joint
        while not usable[other] and skeleton.parents[other] != other:
            other = skeleton.parents[other]
        joints[joint] = joints[other] if usable[other] else middle
    return joints, confidence

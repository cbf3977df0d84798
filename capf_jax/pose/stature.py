"""How tall a person is who stands upright, told from the lengths of the bones of any pose."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Real

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import Skeleton

# The ankle's height over the ground in shares of the standing height (Winter, Biomechanics and
# Motor Control of Human Movement, anthropometric table).
_ANKLE = 0.039
# Names of the joints from the pelvis up to the top, the first that a skeleton has; the topmost
# joint of Human3.6M lies this share of the height below the top of the skull.
_TOPS = {'head_top': 0.0, 'head': 0.03}
_NECKS = ('thorax', 'neck')


def standing_height(pose: Real[np.ndarray, 'N J 3'], skeleton: Skeleton) -> Float[np.ndarray, ' N']:
    """About the height of each person, in the unit of the pose.

    It is the sum of shin, thigh (the mean of both sides), trunk and head, and of what lies below
    the ankle and above the topmost joint by anthropometric tables.

    Args:
      pose: joints of N people, in any frame.
      skeleton: of the pose.

    Raises:
      UserError: the skeleton lacks a leg, a neck or a head.
    """
    names = skeleton.joints
    top = next((name for name in _TOPS if name in names), None)
    neck = next((name for name in _NECKS if name in names), None)
    if top is None or neck is None or not {'pelvis', 'left_ankle', 'right_ankle'} <= {*names}:
        raise UserError(
            f'the joints of {skeleton.name!r} do not tell a standing height; leave the height out'
        )

    def length(*path: str) -> np.ndarray:
        joints = np.asarray(pose, np.float64)[..., [skeleton.index(name) for name in path], :]
        return np.linalg.norm(np.diff(joints, axis=-2), axis=-1).sum(axis=-1)

    legs = [length(f'{side}_hip', f'{side}_knee', f'{side}_ankle') for side in ('left', 'right')]
    spine = ('spine',) if 'spine' in names else ()
    sum_of_bones = (legs[0] + legs[1]) / 2 + length('pelvis', *spine, neck, top)
    return sum_of_bones / (1 - _ANKLE - _TOPS[top])

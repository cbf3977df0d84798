"""Poses of one person with bones that keep their length over a whole video."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from capf_jax.pose.skeletons import Skeleton

_TINY = 1e-9  # metres, or a sine: shorter bones and smaller turns have no direction


def bone_lengths(
    pose: Float[np.ndarray, 'T J 3'], valid: Bool[np.ndarray, ' T'], skeleton: Skeleton
) -> Float[np.ndarray, ' J']:
    """The median length, metres, of the bone to each joint from its parent, alike on both sides.

    Args:
      pose: of one person in each frame, metres.
      valid: which frames count, at least one.
      skeleton: of the joints.
    """
    bones = pose - pose[:, list(skeleton.parents)]
    lengths = np.median(np.linalg.norm(bones[valid], axis=-1), axis=0)
    return (lengths + lengths[list(skeleton.flip)]) / 2


def with_bone_lengths(
    pose: Float[np.ndarray, '*any J 3'], lengths: Float[np.ndarray, ' J'], skeleton: Skeleton
) -> Float[np.ndarray, '*any J 3']:
    """The poses with bones of these lengths, which point where they did; the root stays."""
    out = np.array(pose, np.float64)
    for joint in _from_the_root(skeleton):
        parent = skeleton.parents[joint]
        if parent == joint:
            continue
        bone = pose[..., joint, :] - pose[..., parent, :]
        length = np.linalg.norm(bone, axis=-1, keepdims=True)
        out[..., joint, :] = out[..., parent, :] + bone * lengths[joint] / np.maximum(length, _TINY)
    return out


def poses_between(
    before: Float[np.ndarray, 'J 3'],
    after: Float[np.ndarray, 'J 3'],
    share: Float[np.ndarray, ' T'],
    skeleton: Skeleton,
) -> Float[np.ndarray, 'T J 3']:
    """Poses on the way from one to another, on which each bone turns at a constant speed.

    A bone that is as long in both poses is so on the whole way; in a straight line from joint to
    joint it would be shorter.

    Args:
      before: the first pose, metres; the root goes along a straight line.
      after: the last one.
      share: of the way, 0 to 1.
      skeleton: of the joints.
    """
    share = share[:, None]
    out = np.empty((len(share), *before.shape))
    for joint in _from_the_root(skeleton):
        parent = skeleton.parents[joint]
        if parent == joint:
            out[:, joint] = (1 - share) * before[joint] + share * after[joint]
            continue
        first, last = before[joint] - before[parent], after[joint] - after[parent]
        lengths = np.linalg.norm(first), np.linalg.norm(last)
        length = (1 - share) * lengths[0] + share * lengths[1]
        turn = _turned(first / max(lengths[0], _TINY), last / max(lengths[1], _TINY), share)
        out[:, joint] = out[:, parent] + length * turn
    return out


def _turned(
    first: Float[np.ndarray, '3'], last: Float[np.ndarray, '3'], share: Float[np.ndarray, 'T 1']
) -> Float[np.ndarray, 'T 3']:
    """Unit vectors on the shortest turn from one to another."""
    across = last - first * (first @ last)
    size = np.linalg.norm(across)
    if size < _TINY:  # the same or opposite: any direction across will do
        across = np.cross(first, np.eye(3)[np.abs(first).argmin()])
    angle = share * np.arctan2(size, first @ last)
    return np.cos(angle) * first + np.sin(angle) * across / max(np.linalg.norm(across), _TINY)


def _from_the_root(skeleton: Skeleton) -> list[int]:
    """The joints in an order in which parents come first."""
    order = [skeleton.root]
    while len(order) < len(skeleton):
        order += [
            joint
            for joint, parent in enumerate(skeleton.parents)
            if parent in order and joint not in order
        ]
    return order

"""Poses of one person with bones that keep their length over a whole video."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from capf_jax.pose.skeletons import Skeleton


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
        out[..., joint, :] = out[..., parent, :] + bone * lengths[joint] / np.maximum(length, 1e-9)
    return out


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

"""2D joints as a detector would give them: the truth plus noise that grows where it cannot see."""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax.pose.skeletons import H36M17

# Distance from a joint to the surface of its own limb, metres: what lies further in front hides it.
DEPTH_INSIDE = np.array([
    .15, .13, .08, .07, .13, .08, .07, .15, .13, .12, .12, .10, .07, .06, .10, .07, .06,
])  # fmt: skip
MARGIN = 0.04  # metres, beyond the limb's own thickness
OCCLUDED = 2.5  # factor of the noise of a hidden joint
TAIL = 4  # degrees of freedom of the Student t noise: heavier tails than a Gaussian
SWAP = 0.015  # chance that a limb's two sides are confused
LIMBS = (('hip', 'knee', 'ankle'), ('shoulder', 'elbow', 'wrist'))


@dataclasses.dataclass(frozen=True)
class Detections:
    """2D joints of one person, pixels of the whole image.

    Attributes:
      joints2d: [J, 2].
      confidence: [J], 0 to 1, falling with the expected error.
      hidden: [J] bool, joints behind another part of the body.
    """

    joints2d: np.ndarray
    confidence: np.ndarray
    hidden: np.ndarray


def hidden_joints(depth_seen: np.ndarray, depth_joints: np.ndarray) -> np.ndarray:
    """Joints [J] whose pixel shows something nearer than their own limb.

    Args:
      depth_seen: [J], depth of the surface seen at each joint's pixel, metres, inf for none.
      depth_joints: [J], depth of the joints, metres; those after the first 17 lie on the surface.
    """
    inside = np.pad(DEPTH_INSIDE, (0, len(depth_joints) - len(DEPTH_INSIDE)))
    return depth_seen < depth_joints - inside - MARGIN


def detect(
    rng: np.random.Generator, truth: np.ndarray, hidden: np.ndarray, noise_sigma: float
) -> Detections:
    """Noisy 2D joints of one person.

    Args:
      rng: source of the noise.
      truth: [J, 2], true 2D joints, pixels.
      hidden: [J] bool, joints that cannot be seen.
      noise_sigma: standard deviation of a visible joint's error per axis, pixels.
    """
    # Some poses and people are harder as a whole, some joints by themselves.
    sigma = noise_sigma * np.where(hidden, OCCLUDED, 1.0) * np.exp(rng.normal(0, 0.25, len(truth)))
    sigma *= np.exp(rng.normal(0, 0.15))
    heavy = rng.standard_t(TAIL, (len(truth), 2)) / np.sqrt(TAIL / (TAIL - 2))
    joints2d = truth + sigma[:, None] * heavy
    for limb in LIMBS:
        left = [H36M17.index(f'left_{joint}') for joint in limb]
        right = [H36M17.index(f'right_{joint}') for joint in limb]
        swap = rng.random() < SWAP * (1 + 2 * hidden[left + right].any())
        if swap and noise_sigma > 0:
            joints2d[left + right] = joints2d[right + left]
    error = np.linalg.norm(joints2d - truth, axis=-1)
    # A detector knows its error only in part: half of the confidence is what actually happened.
    guess = np.sqrt(0.5 * error**2 + 0.5 * (1.5 * sigma) ** 2)
    confidence = np.clip(np.exp(-guess / 30.0) + rng.normal(0, 0.05, len(truth)), 0.0, 1.0)
    return Detections(joints2d, confidence, hidden)

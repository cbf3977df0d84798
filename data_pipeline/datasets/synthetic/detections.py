"""Imitates a 2D detector: the true 2D joints plus noise, more where a joint is hidden."""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax.pose.skeletons import H36M17

# Distance from each joint to the surface of its own limb, metres. A surface that lies further in
# front of the joint belongs to another part of the body and hides the joint.
DEPTH_INSIDE = np.array([
    .15, .13, .08, .07, .13, .08, .07, .15, .13, .12, .12, .10, .07, .06, .10, .07, .06,
])  # fmt: skip
MARGIN = 0.04  # Metres beyond the thickness of the limb before something hides a joint.
OCCLUDED = 2.5  # Factor of the noise of a hidden joint.
TAIL = 4  # Degrees of freedom of the Student t noise, whose tails are heavier than a Gaussian's.
SWAP = 0.015  # Chance that the left and right limbs of a pair are confused.
LIMBS = (('hip', 'knee', 'ankle'), ('shoulder', 'elbow', 'wrist'))


@dataclasses.dataclass(frozen=True)
class Detections:
    """Detected 2D joints of one person.

    Attributes:
      joints2d: [J, 2], pixels of the whole image.
      confidence: [J], 0 to 1; it falls with the expected error.
      hidden: [J] bool, whether another part of the body or a thing is in front of the joint.
    """

    joints2d: np.ndarray
    confidence: np.ndarray
    hidden: np.ndarray


def hidden_joints(surface_depth: np.ndarray, joint_depth: np.ndarray) -> np.ndarray:
    """Whether the pixel of each joint shows something nearer than the joint's own limb, [J] bool.

    Args:
      surface_depth: [J], camera depth of the surface that the pixel of each joint shows, metres;
        inf where it shows none.
      joint_depth: [J], camera depth of each joint, metres. The first 17 are the joints of H36M17,
        and the others are points on the surface of the body.
    """
    inside = np.pad(DEPTH_INSIDE, (0, len(joint_depth) - len(DEPTH_INSIDE)))
    return surface_depth < joint_depth - inside - MARGIN


def detect(
    rng: np.random.Generator, truth: np.ndarray, hidden: np.ndarray, noise_sigma: float
) -> Detections:
    """Noisy 2D joints of one person.

    Args:
      rng: source of the noise.
      truth: [J, 2], true 2D joints, pixels of the whole image.
      hidden: [J] bool, whether each joint is hidden.
      noise_sigma: standard deviation of the error of a visible joint on each axis, pixels.
    """
    # Some joints are harder to detect than others, and so are all joints of some people and poses.
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
    # A detector knows its error only in part: half of the confidence follows from the error that
    # it made and half from the error that was to be expected.
    guess = np.sqrt(0.5 * error**2 + 0.5 * (1.5 * sigma) ** 2)
    confidence = np.clip(np.exp(-guess / 30.0) + rng.normal(0, 0.05, len(truth)), 0.0, 1.0)
    return Detections(joints2d, confidence, hidden)

"""Imitates a 2D detector: the true 2D joints plus noise, more where a joint is hidden.

The noise of single pictures is independent; that of the frames of a video goes on from one to the
next, as that of real detectors does.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from scipy import special

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
SWAP_SECONDS = 0.12  # Mean length of a confusion in a video.
BURST_SECONDS = 0.1  # Mean length of a burst in a video.
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


def detect_clip(
    rng: np.random.Generator,
    truth: np.ndarray,
    hidden: np.ndarray,
    noise_sigma: float,
    fps: float,
    *,
    noise_seconds: float,
    bursts: float,
) -> list[Detections]:
    """Noisy 2D joints of one person in the frames of a video.

    Each frame alone is as noisy as one of `detect`, but for the bursts. The error of a joint goes
    on from frame to frame (a process of first order with the same heavy tails), and so do its
    confidence and a confusion of left and right, which lasts a few frames. In a burst, a joint
    sticks to a wrong place for a few frames.

    Args:
      rng: source of the noise.
      truth: [F, J, 2], true 2D joints, pixels of the whole image.
      hidden: [F, J] bool, whether each joint is hidden.
      noise_sigma: standard deviation of the error of a visible joint on each axis, pixels.
      fps: frames a second.
      noise_seconds: time in which the correlation of the error falls to 1 / e; 0 for none.
      bursts: mean number of bursts of each joint in a second.
    """
    frames, joints = hidden.shape
    decay = math.exp(-1.0 / (fps * noise_seconds)) if noise_seconds else 0.0
    of_joint = np.exp(rng.normal(0, 0.25, joints)) * np.exp(rng.normal(0, 0.15))
    # A joint that disappears becomes uncertain over a few frames.
    factor = np.where(hidden, OCCLUDED, 1.0)
    for frame in range(1, frames):
        factor[frame] = 0.5 * factor[frame - 1] + 0.5 * factor[frame]
    sigma = noise_sigma * of_joint * factor  # [F, J]
    share = special.ndtr(_first_order(rng, (frames, joints, 2), decay))
    heavy = special.stdtrit(TAIL, np.clip(share, 1e-9, 1 - 1e-9)) / np.sqrt(TAIL / (TAIL - 2))
    error = sigma[..., None] * heavy
    starts = rng.random((frames, joints)) < bursts / fps
    for frame, joint in np.argwhere(starts):
        last = frame + 1 + rng.geometric(min(1.0, 1.0 / (BURST_SECONDS * fps)))
        way = rng.normal(size=2)
        way *= rng.uniform(3.0, 6.0) * noise_sigma / np.linalg.norm(way)
        error[frame:last, joint] = way + 0.3 * error[frame:last, joint]
    joints2d = truth + error
    for limb in LIMBS:
        left = [H36M17.index(f'left_{joint}') for joint in limb]
        right = [H36M17.index(f'right_{joint}') for joint in limb]
        chance = SWAP * (1 + 2 * hidden[:, left + right].any(1)) * (noise_sigma > 0)
        for frame in np.flatnonzero(_spells(rng, chance, SWAP_SECONDS * fps)):
            joints2d[frame, left + right] = joints2d[frame, right + left]
    distance = np.linalg.norm(joints2d - truth, axis=-1)
    guess = np.sqrt(0.5 * distance**2 + 0.5 * (1.5 * sigma) ** 2)
    doubt = 0.05 * _first_order(rng, (frames, joints), decay)
    confidence = np.clip(np.exp(-guess / 30.0) + doubt, 0.0, 1.0)
    return [Detections(*frame) for frame in zip(joints2d, confidence, hidden, strict=True)]


def _first_order(rng: np.random.Generator, shape: tuple[int, ...], decay: float) -> np.ndarray:
    """Gaussian noise of mean 0 and standard deviation 1, of first order along its first axis."""
    noise = rng.normal(size=shape)
    for frame in range(1, shape[0]):
        noise[frame] = decay * noise[frame - 1] + math.sqrt(1 - decay**2) * noise[frame]
    return noise


def _spells(rng: np.random.Generator, chance: np.ndarray, length: float) -> np.ndarray:
    """Frames [F] bool that lie in spells of a mean length, each of them with its `chance` [F]."""
    leaving = min(1.0, 1.0 / length)
    inside, result = bool(rng.random() < chance[0]), []
    for one in chance:
        result.append(inside)
        entering = one * leaving / (1 - one)
        inside = bool(rng.random() < (1 - leaving if inside else entering))
    return np.array(result)

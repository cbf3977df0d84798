"""How far predicted poses of real samples are off, altogether and joint by joint."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from benchmarks.real_samples import Sample
from capf_jax.inference.photograph_camera import undistort_points
from capf_jax.pose import metrics
from capf_jax.pose.skeletons import H36M17

LIMBS = [
    H36M17.index(f'{side}_{joint}')
    for joint in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
    for side in ('left', 'right')
]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """One person, of whom there is a pose.

    Attributes:
      pose: [17, 3], H36M17 relative to the pelvis, camera frame, mm.
      joints2d: [17, 2], the joints that were lifted, pixels of the picture without distortion.
    """

    pose: np.ndarray
    joints2d: np.ndarray


def numbers(
    predictions: Sequence[Prediction | None], samples: Sequence[Sample]
) -> tuple[float, ...]:
    """MPJPE, N-MPJPE and PA-MPJPE in mm, 2D error in percent, and the number of people scored.

    Args:
      predictions: of each sample; None for a person who was not found.
      samples: with the true joints.
    """
    pairs = [
        (prediction, sample)
        for prediction, sample in zip(predictions, samples, strict=True)
        if prediction is not None
    ]
    if not pairs:
        return (np.nan, np.nan, np.nan, np.nan, 0)
    pose = np.stack([prediction.pose for prediction, _ in pairs])
    truth = np.stack([sample.joints3d - sample.joints3d[0] for _, sample in pairs])
    errors = [f(pose, truth).mean() for f in (metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe)]
    shares = []
    for prediction, sample in pairs:
        joints2d = undistort_points(sample.joints2d, sample.camera)
        distance = np.linalg.norm(prediction.joints2d - joints2d, axis=1)[LIMBS]
        shares.append(100 * distance / np.ptp(joints2d, axis=0).max())
    return (*errors, float(np.median(shares)), len(pairs))


def details(predictions: Sequence[Prediction | None], samples: Sequence[Sample]) -> list[list]:
    """What limits a result: of each joint the error, and its mean size along x, y and z, mm."""
    pairs = [
        (prediction.pose, sample.joints3d - sample.joints3d[0])
        for prediction, sample in zip(predictions, samples, strict=True)
        if prediction is not None
    ]
    difference = np.stack([pose - truth for pose, truth in pairs])
    along = np.abs(difference).mean(0)
    error = np.linalg.norm(difference, axis=-1).mean(0)
    rows = [[joint, error[j], *along[j]] for j, joint in enumerate(H36M17.joints)]
    return [*rows, ['mean', error.mean(), *along.mean(0)]]

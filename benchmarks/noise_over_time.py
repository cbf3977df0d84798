"""How long errors of 2D joints last: a real detector's on a real video, and the rendered noise.

The real ones are those of OpenPose (BODY_25B) in the four videos of the set pose2sim-balancing of
benchmarks/real_samples.py, beside the triangulated joints that are projected into each camera.
These are smoothed over time and made of the same detections, so that what is slow in an error is in
part counted as the truth. The rendered noise is measured in clips of the same length and rate.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from benchmarks import real_samples
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import detections, motion, poses
from data_pipeline.datasets.synthetic.settings import Settings

# The joints that a detector sees, as BODY_25B numbers them: those of H36M17 in the trunk and the
# head are made of several.
BODY_25B = {
    'right_hip': 12, 'right_knee': 14, 'right_ankle': 16, 'left_hip': 11, 'left_knee': 13,
    'left_ankle': 15, 'left_shoulder': 5, 'left_elbow': 7, 'left_wrist': 9, 'right_shoulder': 6,
    'right_elbow': 8, 'right_wrist': 10,
}  # fmt: skip
LIMB_JOINTS = [H36M17.index(name) for name in BODY_25B]
LEAST_CONFIDENCE = 0.3  # of a detection that counts
SECONDS = (1 / 60, 0.05, 0.1, 0.2, 1 / 3)  # after which the correlation is told
CUT = 3.0  # standard deviations, beyond which an error counts as one of so many
FRAMES, FPS = 100, 60.0  # of a clip of the rendered noise: those of the real videos
PIXELS = 0.4  # of a mm of a rendered person, who is 700 px tall as in a 1000 px image
HEADERS = ('2D error', 'median, px', *(f'after {s:.2g} s' for s in SECONDS), '1/e after, s')
WAYS = {'as it is': False, "without each joint's mean": True}


def real_errors(folder: pathlib.Path) -> Iterator[tuple[str, np.ndarray]]:
    """The errors of the real detector in each video: its name, and [1, F, 12, 2] pixels.

    Joints that it has not found are NaN.

    Args:
      folder: with the folder of the set.

    Raises:
      UserError: the set is not there, or damaged.
    """
    arrays = real_samples.arrays_of(folder, 'pose2sim-balancing')
    truth = arrays['joints_2d_reprojected'][:, :, LIMB_JOINTS]
    openpose = arrays['openpose_body25b_xyc'][:, :, list(BODY_25B.values())]
    errors = np.where(openpose[..., 2:] >= LEAST_CONFIDENCE, openpose[..., :2] - truth, np.nan)
    for number, of_video in enumerate(errors.astype(np.float64)):
        yield f'OpenPose, camera {number + 1}', of_video[None]


def rendered_errors(clips: int, noise_seconds: float) -> np.ndarray:
    """The noise of rendered clips, [N, F, 12, 2] pixels: nothing hides a joint.

    Args:
      clips: N.
      noise_seconds: as in `config.data.builder`; all else has its default.
    """
    rng, settings = np.random.default_rng(0), Settings(clip_frames=FRAMES)
    errors = []
    for _ in range(clips):
        body = poses.sample_proportions(rng)
        joints = motion.sample_motion(rng, body, FRAMES, FPS).joints
        truth = PIXELS * joints[..., [0, 2]]  # seen from far away
        people = detections.detect_clip(
            rng,
            truth,
            np.zeros(truth.shape[:2], bool),
            settings.noise_sigma,
            FPS,
            noise_seconds=noise_seconds,
            bursts=settings.noise_bursts,
        )
        errors.append(np.stack([person.joints2d for person in people]) - truth)
    return np.stack(errors)[:, :, LIMB_JOINTS]


def correlation(errors: np.ndarray, centred: bool) -> np.ndarray:
    """The mean product of errors some frames apart, as a share of the mean square: [F // 2].

    An error further than CUT standard deviations from its joint's median counts as one of so many:
    a joint that is found at another place of the picture for one frame would weigh more than all
    others. The standard deviation is estimated by the median.

    Args:
      errors: [N, F, J, 2], pixels; NaN where there is none.
      centred: whether the mean of each joint over its clip is taken away first.
    """
    middle = np.nanmedian(errors, axis=1, keepdims=True)
    most = CUT * 1.4826 * np.nanmedian(np.abs(errors - middle), axis=1, keepdims=True)
    values = np.clip(errors, middle - most, middle + most)
    if centred:
        values = values - np.nanmean(values, axis=1, keepdims=True)
    frames = values.shape[1]
    products = [
        np.nanmean(values[:, : frames - apart] * values[:, apart:]) for apart in range(frames // 2)
    ]
    return np.array(products) / products[0]


def lasting(correlations: np.ndarray, fps: float) -> float:
    """Seconds after which a correlation has fallen to 1/e; inf where it has not.

    Args:
      correlations: of frames 0, 1, ... apart; the first is 1.
      fps: frames a second.
    """
    below = np.flatnonzero(correlations <= np.exp(-1))
    if not below.size:
        return np.inf
    after, before = correlations[below[0]], correlations[below[0] - 1]
    return float((below[0] - (np.exp(-1) - after) / (before - after)) / fps)


def rows(folder: pathlib.Path | None, clips: int) -> Iterator[list[str]]:
    """The rows of a table with HEADERS.

    Args:
      folder: with the real samples; None leaves these out.
      clips: of the rendered noise.

    Raises:
      UserError: as `real_errors`.
    """
    sources = list(real_errors(folder)) if folder else []
    for seconds in (Settings.noise_seconds, Settings.noise_seconds / 2):
        name = f'rendered, `noise_seconds` = {seconds:g}'
        sources.append((name, rendered_errors(clips, seconds)))
    for way, centred in WAYS.items():
        for name, errors in sources:
            values = correlation(errors, centred)
            later = [values[round(seconds * FPS)] for seconds in SECONDS]
            size = np.nanmedian(np.linalg.norm(errors, axis=-1))
            row = [f'{name}, {way}', f'{size:.1f}', *(f'{value:.2f}' for value in later)]
            seconds = lasting(values, FPS)
            yield [*row, f'{seconds:.2f}' if np.isfinite(seconds) else f'> {FRAMES / 2 / FPS:.2f}']

"""Errors of 3D poses, in NumPy float64 and without JAX.

Poses are [N, J, 3] for N samples, and every function returns values in the unit of its input
(metres give metres; the reports of this repository are in millimetres). There is one value a
sample, so that any average (over frames, over actions) can be taken of them. No function subtracts
a root joint: root-relative errors need root-relative poses. The definitions are those of
docs/method.md, Metrics.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from capf_jax.errors import UserError

AUC_THRESHOLDS_MM = np.arange(0.0, 151.0, 5.0)  # MPI-INF-3DHP's thresholds, 0, 5, ..., 150 mm


def _poses(pred: ArrayLike, target: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [N, J, 3]; ValueError when their shapes differ or are no poses."""
    pred, target = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    if pred.shape != target.shape or pred.ndim != 3 or pred.shape[-1] != 3 or pred.shape[1] == 0:
        raise ValueError(
            f'predictions {pred.shape} and targets {target.shape} must have one shape [N, J, 3]'
        )
    return pred, target


def joint_errors(pred: ArrayLike, target: ArrayLike) -> Float[np.ndarray, 'N J']:
    """Euclidean distance of every joint between two arrays of poses [N, J, 3]."""
    pred, target = _poses(pred, target)
    return np.linalg.norm(pred - target, axis=-1)


def mpjpe(pred: ArrayLike, target: ArrayLike) -> Float[np.ndarray, ' N']:
    """Mean per-joint position error of poses [N, J, 3], the root joint included."""
    return joint_errors(pred, target).mean(axis=-1)


def mpjpe_of_true_root(pred: ArrayLike, target: ArrayLike, root: int) -> Float[np.ndarray, ' N']:
    """MPJPE of poses [N, J, 3] whose predicted root is set to 0, so that the root has no error.

    This is MPI-INF-3DHP's published MPJPE; targets are relative to the root joint.
    """
    pred = np.array(pred, np.float64)
    pred[:, root] = 0
    return mpjpe(pred, target)


def n_mpjpe(pred: ArrayLike, target: ArrayLike) -> Float[np.ndarray, ' N']:
    """MPJPE of poses [N, J, 3] after the best scale for each pose, about the origin (the root).

    A prediction that is zero everywhere stays as it is; the scale may be negative, as in the
    published evaluations.
    """
    pred, target = _poses(pred, target)
    scale = _ratio(np.sum(pred * target, axis=(1, 2)), np.sum(pred * pred, axis=(1, 2)))
    return mpjpe(scale[:, None, None] * pred, target)


def pa_mpjpe(pred: ArrayLike, target: ArrayLike) -> Float[np.ndarray, ' N']:
    """MPJPE of poses [N, J, 3] after Procrustes alignment.

    The alignment scales, rotates without reflection, and translates. A pose with a value that is
    not finite gives NaN and does not change the values of the others.
    """
    pred, target = _poses(pred, target)
    finite = np.isfinite(pred).all((1, 2)) & np.isfinite(target).all((1, 2))
    errors = np.full(len(pred), np.nan)
    if finite.any():
        errors[finite] = mpjpe(align(pred[finite], target[finite]), target[finite])
    return errors


def align(pred: ArrayLike, target: ArrayLike) -> Float[np.ndarray, 'N J 3']:
    """`pred` moved onto `target`, both [N, J, 3], by the least-squares similarity of each pose.

    This is the closed form of Umeyama (1991): the singular vector of the smallest singular value
    changes sign where the best orthogonal matrix would be a reflection.
    """
    pred, target = _poses(pred, target)
    pred_mean, target_mean = pred.mean(1, keepdims=True), target.mean(1, keepdims=True)
    pred_centred, target_centred = pred - pred_mean, target - target_mean
    # Rows are points, so that the rotation acts from the right: pred_centred @ rotation.
    u, singular, vt = np.linalg.svd(np.swapaxes(pred_centred, 1, 2) @ target_centred)
    sign = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    signs = np.stack([np.ones_like(sign), np.ones_like(sign), sign], axis=-1)  # [N, 3]
    rotation = (u * signs[:, None, :]) @ vt
    scale = _ratio(np.sum(singular * signs, -1), np.sum(pred_centred**2, axis=(1, 2)))
    return scale[:, None, None] * (pred_centred @ rotation) + target_mean


def mpjve(
    pred: ArrayLike,
    target: ArrayLike,
    sequences: ArrayLike | None = None,
    frames: ArrayLike | None = None,
) -> Float[np.ndarray, ' N']:
    """Mean per-joint velocity error, never across the border of a sequence or a gap in it.

    The velocity at a sample is its pose minus that of the previous frame of its sequence, so that
    the unit is that of the input per frame. Samples need not be sorted.

    Args:
      pred, target: [N, J, 3].
      sequences: [N], any labels; frames of one camera's video share one. By default all N do.
      frames: [N] integers, the frame number inside the sequence. By default the samples of a
        sequence are consecutive frames, in their order in `pred`.

    Returns:
      One value a sample, NaN where the previous frame (number minus one) is not among the samples:
      averages are `numpy.nanmean`'s, once one value is known to be a number.

    Raises:
      ValueError: shapes disagree.
      UserError: a sequence holds the same frame twice.
    """
    pred, target = _poses(pred, target)
    consecutive = frames is None
    sequences = np.zeros(len(pred)) if sequences is None else np.asarray(sequences)
    frames = np.arange(len(pred)) if consecutive else np.asarray(frames)
    if sequences.shape != (len(pred),) or frames.shape != (len(pred),):
        raise ValueError(
            f'sequences {sequences.shape} and frames {frames.shape} must name each of the '
            f'{len(pred)} poses'
        )
    errors = np.full(len(pred), np.nan)
    if len(pred) < 2:
        return errors
    _, sequence_ids = np.unique(sequences, return_inverse=True)
    order = np.lexsort((frames, sequence_ids))
    same = np.diff(sequence_ids[order]) == 0
    step = np.diff(frames[order])
    if np.any(same & (step == 0)):
        twice = order[1:][same & (step == 0)][0]
        raise UserError(
            f'sequence {sequences[twice]} holds frame {frames[twice]} twice; '
            'build the dataset again with each frame once'
        )
    pairs = same if consecutive else same & (step == 1)
    before, after = order[:-1][pairs], order[1:][pairs]
    difference = pred - target
    if pairs.any():
        errors[after] = np.linalg.norm(difference[after] - difference[before], axis=-1).mean(-1)
    return errors


def mpjve_across_borders(pred: ArrayLike, target: ArrayLike) -> Float[np.ndarray, ' N_minus_1']:
    """MPJVE of poses [N, J, 3] that are taken for one video in the order in which they come.

    Where one video ends and the next begins, it counts a jump from one person to another. This is
    the formula of the published code and serves only comparisons with it: a figure depends on the
    order of the videos, and at N frames of V videos a share (V - 1) / N of it are such jumps.
    """
    pred, target = _poses(pred, target)
    return np.linalg.norm(np.diff(pred - target, axis=0), axis=-1).mean(-1)


def pck(pred: ArrayLike, target: ArrayLike, threshold: float) -> Float[np.ndarray, ' N']:
    """Percentage of the joints of poses [N, J, 3] that are strictly nearer than `threshold`."""
    return 100.0 * (joint_errors(pred, target) < threshold).mean(axis=-1)


def auc(pred: ArrayLike, target: ArrayLike, thresholds: ArrayLike) -> Float[np.ndarray, ' N']:
    """Mean PCK of poses [N, J, 3], in percent, over `thresholds` in the unit of the poses.

    `AUC_THRESHOLDS_MM` are those of MPI-INF-3DHP, for poses in millimetres.
    """
    errors = joint_errors(pred, target)
    return np.mean([100.0 * (errors < t).mean(axis=-1) for t in np.ravel(thresholds)], axis=0)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """numerator / denominator, 1 where the denominator is 0 (a pose without extent)."""
    empty = denominator == 0
    return np.where(empty, 1.0, numerator / np.where(empty, 1.0, denominator))

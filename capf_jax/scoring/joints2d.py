"""The result of evaluating a 2D detector: errors in pixels of every joint."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from capf_jax.errors import UserError
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring import tables
from capf_jax.scoring.evaluation import Scorer
from capf_jax.scoring.result import Result

NEAR_PX = 10.0  # a joint nearer than this to the true one counts as right


@dataclasses.dataclass(frozen=True, kw_only=True)
class JointsResult(Result):
    """2D errors of a detector on N samples, each counted once.

    Attributes:
      errors: [N, J] distance to the true joints, pixels of a whole image 1000 px wide, so that
        image sizes and crop resolutions can be compared.
      joints: J joint names.
    """

    errors: Float[np.ndarray, 'N J']
    joints: tuple[str, ...]

    @property
    def score(self) -> float:
        """Mean error, px of a 1000 px image."""
        return self.scores['error_px']

    @functools.cached_property
    def scores(self) -> dict[str, float]:
        """Mean and median error and the share of joints (percent) under 10 px."""
        return {
            'error_px': float(self.errors.mean()),
            'median_error_px': float(np.median(self.errors)),
            'within_10_px': float(100 * np.mean(self.errors < NEAR_PX)),
        }

    def table(self, group: str | None = None, form: str = 'text') -> str:
        """Mean and median error by joint; `group` is not looked at."""
        del group
        rows: list[Any] = [
            [name, errors.mean(), np.median(errors), 100 * np.mean(errors < NEAR_PX)]
            for name, errors in zip(self.joints, self.errors.T, strict=True)
        ]
        rows += [tables.SEPARATOR, ['all joints', *self.scores.values()]]
        return tables.grid(rows, ['joint', 'mean [px]', 'median [px]', '< 10 px [%]'], form)

    def to_json(self) -> dict[str, Any]:
        """Conditions, averages, and the mean error of every joint."""
        joints = dict(zip(self.joints, self.errors.mean(0).tolist(), strict=True))
        return {'protocol': dict(self.conditions), **self.scores, 'mean_error_px': joints}


def joints_result(
    predictions: Float[np.ndarray, 'N J 2'],
    targets: Float[np.ndarray, 'N J 2'],
    affine: Float[np.ndarray, 'N 2 3'],
    image_width: Shaped[np.ndarray, ' N'],
    joints: tuple[str, ...],
    conditions: Mapping[str, Any],
) -> JointsResult:
    """The 2D errors of a detector.

    Args:
      predictions, targets: [N, J, 2] pixels of the crop.
      affine: [N, 2, 3] whole-image pixels -> crop pixels.
      image_width: [N] pixels.
      joints: J names.
      conditions: what the numbers mean; samples, joints and unit are added here.

    Raises:
      UserError: there is no sample, or a prediction is not finite.
    """
    if len(predictions) == 0:
        raise UserError('the split holds no sample to evaluate; choose another split')
    if not np.isfinite(predictions).all():
        raise UserError('the detector gives joints that are not finite; use another checkpoint')
    crop_pixels_per_pixel = np.sqrt(np.abs(np.linalg.det(affine[:, :, :2].astype(np.float64))))
    scale = 1000 / (crop_pixels_per_pixel * image_width)  # [N]
    errors = np.linalg.norm(np.float64(predictions) - targets, axis=-1) * scale[:, None]
    conditions = {
        **conditions,
        'samples': len(predictions),
        'joints': len(joints),
        'unit': 'px of a whole image 1000 px wide',
    }
    return JointsResult(errors=errors, joints=joints, conditions=conditions)


def joints_scorer(skeleton: Skeleton) -> Scorer[JointsResult]:
    """Scores predictions 'joints2d_crop' [B, J, 2], crop pixels, of these joints."""

    def truth(batch: Batch) -> dict[str, Array]:
        return {
            'truth': batch.joints2d_crop_truth,
            'affine': batch.affine,
            'image_size': batch.image_size,
        }

    def result(
        outputs: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray],
        conditions: Mapping[str, Any],
    ) -> JointsResult:
        del labels
        return joints_result(
            outputs['joints2d_crop'],
            outputs['truth'],
            outputs['affine'],
            outputs['image_size'][:, 0],
            skeleton.joints,
            conditions,
        )

    return Scorer(truth, result)

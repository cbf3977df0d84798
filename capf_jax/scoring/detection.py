"""The result of evaluating a 2D detector: errors in pixels, a table and a JSON file."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tabulate


@dataclasses.dataclass(frozen=True)
class DetectionResult:
    """2D errors of a detector on N samples, each counted once.

    Attributes:
      errors: [N, J] distance to the true joints, pixels of a whole image 1000 px wide, so that
        image sizes and crop resolutions can be compared.
      joints: J joint names.
      protocol: as in `Result`.
    """

    errors: np.ndarray
    joints: tuple[str, ...]
    protocol: Mapping[str, Any]

    @property
    def score(self) -> float:
        """Mean error, px of a 1000 px image; what the best checkpoint is chosen by."""
        return self.scores['error_px']

    @functools.cached_property
    def scores(self) -> dict[str, float]:
        """Mean and median error and the share of joints (percent) under 10 px."""
        return {
            'error_px': float(self.errors.mean()),
            'median_error_px': float(np.median(self.errors)),
            'within_10_px': float(100 * np.mean(self.errors < 10)),
        }


def detection_result(
    found: np.ndarray,
    truth: np.ndarray,
    affine: np.ndarray,
    image_width: np.ndarray,
    joints: tuple[str, ...],
    protocol: Mapping[str, Any],
) -> DetectionResult:
    """The 2D errors of a detector.

    Args:
      found, truth: [N, J, 2] pixels of the crop.
      affine: [N, 2, 3] whole-image pixels -> crop pixels.
      image_width: [N] pixels.
      joints: J names.
      protocol: what to say of the numbers.

    Raises:
      ValueError: there is no sample or a joint found is not finite.
    """
    if len(found) == 0:
        raise ValueError('the split holds no sample to evaluate; choose another split')
    if not np.isfinite(found).all():
        raise ValueError('the detector found joints that are not finite; use another checkpoint')
    crop_pixels_per_pixel = np.sqrt(np.abs(np.linalg.det(np.float64(affine)[:, :, :2])))
    scale = 1000 / (crop_pixels_per_pixel * image_width)  # [N]
    errors = np.linalg.norm(np.float64(found) - truth, axis=-1) * scale[:, None]
    protocol = {
        **protocol,
        'samples': len(found),
        'joints': len(joints),
        'unit': 'px of a whole image 1000 px wide',
    }
    return DetectionResult(errors, joints, protocol)


def table(result: DetectionResult, form: str = 'simple') -> str:
    """Table of a detector's mean and median error by joint; `form` is one of tabulate's."""
    rows = [
        [name, errors.mean(), np.median(errors), 100 * np.mean(errors < 10)]
        for name, errors in zip(result.joints, result.errors.T, strict=True)
    ]
    line = [] if form == 'pipe' else [tabulate.SEPARATING_LINE]  # Markdown has none between rows
    rows += [*line, ['all joints', *result.scores.values()]]
    headers = ['joint', 'mean [px]', 'median [px]', '< 10 px [%]']
    return tabulate.tabulate(rows, headers, form, floatfmt='.1f', disable_numparse=[0])


def to_json(result: DetectionResult) -> dict[str, Any]:
    """For `report.write_json`: protocol, averages, and the mean error of every joint."""
    joints = dict(zip(result.joints, result.errors.mean(0).tolist(), strict=True))
    return {'protocol': dict(result.protocol), **result.scores, 'mean_error_px': joints}

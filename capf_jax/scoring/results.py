"""`Result`: the errors of every sample of a split, and their averages."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring import protocols
from capf_jax.scoring.protocols import ERROR_2D_PX, Protocol

MM = 1000.0  # millimetres in a metre: poses are kept in metres, errors are reported in mm


@dataclasses.dataclass(frozen=True)
class Result:
    """Errors of N samples, each counted once.

    Attributes:
      errors: metric name -> [N] float64, in the metric's unit; NaN where it has no value.
      labels: 'subject', 'action', 'sequence', 'camera' -> [N] str, 'frame' -> [N] int.
      predictions: [N, J, 3] metres, camera frame, relative to the root.
      targets: [N, J, 3] the same of the ground truth.
      protocol: what the numbers mean: split, samples, joints, 2D source, flip test, averaging...
      rules: the protocol that chose the errors and their averages.
      input_error_px: [N] mean over joints of the 2D input's distance from the true 2D joints,
        pixels of the whole image; None where it is not known.
    """

    errors: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    predictions: np.ndarray
    targets: np.ndarray
    protocol: Mapping[str, Any]
    rules: Protocol = protocols.PLAIN
    input_error_px: np.ndarray | None = None

    @property
    def score(self) -> float:
        """The headline's MPJPE, mm; what the best checkpoint is chosen by."""
        return self.scores['mpjpe']

    @property
    def scores(self) -> dict[str, float]:
        """Numbers for a log: the average that the protocol's published figures are."""
        headline = self.rules.headline
        return self.mean_over_groups(headline) if headline else self.mean_over_frames

    @functools.cached_property
    def mean_over_frames(self) -> dict[str, float]:
        """Metric name -> plain mean over the samples; NaN where a metric has no value."""
        return {name: _mean(values) for name, values in self.errors.items()}

    @functools.cached_property
    def mean_over_actions(self) -> dict[str, float]:
        """Metric name -> mean over actions of each action's mean, as published figures are."""
        return self.mean_over_groups('action')

    def mean_over_groups(self, group: str) -> dict[str, float]:
        """Metric name -> mean over the groups of each group's mean."""
        rows = self.groups(group).values()
        return {name: _mean([row[name] for row in rows]) for name in self.errors}

    def groups(self, group: str) -> dict[str, dict[str, float]]:
        """Value of the label `group` -> {'samples': number, metric name: mean}, sorted."""
        names, ids = np.unique(self.labels[group], return_inverse=True)
        return {str(name): self.subset(ids == i) for i, name in enumerate(names)}

    def subset(self, chosen: np.ndarray) -> dict[str, float]:
        """{'samples': number, metric name: plain mean} of the samples `chosen` [N] bool."""
        return {'samples': int(np.sum(chosen))} | {
            name: _mean(values[chosen]) for name, values in self.errors.items()
        }

    @functools.cached_property
    def subsets(self) -> dict[str, dict[str, float]]:
        """Frames that later papers report by themselves: name -> as `subset`."""
        if self.input_error_px is None:
            return {}
        return {f'2D error > {ERROR_2D_PX:g} px': self.subset(self.input_error_px > ERROR_2D_PX)}


def pose_result(
    predictions: np.ndarray,
    targets: np.ndarray,
    labels: Mapping[str, np.ndarray],
    protocol: Mapping[str, Any],
    *,
    rules: Protocol = protocols.PLAIN,
    skeleton: Skeleton | None = None,
    input_error_px: np.ndarray | None = None,
) -> Result:
    """The errors of N predicted poses.

    Args:
      predictions, targets: [N, J, 3] metres, camera frame, relative to the root.
      labels: see `Result`.
      protocol: what to say of the numbers; samples, joints and what `rules` say are added here.
      rules: which errors, over which joints, averaged how.
      skeleton: the joint set; without it joints are not named in the report.
      input_error_px: see `Result`.

    Raises:
      ValueError: shapes do not fit, there is no sample, a prediction is not finite, a video holds
        a frame twice, or the rules are for other joints.
    """
    if len(predictions) == 0:
        raise ValueError('the split holds no sample to evaluate; choose another split')
    broken = np.flatnonzero(~np.isfinite(predictions).all(axis=(1, 2)))
    if broken.size:  # left out of a mean they would flatter it
        raise ValueError(
            f'{broken.size} of {len(predictions)} predictions are not finite, the first is '
            f'sample {broken[0]}; evaluate an earlier checkpoint'
        )
    if skeleton is not None:
        rules.check_skeleton(skeleton)
    pred, target = MM * np.float64(predictions), MM * np.float64(targets)
    errors = rules.errors(pred, target, videos(labels), np.asarray(labels['frame']))
    said = {**protocol, 'samples': len(pred), 'joints': pred.shape[1]}
    if skeleton is not None:
        said |= rules.words(skeleton)
    if rules.groups:
        found = len(np.unique(labels[rules.headline]))
        said[f'{rules.headline}s'] = f'{found} of {rules.groups}'
    if input_error_px is not None:
        said['input_2d_error'] = (
            f'{np.mean(input_error_px):.2f} px, mean over joints and frames, whole-image pixels'
        )
    return Result(
        errors, labels, np.asarray(predictions), np.asarray(targets), said, rules, input_error_px
    )


def videos(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """[N] int: one number for each video, a sequence of one subject seen by one camera."""
    ids = np.zeros(len(labels['frame']), np.int64)
    for name in ('subject', 'action', 'sequence', 'camera'):
        values, of_this = np.unique(labels[name], return_inverse=True)
        # numbered again each time, so that the product never overflows
        ids = np.unique(ids * len(values) + of_this, return_inverse=True)[1]
    return ids


def mean_pose(batches: Iterable[np.ndarray], joints: int) -> np.ndarray:
    """Mean pose [J, 3] of a split: what a predictor that sees nothing would say for everyone.

    Args:
      batches: poses [B, J, 3] of the training split, metres, relative to the root.
      joints: J.

    Raises:
      ValueError: there is no pose.
    """
    total, number = np.zeros((joints, 3)), 0
    for poses in batches:
        total += np.sum(poses, axis=0, dtype=np.float64)
        number += len(poses)
    if number == 0:
        raise ValueError('the training split holds no pose to take the mean of')
    return total / number


def _mean(values: Any) -> float:
    """Mean of the values that are there (MPJVE has none at a sequence's start); NaN of none."""
    values = np.asarray(values, np.float64)
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else math.nan

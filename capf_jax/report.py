"""The result of an evaluation: per-sample errors, their averages, a table and a JSON file."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tabulate

from capf_jax import configuration, detection_report, metrics
from capf_jax.detection_report import DetectionResult

MM = 1000.0  # millimetres in a metre: poses are kept in metres, errors are reported in mm
TITLES = {'mpjpe': 'MPJPE', 'pa_mpjpe': 'PA-MPJPE', 'n_mpjpe': 'N-MPJPE', 'mpjve': 'MPJVE'}
GROUPS = ('action', 'sequence', 'subject', 'camera')  # labels that a table can be made by


@dataclasses.dataclass(frozen=True)
class Result:
    """Errors of N samples, each counted once.

    Attributes:
      errors: metric name -> [N] float64, mm (MPJVE: mm a frame, NaN without a previous frame).
      labels: 'subject', 'action', 'sequence', 'camera' -> [N] str, 'frame' -> [N] int.
      predictions: [N, J, 3] metres, camera frame, relative to the root.
      targets: [N, J, 3] the same of the ground truth.
      protocol: what the numbers mean: split, samples, joints, 2D source, flip test, averaging...
    """

    errors: Mapping[str, np.ndarray]
    labels: Mapping[str, np.ndarray]
    predictions: np.ndarray
    targets: np.ndarray
    protocol: Mapping[str, Any]

    @property
    def score(self) -> float:
        """MPJPE over all frames, mm; what the best checkpoint is chosen by."""
        return self.scores['mpjpe']

    @property
    def scores(self) -> dict[str, float]:
        """Numbers for a log: `mean_over_frames`."""
        return self.mean_over_frames

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
        return {
            str(name): {'samples': int(np.sum(ids == i))}
            | {metric: _mean(values[ids == i]) for metric, values in self.errors.items()}
            for i, name in enumerate(names)
        }


def pose_result(
    predictions: np.ndarray,
    targets: np.ndarray,
    labels: Mapping[str, np.ndarray],
    protocol: Mapping[str, Any],
) -> Result:
    """The errors of N predicted poses.

    Args:
      predictions, targets: [N, J, 3] metres, camera frame, relative to the root.
      labels: see `Result`.
      protocol: what to say of the numbers; samples, joints and averaging are added here.

    Raises:
      ValueError: shapes do not fit, there is no sample, a prediction is not finite, or a
        sequence holds a frame twice.
    """
    if len(predictions) == 0:
        raise ValueError('the split holds no sample to evaluate; choose another split')
    broken = np.flatnonzero(~np.isfinite(predictions).all(axis=(1, 2)))
    if broken.size:  # left out of a mean they would flatter it
        raise ValueError(
            f'{broken.size} of {len(predictions)} predictions are not finite, the first is '
            f'sample {broken[0]}; evaluate an earlier checkpoint'
        )
    pred, target = MM * np.float64(predictions), MM * np.float64(targets)
    errors = {
        'mpjpe': metrics.mpjpe(pred, target),
        'pa_mpjpe': metrics.pa_mpjpe(pred, target),
        'n_mpjpe': metrics.n_mpjpe(pred, target),
        'mpjve': metrics.mpjve(pred, target, videos(labels), labels['frame']),
    }
    if np.isnan(errors['mpjve']).all():  # single images: no frame follows another
        del errors['mpjve']
    protocol = {
        **protocol,
        'samples': len(pred),
        'joints': pred.shape[1],
        'unit': 'mm (MPJVE: mm per frame, inside sequences only)',
        'averaging': 'mean_over_frames: plain mean over samples; '
        'mean_over_actions: mean over actions of each action mean, trials pooled',
    }
    return Result(errors, labels, np.asarray(predictions), np.asarray(targets), protocol)


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


def default_group(labels: Mapping[str, np.ndarray]) -> str:
    """The first of action, sequence, subject and camera that has more than one value."""
    return next((name for name in GROUPS if len(set(labels[name])) > 1), 'action')


def table(result: Result | DetectionResult, group: str | None = None) -> str:
    """Text table by `group` (default: `default_group`) with both averages named below it.

    A detector's is by joint.
    """
    if isinstance(result, DetectionResult):
        return detection_report.table(result)
    group = group or default_group(result.labels)
    names = list(result.errors)
    rows = [
        [label, row['samples'], *(row[name] for name in names)]
        for label, row in result.groups(group).items()
    ]
    samples = len(result.errors[names[0]])
    # one group's mean and the mean over the samples are the same number
    if len(rows) > 1:
        averages = result.mean_over_groups(group)
        rows.append(tabulate.SEPARATING_LINE)
        rows.append([f'mean of {group}s', samples, *(averages[name] for name in names)])
    rows.append(['mean of frames', samples, *(result.mean_over_frames[name] for name in names)])
    headers = [group, 'samples', *(TITLES.get(name, name) for name in names)]
    return tabulate.tabulate(
        [row if isinstance(row, str) else [_blank(cell) for cell in row] for row in rows],
        headers,
        floatfmt='.1f',
        missingval='-',
        disable_numparse=[0],
    )


def describe(protocol: Mapping[str, Any]) -> str:
    """The protocol as lines of 'name: value', with names aligned."""
    lines = [(name.replace('_', ' '), value) for name, value in protocol.items()]
    width = max(len(name) for name, _ in lines)
    return '\n'.join(f'{name:<{width}}  {_words(value)}' for name, value in lines)


def to_json(result: Result | DetectionResult) -> dict[str, Any]:
    """For `write_json`: protocol, both averages, and the groups of every label (or joint)."""
    if isinstance(result, DetectionResult):
        return detection_report.to_json(result)
    return {
        'protocol': dict(result.protocol),
        'mean_over_frames': result.mean_over_frames,
        'mean_over_actions': result.mean_over_actions,
        'groups': {name: result.groups(name) for name in GROUPS if name in result.labels},
    }


def write_json(path: str | os.PathLike, content: Mapping[str, Any]) -> pathlib.Path:
    """Writes `content` whole or not at all; numbers that are not finite become null."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    configuration.write_json(path, _plain(content))
    return path


def _mean(values: Any) -> float:
    """Mean of the values that are there (MPJVE has none at a sequence's start); NaN of none."""
    values = np.asarray(values, np.float64)
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else math.nan


def _blank(cell: Any) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ', '.join(f'{name} {_words(inner)}' for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return '; '.join(map(_words, value))
    if value is None or value == '':
        return '-'
    return {True: 'yes', False: 'no'}[value] if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """The same with NumPy values as Python's, and non-finite numbers as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

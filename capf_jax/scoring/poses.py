"""The result of evaluating 3D poses: the errors of every sample of a split, and their averages."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capf_jax.errors import UserError
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files
from capf_jax.scoring import prediction_files, protocols, tables
from capf_jax.scoring.evaluation import Scorer
from capf_jax.scoring.protocols import ERROR_2D_PX, METRICS, Protocol
from capf_jax.scoring.result import Result

MM = 1000.0  # millimetres in a metre: poses are kept in metres, errors are reported in mm


@dataclasses.dataclass(frozen=True, kw_only=True)
class PoseResult(Result):
    """Errors of N samples, each counted once.

    Attributes:
      errors: metric name -> [N] float64, in the metric's unit; NaN where it has no value.
      labels: 'subject', 'action', 'sequence', 'camera' -> [N] str, 'frame' -> [N] int.
      predictions: [N, J, 3] metres, camera frame, relative to the root.
      targets: [N, J, 3] the same of the ground truth.
      protocol: the rules that chose the errors and their averages.
      input_error_px: [N] mean over joints of the 2D input's distance from the true 2D joints,
        pixels of the whole image; None where it is not known.
    """

    errors: Mapping[str, Float[np.ndarray, ' N']]
    labels: Mapping[str, Shaped[np.ndarray, ' N']]
    predictions: Float[np.ndarray, 'N J 3']
    targets: Float[np.ndarray, 'N J 3']
    protocol: Protocol = protocols.PLAIN
    input_error_px: Float[np.ndarray, ' N'] | None = None

    @property
    def score(self) -> float:
        """The headline's MPJPE, mm."""
        return self.scores['mpjpe']

    @property
    def scores(self) -> dict[str, float]:
        """Metric name -> the average that the protocol's published figures are."""
        headline = self.protocol.headline
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

    def subset(self, chosen: Bool[np.ndarray, ' N']) -> dict[str, float]:
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

    def table(self, group: str | None = None, form: str = 'text') -> str:
        """Tables by `group` (default: as the protocol has them), both averages named below."""
        by = self.protocol.tables or ((default_group(self.labels),) * 2,)
        if group is not None:
            by = [(label, title) for label, title in by if label == group] or [(group, group)]
        return '\n\n'.join(_table(self, label, title, form) for label, title in by)

    def to_json(self) -> dict[str, Any]:
        """Conditions, averages, the groups of every label, and subsets."""
        return {
            'protocol': dict(self.conditions),
            'headline': self.scores,
            'mean_over_frames': self.mean_over_frames,
            'mean_over_actions': self.mean_over_actions,
            'groups': {name: self.groups(name) for name in tables.GROUPS if name in self.labels},
            'subsets': self.subsets,
        }

    def write_samples(self, stem: files.AnyPath) -> dict[str, files.AnyPath]:
        """Writes the predicted poses, in the format of prediction_files.py."""
        origin = {name: str(self.conditions[name]) for name in ('skeleton', 'dataset', 'split')}
        origin['pose_frame'] = str(self.conditions.get('frame', ''))
        path = stem.with_name(f'{stem.name}.npz')
        return {'predictions': prediction_files.save(path, self.predictions, self.labels, origin)}


def pose_result(
    predictions: Float[np.ndarray, 'N J 3'],
    targets: Float[np.ndarray, 'N J 3'],
    labels: Mapping[str, Shaped[np.ndarray, ' N']],
    conditions: Mapping[str, Any],
    *,
    protocol: Protocol = protocols.PLAIN,
    skeleton: Skeleton | None = None,
    input_error_px: Float[np.ndarray, ' N'] | None = None,
) -> PoseResult:
    """The errors of N predicted poses.

    Args:
      predictions, targets: [N, J, 3] metres, camera frame, relative to the root.
      labels: see `PoseResult`.
      conditions: what the numbers mean; what follows from the other arguments is added here.
      protocol: which errors, over which joints, averaged how.
      skeleton: the joint set; without it joints are not named in the report.
      input_error_px: see `PoseResult`.

    Raises:
      UserError: there is no sample, a prediction is not finite, or the protocol is for other
        joints.
      ValueError: shapes do not fit, or a video holds a frame twice.
    """
    if len(predictions) == 0:
        raise UserError('the split holds no sample to evaluate; choose another split')
    broken = np.flatnonzero(~np.isfinite(predictions).all(axis=(1, 2)))
    if broken.size:  # left out of a mean, such predictions would flatter it
        raise UserError(
            f'{broken.size} of {len(predictions)} predictions are not finite, the first is '
            f'sample {broken[0]}; evaluate an earlier checkpoint'
        )
    if skeleton is not None:
        protocol.check_skeleton(skeleton)
    in_mm = MM * np.asarray(predictions, np.float64)
    true_in_mm = MM * np.asarray(targets, np.float64)
    errors = protocol.errors(in_mm, true_in_mm, videos(labels), np.asarray(labels['frame']))
    conditions = {**conditions, 'samples': len(predictions), 'joints': predictions.shape[1]}
    if skeleton is not None:
        conditions |= protocol.describe(skeleton)
    if protocol.groups:
        number = len(np.unique(labels[protocol.headline]))
        conditions[f'{protocol.headline}s'] = f'{number} of {protocol.groups}'
    if input_error_px is not None:
        conditions['input_2d_error'] = (
            f'{np.mean(input_error_px):.2f} px, mean over joints and frames, whole-image pixels'
        )
    return PoseResult(
        errors=errors,
        labels=labels,
        predictions=np.asarray(predictions),
        targets=np.asarray(targets),
        conditions=conditions,
        protocol=protocol,
        input_error_px=input_error_px,
    )


def pose_scorer(protocol: Protocol, skeleton: Skeleton) -> Scorer[PoseResult]:
    """Scores predictions 'pose' [B, J, 3], metres, relative to the root, by a protocol."""

    def truth(batch: Batch) -> dict[str, Array]:
        return {'truth': batch.joints3d, 'input_error_px': input_error_px(batch)}

    def result(
        outputs: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray],
        conditions: Mapping[str, Any],
    ) -> PoseResult:
        return pose_result(
            outputs['pose'],
            outputs['truth'],
            labels,
            conditions,
            protocol=protocol,
            skeleton=skeleton,
            input_error_px=outputs['input_error_px'],
        )

    return Scorer(truth, result)


def input_error_px(batch: Batch) -> Float[Array, ' B']:
    """Mean over joints of the 2D input's distance from the truth, whole-image pixels. -> [B]."""
    truth = to_image(batch.joints2d_crop_truth, batch.affine)
    return jnp.linalg.norm(batch.joints2d - truth, axis=-1).mean(-1)


def videos(labels: Mapping[str, Shaped[np.ndarray, ' N']]) -> Int[np.ndarray, ' N']:
    """[N] int: one number for each video, a sequence of one subject seen by one camera."""
    ids = np.zeros(len(labels['frame']), np.int64)
    for name in ('subject', 'action', 'sequence', 'camera'):
        values, places = np.unique(labels[name], return_inverse=True)
        # The videos are numbered again for each label, so that the product never overflows.
        ids = np.unique(ids * len(values) + places, return_inverse=True)[1]
    return ids


def default_group(labels: Mapping[str, Shaped[np.ndarray, ' N']]) -> str:
    """The first of action, sequence, subject and camera that has more than one value."""
    return next((name for name in tables.GROUPS if len(set(labels[name])) > 1), 'action')


def _mean(values: Any) -> float:
    """Mean of the values that are there (MPJVE has none at a sequence's start); NaN of none."""
    values = np.asarray(values, np.float64)
    present = values[~np.isnan(values)]
    return float(present.mean()) if present.size else math.nan


def _table(result: PoseResult, group: str, title: str, form: str) -> str:
    """One table: the groups, both averages, and the subsets of frames."""
    names = list(result.errors)
    rows: list[Any] = [_row(label, row, names) for label, row in result.groups(group).items()]
    samples = len(result.targets)
    averages = []
    # The mean over one group and the mean over the samples are the same number.
    if len(rows) > 1:
        plural = f'{title[:-1]}ies' if title.endswith('y') else f'{title}s'
        mean = result.mean_over_groups(group)
        averages.append(_row(f'mean of {len(rows)} {plural}', {'samples': samples} | mean, names))
    whole = {'samples': samples} | result.mean_over_frames
    averages.append(_row('mean of frames', whole, names))
    subsets = [_row(name, row, names) for name, row in result.subsets.items() if row['samples']]
    if len(rows) > 1:
        rows.append(tables.SEPARATOR)
    rows += averages
    if subsets:
        rows += [tables.SEPARATOR, *subsets]
    return tables.grid(rows, [title, 'samples', *(METRICS[name].title for name in names)], form)


def _row(label: str, values: Mapping[str, float], names: Iterable[str]) -> list[Any]:
    return [label, values['samples'], *(values[name] for name in names)]

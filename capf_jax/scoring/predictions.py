"""Scores predicted poses of any program, read from a file: whose they are, and how large."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from capf_jax.errors import UserError
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files
from capf_jax.scoring import prediction_files
from capf_jax.scoring.evaluation import Split, evaluate_split, with_truth
from capf_jax.scoring.poses import PoseResult, pose_result, pose_scorer, videos
from capf_jax.scoring.prediction_files import Predictions, listed
from capf_jax.scoring.protocols import Protocol
from data_pipeline.records import LABELS


def score(
    path: str | os.PathLike,
    split: Split,
    protocol: Protocol,
    skeleton: Skeleton,
    conditions: Mapping[str, Any] | None = None,
) -> PoseResult:
    """Scores the predictions of a file on a split.

    Args:
      path: a file of the format of prediction_files.py.
      split: the samples that the file must have a pose for.
      protocol: which errors, averaged how.
      skeleton: the dataset's joints.
      conditions: what to add to the result's conditions.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: the file is not of the format, or does not fit the split.
    """
    return score_all([path], split, protocol, skeleton, conditions)[0]


def score_all(
    paths: Sequence[str | os.PathLike],
    split: Split,
    protocol: Protocol,
    skeleton: Skeleton,
    conditions: Mapping[str, Any] | None = None,
) -> list[PoseResult]:
    """As `score`, for several files: all are checked first, and the split is read once."""
    matched = [_matched(path, split, skeleton) for path in paths]
    scorer = pose_scorer(protocol, skeleton)

    def predict(batch: Batch) -> dict[str, np.ndarray]:
        predictions, rows, _ = matched[0]
        return {
            'pose': predictions.poses[rows[batch.index]],
            'valid': batch.valid,
            'index': batch.index,
        }

    results: list[PoseResult] = []
    for predictions, rows, extra in matched:
        theirs = ('joints2d', 'box_source', 'flip_test', 'ablation_step')
        words = {
            'predictor': f'poses of {predictions.path}',
            'matched_by': predictions.matched_by,
            'unused_predictions': extra or 'none',
            **dict.fromkeys(theirs, 'unknown, the predicting program decided'),
            **(conditions or {}),
        }
        if not results:
            result = evaluate_split(with_truth(predict, scorer), split, scorer, words)
        else:
            first = results[0]
            result = pose_result(
                predictions.poses[rows[first.labels['index']]],
                first.targets,
                first.labels,
                {**first.conditions, **words},
                protocol=protocol,
                skeleton=skeleton,
                input_error_px=first.input_error_px,
            )
        size = _check_size(predictions.path, result, skeleton)
        words = {**result.conditions, 'size_of_poses': size}
        results.append(dataclasses.replace(result, conditions=words))
    return results


def _matched(
    path: str | os.PathLike, split: Split, skeleton: Skeleton
) -> tuple[Predictions, Int[np.ndarray, ' N'], str]:
    """The predictions of a file, and what `match` gives; UserError where they misfit."""
    predictions = prediction_files.load(path, skeleton)
    _check_origin(predictions, split)
    return (predictions, *match(predictions, split.labels))


def _check_origin(predictions: Predictions, split: Split) -> None:
    """UserError where a file says that its poses are of another dataset, frame or split.

    Features of a dataset are the dataset's people, so that one stands for the other.
    """
    theirs, ours = predictions.dataset, str(split.conditions.get('dataset', ''))
    if theirs and ours and theirs != ours and not is_features_of(theirs, ours):
        raise UserError(
            f'{predictions.path} has poses of the dataset {theirs}, and the configuration names '
            f'{ours}; give the configuration that the poses were predicted with'
        )
    theirs, ours = predictions.pose_frame, str(split.conditions.get('frame', ''))
    if theirs and ours and theirs != ours:
        raise UserError(
            f'{predictions.path} has poses of the frame {theirs!r}, and the configuration names '
            f'{ours!r}; set config.model.frame to {theirs!r}'
        )
    theirs, ours = predictions.split, str(split.conditions.get('split', ''))
    by_position = 'index' in predictions.names
    # Labels find their samples in a part of a split as well, such as test[:500] of test.
    differ = theirs != ours if by_position else not _share_people(theirs, ours)
    if theirs and ours and differ:
        why = ', told apart by their position in it,' if by_position else ''
        rest = '' if by_position else ', or leave the split out of the file'
        raise UserError(
            f'{predictions.path} has poses of the split {theirs!r}{why} and not of {ours!r}; set '
            f'config.data.test_split to {theirs!r}{rest}'
        )


def _share_people(*splits: str) -> bool:
    """Whether two TFDS splits have a name in common, such as `test[:500]` and `train+test`."""
    one, other = ({part.partition('[')[0].strip() for part in split.split('+')} for split in splits)
    return bool(one & other) or 'all' in one | other


def is_features_of(one: str, other: str) -> bool:
    """Whether one is the dataset of features of the other, as their full names say."""
    features, source = sorted((one, other), key=lambda name: not name.startswith('features/'))
    made_of = '-'.join(source.split('/')[:2])  # 'synthetic/128x96-.../1.0.0' without the version
    return features.startswith(f'features/{made_of}-')


def match(
    predictions: Predictions, labels: Mapping[str, Shaped[np.ndarray, ' N']]
) -> tuple[Int[np.ndarray, ' N'], str]:
    """Which pose belongs to which sample.

    Args:
      predictions: M poses.
      labels: the five labels [N] of all samples of the split.

    Returns:
      (rows [N] int: the pose of each sample, words about poses that belong to no sample or '').

    Raises:
      UserError: a sample has no pose, or several; they are named.
    """
    number, names = len(labels['frame']), predictions.names
    if 'index' in names:
        samples, theirs = np.arange(number), names['index']
    else:
        both = {name: np.concatenate([labels[name], names[name]]) for name in LABELS}
        ids = np.unique(np.stack([videos(both), both['frame']]), axis=1, return_inverse=True)[1]
        samples, theirs = np.split(ids.ravel(), [number])
    values, first, counts = np.unique(theirs, return_index=True, return_counts=True)
    if np.any(counts > 1):
        twice = np.flatnonzero(counts > 1)
        one = 'sample' if len(twice) == 1 else 'samples'
        raise UserError(
            f'{predictions.path} has more than one pose for {len(twice)} {one}, the first is '
            f'{_sample(names, first[twice][0])}; give one for each'
        )
    places = np.minimum(np.searchsorted(values, samples), max(len(values) - 1, 0))
    there = values[places] == samples if len(values) else np.zeros(number, bool)
    extra = np.flatnonzero(~np.isin(theirs, samples))
    if not there.all():
        sample = np.flatnonzero(~there)[0]
        raise UserError(
            f'{predictions.path} has no pose for {np.sum(~there)} of {number} samples, the first '
            f'is sample {sample} ({_sample({n: labels[n] for n in LABELS}, sample)})'
            f'{_strangers(names, labels, extra)}; give one for each'
        )
    words = f'{len(extra)}, the first is {_sample(names, extra[0])}' if extra.size else ''
    return first[places], words


def _sample(names: Mapping[str, np.ndarray], row: int | np.integer) -> str:
    return ', '.join(f'{name} {values[row]}' for name, values in names.items())


def _strangers(
    names: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    extra: Int[np.ndarray, ' K'],
) -> str:
    """What the file has and the split lacks: another way of writing, or other frames.

    Args:
      names: what says which sample each of the file's poses belongs to.
      labels: of the samples of the split.
      extra: the rows of the file's poses that belong to no sample.
    """
    parts = []
    for name in LABELS[:-1]:
        unknown = sorted(set(names.get(name, ())) - set(labels[name]))
        if unknown:
            known = sorted(set(labels[name]))
            parts.append(f'{name} {listed(unknown)}, where the dataset has {listed(known)}')
    if extra.size and not parts:
        poses = 'a pose' if extra.size == 1 else f'{extra.size} poses'
        what = 'positions' if 'index' in names else 'frames'
        parts.append(
            f'{poses} of {what} that the split lacks, the first is {_sample(names, extra[0])}'
        )
    return f'; the file also has {" and ".join(parts)}' if parts else ''


def _check_size(path: files.AnyPath, result: PoseResult, skeleton: Skeleton) -> str:
    """How large the poses are beside the true ones, in words.

    Raises:
      UserError: the poses have another unit, or are not relative to the root.
    """

    def size(poses: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(poses, axis=-1).max(-1)))

    theirs, root = result.predictions, result.predictions[:, skeleton.root]
    target, away = size(result.targets), float(np.median(np.linalg.norm(root, axis=-1)))
    # Only a wrong unit makes poses large about their own root, wherever that lies. An untrained
    # network's may well be a tenth as large, and smaller about their root.
    ratio, about_root = size(theirs) / target, size(theirs - root[:, None]) / target
    if about_root > 8 or 0 < ratio < 1 / 80:
        also = (
            f', and their root joint ({skeleton.joints[skeleton.root]}) is not the origin; correct '
            'unit, and subtract the root joint from every pose'
        )
        raise UserError(
            f'the poses in {path} are {about_root:.2g} times as large as the true ones'
            f'{also if away > target * about_root else "; correct unit"}'
        )
    if away > target:
        raise UserError(
            f'the root joint ({skeleton.joints[skeleton.root]}) of the poses in {path} is '
            f'{away:.2f} m from the origin; subtract the root joint from every pose'
        )
    return f'{ratio:.2f} of the true ones (median)'

"""Predictions in a file: `evaluate` writes its own, and scores those of any other program.

The file is a NumPy archive (.npz, no pickles) for M samples in any order:

    poses     [M, J, 3] float, camera frame (x right, y down, z away), relative to the root joint
    unit      'm' or 'mm', the unit of `poses`
    subject, action, sequence, camera   [M] text, as in the dataset
    frame     [M] int, as in the dataset
    index     [M] int, the sample's position in the split; instead of the five labels above
    skeleton  the joint set of `poses`, such as 'h36m17'; may be missing, is checked where given

Labels are used where all five are there. Joints have the order of capf_jax/pose/skeletons.py.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files
from capf_jax.scoring import evaluation
from capf_jax.scoring.results import Result, videos
from data_pipeline import loader
from data_pipeline.records import LABELS

UNITS = {'m': 1.0, 'mm': 0.001}  # in metres
FORMAT = 'the docstring of capf_jax/scoring/predictions.py has the format'


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Poses of M samples, and which samples they are.

    Attributes:
      path: the file.
      poses: [M, J, 3] metres, camera frame, relative to the root.
      names: 'index' or the five labels -> [M].
    """

    path: pathlib.Path
    poses: np.ndarray
    names: Mapping[str, np.ndarray]

    @property
    def matched_by(self) -> str:
        """What says which sample a pose belongs to, in words."""
        return ', '.join(self.names)


def save(path: pathlib.Path, result: Result) -> pathlib.Path:
    """Writes a result's poses in the format above, whole or not at all; split and dataset too."""
    said = {name: str(result.protocol[name]) for name in ('skeleton', 'dataset', 'split')}
    poses = result.predictions.astype(np.float32)
    with files.whole(path) as temporary, temporary.open('wb') as file:
        np.savez_compressed(file, poses=poses, unit='m', **result.labels, **said)
    return path


def load(path: str | os.PathLike, skeleton: Skeleton) -> Predictions:
    """Reads a file of the format above.

    Args:
      path: the file.
      skeleton: the joints that the poses must have.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is not of the format; the message says what is wrong.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'there is no file {path} with predictions; correct --predictions')
    arrays = _read(path)
    poses = arrays.get('poses')
    if poses is None or 'unit' not in arrays:
        missing = ' and '.join(repr(name) for name in ('poses', 'unit') if name not in arrays)
        raise ValueError(f'{path} has no {missing}, only {_listed(arrays)}; {FORMAT}')
    if poses.ndim != 3 or poses.shape[1:] != (len(skeleton), 3) or poses.dtype.kind not in 'fiu':
        raise ValueError(
            f'poses in {path} are {poses.dtype} {list(poses.shape)}; '
            f'they must be numbers [M, {len(skeleton)}, 3], the joints of {skeleton.name!r}'
        )
    unit = str(arrays['unit'])
    if unit not in UNITS:
        raise ValueError(f"unit in {path} is {unit!r}; it must be 'm' or 'mm'")
    made_for = str(arrays.get('skeleton', skeleton.name))
    if made_for != skeleton.name:
        raise ValueError(
            f'{path} has the joints of {made_for!r}, the dataset those of {skeleton.name!r}; '
            'bring the poses into that order'
        )
    broken = np.flatnonzero(~np.isfinite(poses).all((1, 2)))
    if broken.size:
        raise ValueError(
            f'{len(broken)} of {len(poses)} poses in {path} hold NaN or infinity, the first is '
            f'pose {broken[0]}; give a number for every joint'
        )
    return Predictions(path, poses * UNITS[unit], _names(path, arrays, len(poses)))


def match(predictions: Predictions, labels: Mapping[str, np.ndarray]) -> tuple[np.ndarray, str]:
    """Which pose belongs to which sample.

    Args:
      predictions: M poses.
      labels: the five labels [N] of all samples of the split.

    Returns:
      (rows [N] int: the pose of each sample, words about poses that belong to no sample or '').

    Raises:
      ValueError: a sample has no pose, or several; they are named.
    """
    number, names = len(labels['frame']), predictions.names
    if 'index' in names:
        wanted, given = np.arange(number), names['index']
    else:
        both = {name: np.concatenate([labels[name], names[name]]) for name in LABELS}
        ids = np.unique(np.stack([videos(both), both['frame']]), axis=1, return_inverse=True)[1]
        wanted, given = np.split(ids.ravel(), [number])
    values, first, counts = np.unique(given, return_index=True, return_counts=True)
    if np.any(counts > 1):
        twice = np.flatnonzero(counts > 1)
        raise ValueError(
            f'{predictions.path} has more than one pose for {len(twice)} samples, the first is '
            f'{_sample(names, first[twice[0]])}; give one for each'
        )
    places = np.minimum(np.searchsorted(values, wanted), max(len(values) - 1, 0))
    there = values[places] == wanted if len(values) else np.zeros(number, bool)
    if not there.all():
        sample = np.flatnonzero(~there)[0]
        raise ValueError(
            f'{predictions.path} has no pose for {np.sum(~there)} of {number} samples, the first '
            f'is sample {sample} ({_sample({n: labels[n] for n in LABELS}, sample)})'
            f'{_strangers(names, labels)}; give one for each'
        )
    extra = np.flatnonzero(~np.isin(given, wanted))
    words = f'{len(extra)}, the first is {_sample(names, extra[0])}' if extra.size else ''
    return first[places], words


def score(
    path: str | os.PathLike,
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    *,
    protocol: Mapping[str, Any] | None = None,
) -> Result:
    """Scores the predictions of a file on `config.data.test_split`.

    Args:
      path: a file of the format above.
      builder: a built dataset.
      config: a whole configuration; its model is not looked at.
      protocol: what to add to the protocol.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is not of the format, or does not fit the split.
    """
    joint_set = skeletons.get(config.skeleton)
    predictions = load(path, joint_set)
    labels = dataclasses.asdict(loader.labels(builder, config.data.test_split))
    rows, extra = match(predictions, labels)

    def predict(batch: Batch) -> dict[str, np.ndarray]:
        return {
            'pose': predictions.poses[rows[batch.index]],
            'valid': batch.valid,
            'index': batch.index,
        }

    theirs = ('joints2d', 'box_source', 'flip_test', 'ablation_step')
    unknown = dict.fromkeys(theirs, 'unknown, the predicting program decided')
    said = {
        'predictor': f'poses of {predictions.path}',
        'matched_by': predictions.matched_by,
        'unused_predictions': extra or 'none',
        **unknown,
        **(protocol or {}),
    }
    result = evaluation.evaluate_split(predict, builder, config, protocol=said)
    size = _check_size(predictions.path, result, joint_set)
    return dataclasses.replace(result, protocol={**result.protocol, 'size_of_poses': size})


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All arrays of an archive; ValueError where it is none, or holds Python objects."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (
        ValueError, AttributeError, TypeError, EOFError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise ValueError(
            f'{path} is no NumPy archive of plain arrays ({" ".join(str(error).split())}); '
            'write it with numpy.savez, text as arrays of str'
        ) from error


def _names(path: pathlib.Path, arrays: Mapping[str, np.ndarray], number: int) -> dict:
    """The five labels or 'index', [M] each; ValueError where neither is there or they misfit."""
    chosen = LABELS if all(name in arrays for name in LABELS) else ('index',)
    if any(name not in arrays for name in chosen):
        raise ValueError(
            f'{path} does not say which samples its poses belong to: it has neither index nor all '
            f'of {", ".join(LABELS)}, only {_listed(arrays)}; {FORMAT}'
        )
    for name in chosen:
        if arrays[name].shape != (number,):
            raise ValueError(
                f'{name} in {path} has the shape {list(arrays[name].shape)}; '
                f'it must name each of the {number} poses'
            )
        if name in ('index', 'frame') and arrays[name].dtype.kind not in 'iu':
            raise ValueError(f'{name} in {path} is {arrays[name].dtype}; it must be whole numbers')
    whole = {name: arrays[name].astype(np.int64) for name in chosen if name in ('index', 'frame')}
    return {name: whole.get(name, arrays[name].astype(str)) for name in chosen}


def _sample(names: Mapping[str, np.ndarray], row: int) -> str:
    return ', '.join(f'{name} {values[row]}' for name, values in names.items())


def _strangers(names: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> str:
    """Label values of the file that the dataset does not have: often another way of writing."""
    found = []
    for name in LABELS[:-1]:
        unknown = sorted(set(names.get(name, ())) - set(labels[name]))
        if unknown:
            known = sorted(set(labels[name]))
            found.append(f'{name} {_listed(unknown)}, where the dataset has {_listed(known)}')
    return f'; the file also has {" and ".join(found)}' if found else ''


def _listed(values: Any, most: int = 8) -> str:
    values = list(values)
    more = f' and {len(values) - most} more' if len(values) > most else ''
    return (', '.join(map(str, values[:most])) or 'nothing') + more


def _check_size(path: pathlib.Path, result: Result, skeleton: Skeleton) -> str:
    """How large the poses are beside the true ones, in words.

    Raises:
      ValueError: the poses have another unit, or are not relative to the root.
    """

    def size(poses: np.ndarray) -> float:
        return float(np.median(np.linalg.norm(poses, axis=-1).max(-1)))

    root = result.predictions[:, skeleton.root]
    target, away = size(result.targets), float(np.median(np.linalg.norm(root, axis=-1)))
    if away > target:
        raise ValueError(
            f'the root joint ({skeleton.joints[skeleton.root]}) of the poses in {path} is '
            f'{away:.2f} m from the origin; subtract the root joint from every pose'
        )
    ratio = size(result.predictions) / target
    if ratio > 8 or 0 < ratio < 1 / 80:  # an untrained network's may well be a tenth
        raise ValueError(
            f'the poses in {path} are {ratio:.2g} times as large as the true ones; correct unit'
        )
    return f'{ratio:.2f} of the true ones (median)'

"""The pictures of a run: which test people, and how their crops and sampling points are found."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.figures import people
from capf_jax.inference import model_settings
from capf_jax.pose import skeletons
from capf_jax.runtime import devices, logs
from capf_jax.scoring.report import TITLES, Result
from capf_jax.tasks import frozen_detector
from data_pipeline.reader import Reader


def write(
    result: Result,
    state: Any,
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    folder: pathlib.Path,
    log: pathlib.Path | None = None,
) -> list[pathlib.Path]:
    """Draws test people at even quantiles of the error, sampling points and error curves.

    Args:
      result: of the test split, in whole or with skipped images.
      state: the TrainState that was evaluated.
      builder: the dataset; `config.data.test_split` is the split of the result.
      config: `evaluation.pictures` is the number of people; 0 draws nobody.
      folder: where the pictures go; made if need be.
      log: the run's JSON lines.

    Returns:
      The paths written.
    """
    written = []
    number = config.evaluation.pictures
    if number:
        joint_set = skeletons.get(config.skeleton)
        chosen, percentiles = people.representative(result.errors['mpjpe'], number)
        positions = result.labels['index'][chosen]
        reader = Reader(builder, config.data.test_split, joint_set, joints2d=config.data.joints2d)
        batch, _ = reader.batch(positions)
        drawn = [
            people.Person(
                batch.images[row],
                batch.joints2d_crop[row],
                result.targets[sample],
                result.predictions[sample],
                str(result.labels['action'][sample]),
            )
            for row, sample in enumerate(chosen)
        ]
        caption = (
            f'Test people at the {people.ordinals(percentiles)} percentile of MPJPE, '
            f'{len(result.predictions)} samples; side views: camera at the left.'
        )
        figure = people.people_figure(drawn, joint_set, caption)
        written.append(people.save(figure, folder / 'people.png'))

        lifter = config.model.lifter
        if lifter.ablation_step >= 3 and lifter.deformable:
            middle = len(chosen) // 2
            one = type(batch)(*(array[middle : middle + 1] for array in batch))
            points, weights = sampling_points(state, one, config)
            entry = model_settings.detector_entry(config.model)
            levels = lifter.levels or entry.levels
            figure = people.sampling_figure(
                one.images[0],
                one.joints2d_crop[0],
                points,
                weights,
                joint_set,
                level_names=[f'map at stride {entry.strides[level]}' for level in levels],
            )
            written.append(people.save(figure, folder / 'sampling_points.png'))
    lines = logs.entries(log) if log else []
    if any(line['part'] == 'test' for line in lines):
        written.append(people.save(error_curves(lines), folder / 'error_curves.png'))
    return written


def sampling_points(state: Any, batch: Any, config: ConfigDict) -> tuple[np.ndarray, np.ndarray]:
    """Points [L, J, M, K, 2] and weights [L, J, M, K] of the last deformable block, one person."""
    model = model_settings.context_aware_pose_former(config.model, skeletons.get(config.skeleton))
    state = devices.to_host(frozen_detector.for_use(state))
    variables = {'detector': state.frozen, 'lifter': {'params': state.params}}

    @jax.jit
    def look(variables: Any, batch: Any) -> tuple[jax.Array, jax.Array]:
        _, seen = model.apply(variables, batch)
        return seen['sampling_points'][-1][0], seen['attention_weights'][-1][0]

    points, weights = look(variables, batch)
    return np.asarray(points), np.asarray(weights)


def error_curves(lines: list[dict[str, Any]]) -> Any:
    """Figure of a run's training loss and test errors from the objects of its log."""
    train = [line for line in lines if line['part'] == 'train' and 'loss' in line]
    test = [line for line in lines if line['part'] == 'test']
    training = {
        'step': np.array([line['step'] for line in train]),
        'value': 1000 * np.array([line['loss'] for line in train]),
    }
    evaluation = {
        title: {
            'step': np.array([line['step'] for line in test if name in line]),
            'value': np.array([line[name] for line in test if name in line]),
        }
        for name, title in TITLES.items()
        if name in ('mpjpe', 'pa_mpjpe') and any(name in line for line in test)
    }
    return people.curves_figure(training, evaluation)

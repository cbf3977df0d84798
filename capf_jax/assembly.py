"""From a whole configuration to the parts that it describes; only commands import this module."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.errors import UserError, unknown
from capf_jax.inference import model_settings
from capf_jax.models.published_sizes import ca_pf_name
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS, Batch
from capf_jax.runtime import configuration, processes, value_checks
from capf_jax.scoring import protocols
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.protocols import Protocol
from capf_jax.tasks.detector import detector_task
from capf_jax.tasks.lifter import lifter_task
from capf_jax.tasks.optimizer import make_optimizer
from capf_jax.tasks.task import Task, with_precision
from data_pipeline import datasets, loader
from data_pipeline.reader import Reader


def problems(config: ConfigDict) -> list[str]:
    """What is wrong with a configuration beside its numbers, which `value_checks` knows.

    Neither files nor devices are asked.

    Returns:
      Clauses, each of which names its field.
    """
    clauses = list(datasets.problems(config.data))
    questions = [lambda: protocol(config)]
    # Modules are made of the numbers, which therefore must be right.
    if not value_checks.problems(configuration.flatten(config.to_dict())):
        questions += [lambda: _check_levels(config), lambda: make_task(config)]
    for question in questions:
        try:
            question()
        except UserError as error:
            if str(error) not in clauses:
                clauses.append(str(error))
    return clauses


def _check_levels(config: ConfigDict) -> None:
    """UserError where the lifter asks for more feature maps than its detector has."""
    maps, levels = (
        len(model_settings.detector_entry(config.model).strides),
        config.model.lifter.levels,
    )
    if config.model.lifter.ablation_step > 0 and max(levels, default=0) >= maps:
        raise UserError(
            f'config.model.lifter.levels is {tuple(levels)}, but the detector '
            f'{config.model.detector!r} gives {maps} maps; use levels 0 to {maps - 1}'
        )


def make_task(config: ConfigDict, steps_per_epoch: int = 1) -> Task:
    """The task that `config.task` names.

    Args:
      config: a whole configuration.
      steps_per_epoch: steps after which the learning rate decays.

    Raises:
      UserError: there is no such task, or the configuration does not describe its models.
    """
    if config.task not in TASKS:
        raise unknown('config.task', config.task, TASKS)
    task = TASKS[config.task](config, steps_per_epoch)
    return with_precision(
        task, training=config.training.precision, evaluation=config.evaluation.precision
    )


def _lifter(config: ConfigDict, steps_per_epoch: int) -> Task:
    model, joint_set = config.model, skeletons.get(config.skeleton)
    return lifter_task(
        model_settings.context_aware_pose_former(model, joint_set, jnp.dtype(config.dtype)),
        make_optimizer(config.training, steps_per_epoch),
        joint_set,
        flip_probability=config.training.flip_probability,
        flip_test=bool(config.evaluation.flip_test),
        protocol=protocol(config),
        detector_file=model.detector_weights,
        detector_joints=model_settings.detector_joints(model, joint_set).name,
        joints2d=config.data.joints2d,
        weight_name=ca_pf_name(model.detector, config.skeleton, model.lifter.to_dict()),
    )


def _detector(config: ConfigDict, steps_per_epoch: int) -> Task:
    entry, joint_set = model_settings.detector_entry(config.model), skeletons.get(config.skeleton)
    return detector_task(
        entry.build(len(joint_set), axis_name=AXIS, dtype=jnp.dtype(config.dtype)),
        entry,
        make_optimizer(config.training, steps_per_epoch),
        joint_set,
        config.detection,
        flip_probability=config.training.flip_probability,
        detector_file=config.model.detector_weights,
    )


TASKS: dict[str, Callable[[ConfigDict, int], Task]] = {'lifter': _lifter, 'detector': _detector}


def protocol(config: ConfigDict) -> Protocol:
    """The protocol that poses are scored by.

    Raises:
      UserError: there is no such protocol, or it is for other joints than the configuration's.
    """
    rules = protocols.get(config.evaluation.protocol)
    rules.check_skeleton(skeletons.get(config.skeleton))
    return rules


def open_split(
    builder: tfds.core.DatasetBuilder, config: ConfigDict, name: str | None = None
) -> Split:
    """A split of a built dataset, to evaluate on.

    Args:
      builder: a built dataset.
      config: a whole configuration.
      name: a TFDS split; config.data.test_split if it is None.

    Raises:
      UserError: the split is missing or empty, or cannot be read as the configuration says.
    """
    split = str(name or config.data.test_split)
    reader = Reader(
        builder,
        split,
        skeletons.get(config.skeleton),
        joints2d=config.data.joints2d,
        bad_image=config.data.bad_image,
    )

    def batches() -> loader.Batches:
        return loader.evaluation_batches(
            builder,
            config,
            split=split,
            process_index=processes.process_index(),
            process_count=processes.process_count(),
        )

    def read(positions: np.ndarray) -> Batch:
        return reader.batch(positions)[0]

    metadata = dict((builder.info.metadata or {}).items())
    conditions = {
        'split': split,
        'dataset': builder.info.full_name,
        'skeleton': config.skeleton,
        'box_source': metadata.get('box_source', f'as the builder {builder.name} crops'),
    }
    labels = dataclasses.asdict(loader.labels(builder, split))
    return Split(labels, batches, read, conditions)

"""From a whole configuration to the task that it describes; only commands import this module."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from ml_collections import ConfigDict

from capf_jax.errors import UserError, unknown
from capf_jax.inference import model_settings, start_weights
from capf_jax.models import second_reading
from capf_jax.models.detectors.catalog import DetectorEntry
from capf_jax.models.published_sizes import ca_pf_name
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS
from capf_jax.runtime import configuration, value_checks
from capf_jax.scoring import protocols
from capf_jax.scoring.protocols import Protocol
from capf_jax.tasks.classifier import classifier_task
from capf_jax.tasks.detector import detector_task
from capf_jax.tasks.joint_noise import JointNoise
from capf_jax.tasks.lifter import lifter_task
from capf_jax.tasks.optimizer import make_optimizer
from capf_jax.tasks.sequence import Learning, Window, ca_pf_s_task, poseformer_task
from capf_jax.tasks.task import Task, with_precision
from data_pipeline import datasets


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
        questions += [lambda: _check_pictures(config)]
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


def _check_pictures(config: ConfigDict) -> None:
    """UserError where a detector gets no pictures; sequence lifters have a check of their own."""
    if config.data.get('pictures', True) or config.data.features:
        return
    joint_set = skeletons.get(config.skeleton)
    needs = config.task in OF_PICTURES or (
        config.task == 'lifter'
        and model_settings.context_aware_pose_former(config.model, joint_set).detector is not None
    )
    if needs:
        raise UserError(
            'config.data.pictures is False, but a detector has to see pictures: set it to True, or '
            'config.model.lifter.ablation_step to 0, which learns from coordinates alone'
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
    builder = config.data.builder
    if 'height' in builder and 'width' in builder:
        model_settings.check_crop(model, builder.height, builder.width)
    axis = AXIS if config.training.detector_statistics == 'batch' else None
    return lifter_task(
        model_settings.context_aware_pose_former(model, joint_set, jnp.dtype(config.dtype), axis),
        make_optimizer(config.training, steps_per_epoch),
        joint_set,
        flip_probability=config.training.flip_probability,
        flip_test=bool(config.evaluation.flip_test),
        protocol=protocol(config),
        detector_file=model.detector_weights,
        detector_joints=model_settings.detector_joints(model, joint_set).name,
        start_file=config.training.start,
        start_part=config.training.start_part,
        target_unit=config.training.target_unit,
        joints2d=config.data.joints2d,
        joint_noise=_joint_noise(config),
        weight_name=ca_pf_name(model.detector, config.skeleton, model.lifter.to_dict()),
        accumulate=_accumulate(config),
    )


def _joint_noise(config: ConfigDict) -> JointNoise | None:
    """What disturbs the 2D joints that a robust lifter trains on; None for other lifters."""
    if second_reading.NOISE not in config.model.lifter.robust:
        return None
    return JointNoise(config.training.joint_noise, config.training.joint_swap)


def _accumulate(config: ConfigDict) -> int:
    """`config.training.accumulate`; UserError where the parts of a batch would not add up to it."""
    training = config.training
    if training.accumulate > 1 and (
        config.task in OF_PICTURES or training.detector_statistics == 'batch'
    ):
        raise UserError(
            f'config.training.accumulate is {training.accumulate}, and a detector whose BatchNorms '
            'take the statistics of a batch needs the whole of it at once: set it to 1'
        )
    return training.accumulate


def _detector(config: ConfigDict, steps_per_epoch: int) -> Task:
    _accumulate(config)
    entry, joint_set = model_settings.detector_entry(config.model), skeletons.get(config.skeleton)
    task = detector_task(
        entry.build(len(joint_set), axis_name=AXIS, dtype=jnp.dtype(config.dtype)),
        entry,
        make_optimizer(config.training, steps_per_epoch),
        joint_set,
        config.detection,
        flip_probability=config.training.flip_probability,
        detector_file=config.model.detector_weights,
        start_file=config.training.start,
    )
    _check_crop_of(entry, config)
    return task


def _classifier(config: ConfigDict, steps_per_epoch: int) -> Task:
    _accumulate(config)
    entry, joint_set = model_settings.detector_entry(config.model), skeletons.get(config.skeleton)
    if entry.heatmaps is not None:
        entry = model_settings.without_head(entry)
    _check_crop_of(entry, config)
    return classifier_task(
        entry.build(len(joint_set), axis_name=AXIS, dtype=jnp.dtype(config.dtype)),
        entry,
        make_optimizer(config.training, steps_per_epoch),
        joint_set,
        tuple(config.data.classes),
        config.detection,
        flip_probability=config.training.flip_probability,
        detector_file=config.model.detector_weights,
        start_file=config.training.start,
    )


def _check_crop_of(entry: DetectorEntry, config: ConfigDict) -> None:
    """UserError where the dataset's crops are of another size than a detector that learns takes."""
    builder = config.data.builder
    if 'height' in builder and 'width' in builder:
        model_settings.check_crop_of(entry, builder.height, builder.width)


def _sequence(config: ConfigDict, steps_per_epoch: int) -> Task:
    model, joint_set, data = config.model, skeletons.get(config.skeleton), config.data
    learning = Learning(
        optimizer=make_optimizer(config.training, steps_per_epoch),
        joint_set=joint_set,
        window=Window(data.frames, data.frame_step, bool(data.causal)),
        flip_probability=config.training.flip_probability,
        flip_test=bool(config.evaluation.flip_test),
        protocol=protocol(config),
        start_file=config.training.start,
        target_unit=config.training.target_unit,
        joints2d=data.joints2d,
        joint_noise=_joint_noise(config),
        accumulate=_accumulate(config),
    )
    dtype = jnp.dtype(config.dtype)
    if model.sequence_lifter == 'poseformer':
        if model.frame != 'camera' or model.joints2d != 'dataset':
            raise UserError(
                "PoseFormer lifts the dataset's 2D joints to poses of the camera's frame: set "
                "config.model.joints2d to 'dataset' and config.model.frame to 'camera'"
            )
        if {*model.lifter.robust} - {second_reading.NOISE}:
            raise UserError(
                f'config.model.lifter.robust is {tuple(model.lifter.robust)}, and PoseFormer sees '
                "no picture in which a detector could look again: set it to () or to ('noise',)"
            )
        network = model_settings.poseformer(model, joint_set, data.frames, dtype)
        return poseformer_task(network, learning)
    if 'height' in data.builder and 'width' in data.builder:
        model_settings.check_crop(model, data.builder.height, data.builder.width)
    axis = AXIS if config.training.detector_statistics == 'batch' else None
    whole = model_settings.context_aware_pose_former(model, joint_set, dtype, axis, data.frames)
    if whole.detector is not None and not (data.pictures or data.features):
        raise UserError(
            'config.data.pictures is False, but the lifter needs the maps of '
            f'{model.detector!r}: set it to True, or config.model.lifter.ablation_step to 0'
        )
    return ca_pf_s_task(
        whole,
        learning,
        detector_file=model.detector_weights,
        detector_joints=model_settings.detector_joints(model, joint_set).name,
        projection_file=model.projection_weights,
        start_part=config.training.start_part,
    )


def with_head_of_start(config: ConfigDict, stored: ConfigDict | None = None) -> ConfigDict:
    """The configuration without the detector's heatmap head where the start file has none.

    Args:
      config: a whole configuration.
      stored: that of a run that goes on, which decides alone: the start file may be gone.

    Raises:
      FileNotFoundError: there is no start file.
      UserError: it is no weight file of ours.
    """
    training, head = config.training, True
    if config.task not in ON_A_DETECTOR or not training.start:
        return config
    if stored is not None:
        head = bool(stored.model.get('detector_head', True))
    elif training.start_part != 'lifter':
        head = start_weights.keeps_head(config, start_weights.read(training.start))
    config = config.copy_and_resolve_references()
    config.model.detector_head = config.model.detector_head and head
    return config


TASKS: dict[str, Callable[[ConfigDict, int], Task]] = {
    'lifter': _lifter,
    'detector': _detector,
    'classifier': _classifier,
    'sequence': _sequence,
}
OF_PICTURES = ('detector', 'classifier')  # tasks in which a detector's network learns
WINDOWED = ('sequence',)  # tasks whose data are windows of frames
ON_A_DETECTOR = ('lifter', 'sequence')  # tasks that learn on a frozen detector


def protocol(config: ConfigDict) -> Protocol:
    """The protocol that poses are scored by.

    Raises:
      UserError: there is no such protocol, or it is for other joints than the configuration's.
    """
    rules = protocols.get(config.evaluation.protocol)
    rules.check_skeleton(skeletons.get(config.skeleton))
    return rules

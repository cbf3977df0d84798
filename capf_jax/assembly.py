"""From a whole configuration to the parts that it describes; only commands import this module."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.errors import UserError, unknown
from capf_jax.inference import model_settings, start_weights
from capf_jax.models import second_reading
from capf_jax.models.published_sizes import ca_pf_name
from capf_jax.pose import joint_conversions, skeletons
from capf_jax.pose.batch import AXIS, Batch
from capf_jax.runtime import configuration, files, processes, value_checks
from capf_jax.scoring import protocols
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.protocols import Protocol
from capf_jax.tasks.detector import detector_task
from capf_jax.tasks.joint_noise import JointNoise
from capf_jax.tasks.lifter import lifter_task
from capf_jax.tasks.optimizer import make_optimizer
from capf_jax.tasks.sequence import Learning, Window, ca_pf_s_task, poseformer_task
from capf_jax.tasks.task import Task, with_precision
from data_pipeline import datasets, features, loader
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
    needs = config.task == 'detector' or (
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
        config.task == 'detector' or training.detector_statistics == 'batch'
    ):
        raise UserError(
            f'config.training.accumulate is {training.accumulate}, and a detector whose BatchNorms '
            'take the statistics of a batch needs the whole of it at once: set it to 1'
        )
    return training.accumulate


def _detector(config: ConfigDict, steps_per_epoch: int) -> Task:
    _accumulate(config)
    entry, joint_set = model_settings.detector_entry(config.model), skeletons.get(config.skeleton)
    return detector_task(
        entry.build(len(joint_set), axis_name=AXIS, dtype=jnp.dtype(config.dtype)),
        entry,
        make_optimizer(config.training, steps_per_epoch),
        joint_set,
        config.detection,
        flip_probability=config.training.flip_probability,
        detector_file=config.model.detector_weights,
        start_file=config.training.start,
    )


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


def open_data(config: ConfigDict, build: bool) -> tfds.core.DatasetBuilder:
    """The dataset that a configuration trains on: `config.data`, or features made of it in advance.

    Args:
      config: a whole configuration.
      build: build a dataset that is missing; features have a command of their own.

    Raises:
      UserError: the configuration cannot train on features, or describes no dataset.
      FileNotFoundError: the dataset or the features are missing.
      StateError: they are there and not whole.
    """
    if not config.data.features:
        return datasets.open_or_build(config.data, build=build)
    settings = features_settings(config)
    return features.open_features(datasets.describe(config.data), settings)


def features_settings(config: ConfigDict) -> features.Settings:
    """What the features of a configuration are made with.

    Raises:
      UserError: the configuration's lifter needs more than features, or its detector has no
        weights.
      FileNotFoundError: there is no weight file of the detector.
    """
    model, joint_set = config.model, skeletons.get(config.skeleton)
    if not make_task(config).takes_features:
        raise UserError(
            'features made in advance are for lifters with context; what config.task '
            f'{config.task!r} and config.model describe is none: set config.data.features to False'
        )
    frames = config.data.frames if config.task in WINDOWED else None
    whole = model_settings.context_aware_pose_former(model, joint_set, frames=frames)
    if config.data.features and whole.lifter.runs_deformable:
        raise UserError(
            'config.data.features gives what the maps show at the joints, and the deformable '
            'extraction of config.model.lifter.ablation_step 3 looks around them: set the step to '
            '2 or less, or deformable to False, or config.data.features to False'
        )
    if whole.reading is not None:
        raise UserError(
            'features made in advance hold no heatmaps, and config.model.lifter.robust looks at '
            "them: set it to () or to ('noise',), or config.data.features to False"
        )
    if whole.detector_joints:
        raise UserError(
            'features made in advance hold one set of 2D joints: set config.model.joints2d to '
            "'detector' instead of config.model.lifter.detector_joints, or config.data.features "
            'to False'
        )
    training = config.training
    if config.data.features and training.detector_statistics == 'batch':
        raise UserError(
            "config.training.detector_statistics is 'batch', and features made in advance are of a "
            "detector that never changes: set it to 'frozen', or config.data.features to False"
        )
    if config.data.features and training.start and training.start_part != 'lifter':
        raise UserError(
            'features made in advance are of config.model.detector_weights, and '
            f'config.training.start_part is {training.start_part!r}, which may bring another '
            "detector: set it to 'lifter', or config.data.features to False"
        )
    if not model.detector_weights:
        raise UserError(
            'features are made of a detector with weights: set config.model.detector_weights to '
            'its file'
        )
    path = files.user_path(model.detector_weights)
    if not path.is_file():
        raise FileNotFoundError(
            f'no weight file at {path.resolve()}: make it, or mend config.model.detector_weights'
        )
    if whole.conversion is not None:
        joints2d = f'{whole.conversion.source}_{whole.conversion.rule}'
        numbers = whole.conversion.weights.tobytes()
        if whole.other_conversions:
            _check_splits_differ(config)
            joints2d += f'_{whole.other_conversions:g}others'
            others = joint_conversions.published(whole.conversion)
            numbers += b''.join(rule.weights.tobytes() for rule in others)
    else:
        joints2d, numbers = config.data.joints2d, b''
    source = datasets.describe(config.data)
    source_config = source.builder_config
    assert source_config is not None  # all our datasets have one
    parts = [path.read_bytes(), numbers, config.dtype.encode()]
    if whole.projection is not None:
        parts.append(_projection_bytes(config))
    parts += [repr(model.get(name)).encode() for name in ('hrnet', 'detector_skeleton')]
    digest = hashlib.sha256(b'|'.join(parts)).hexdigest()[:8]
    name = '-'.join([source.name, source_config.name, whole.entry.name, joints2d, digest])
    return features.Settings(
        name=name,
        detector=whole.entry.name,
        joints2d=joints2d,
        joints=len(joint_set),
        channels=sum(whole.context_channels),
    )


def _check_splits_differ(config: ConfigDict) -> None:
    """UserError where the people to test on would get the joints of those to learn from."""
    train, test = (
        str(split).partition('[')[0] for split in (config.data.train_split, config.data.test_split)
    )
    if train == test:
        raise UserError(
            'config.model.other_conversions changes the joints of config.data.train_split, and '
            f'features of {train!r} are those to test on too: choose splits of different names, '
            'set other_conversions to 0, or config.data.features to False'
        )


def _projection_bytes(config: ConfigDict) -> bytes:
    """The file of the projection through which features go.

    Raises:
      UserError: the configuration names none.
      FileNotFoundError: it is missing.
    """
    name = config.model.projection_weights
    if not name:
        raise UserError(
            'features are projected by a network with weights: set config.model.projection_weights '
            'to the file of a single-frame lifter, or config.model.projection_channels to 0'
        )
    path = files.user_path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f'no weight file at {path.resolve()}: train it, or mend config.model.projection_weights'
        )
    return path.read_bytes() + str(config.model.projection_channels).encode()


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
    'sequence': _sequence,
}
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
    reader = loader.open_reader(builder, config, split)

    def batches() -> loader.Batches:
        return loader.evaluation_batches(
            builder,
            config,
            split=split,
            process_index=processes.process_index(),
            process_count=processes.process_count(),
        )

    def read(positions: np.ndarray) -> Batch:
        batch = reader.batch(positions)[0]
        pictures = _pictures(builder, config, split)
        if pictures is None:
            return batch
        return batch._replace(images=pictures.batch(positions)[0].images)

    metadata = dict((builder.info.metadata or {}).items())
    conditions = {
        'split': split,
        'dataset': builder.info.full_name,
        'skeleton': config.skeleton,
        'frame': config.model.frame,  # of the poses
        'box_source': metadata.get('box_source', f'as the builder {builder.name} crops'),
    }
    labels = dataclasses.asdict(loader.labels(builder, split))
    return Split(labels, batches, read, conditions)


def _pictures(builder: tfds.core.DatasetBuilder, config: ConfigDict, split: str) -> Reader | None:
    """What reads pictures that batches lack; None where they have them, or none are at hand.

    Positions of features are those of the source where no picture was skipped.
    """
    if not isinstance(builder, features.Builder):
        has_pictures = config.data.pictures
        return None if has_pictures else Reader(builder, split, skeletons.get(config.skeleton))
    if not builder.source.data_path.exists():
        return None
    pictures = Reader(builder.source, split, skeletons.get(config.skeleton))
    is_same = len(pictures) == len(Reader(builder, split, skeletons.get(config.skeleton)))
    return pictures if is_same else None

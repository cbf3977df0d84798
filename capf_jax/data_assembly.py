"""From a whole configuration to the data that it describes; only commands import this module."""

from __future__ import annotations

import dataclasses
import hashlib
import sys

import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.inference import model_settings
from capf_jax.models import second_reading
from capf_jax.models.detectors import catalog
from capf_jax.pose import joint_conversions, skeletons
from capf_jax.pose.batch import Batch
from capf_jax.runtime import files, processes
from capf_jax.scoring.evaluation import Split
from data_pipeline import datasets, features, loader, local_copies
from data_pipeline.reader import Reader


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
    if not assembly.make_task(config).takes_features:
        raise UserError(
            'features made in advance are for lifters with context; what config.task '
            f'{config.task!r} and config.model describe is none: set config.data.features to False'
        )
    frames = config.data.frames if config.task in assembly.WINDOWED else None
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
            'them: set it to (), or config.data.features to False'
        )
    if config.data.features and second_reading.NOISE in model.lifter.robust:
        raise UserError(
            'features made in advance are what the maps show at the joints, and the noise of '
            'config.model.lifter.robust would move the joints away from there: set it to (), or '
            'config.data.features to False'
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
            f'no weight file at {files.absolute(path)}: make it, or mend '
            'config.model.detector_weights'
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
    sections = {'hrnet': None, 'detector_skeleton': None}
    if model.detector in catalog.OWN_SIZES:
        sections.setdefault(model.detector)
    parts += [repr(model.get(name)).encode() for name in sections]
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
            f'no weight file at {files.absolute(path)}: train it, or mend '
            'config.model.projection_weights'
        )
    return path.read_bytes() + str(config.model.projection_channels).encode()


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


def tell_repetitions(builder: tfds.core.DatasetBuilder, config: ConfigDict, *splits: str) -> None:
    """Prints how many windows of these splits repeat frames, since videos end or have gaps.

    Lifters of single frames have no windows, and nothing is printed.

    Raises:
      UserError: as `open_split`.
    """
    if config.task not in assembly.WINDOWED or not processes.is_main_process():
        return
    for split in dict.fromkeys(splits):
        words = loader.repetitions(builder, config, split)
        if words:
            print(words, file=sys.stderr, flush=True)


def _pictures(builder: tfds.core.DatasetBuilder, config: ConfigDict, split: str) -> Reader | None:
    """What reads pictures that batches lack; None where they have them, or none are at hand.

    Positions of features are those of the source where no picture was skipped.
    """
    if not isinstance(builder, features.Builder):
        has_pictures = config.data.pictures
        return None if has_pictures else Reader(builder, split, skeletons.get(config.skeleton))
    # Those of a store are not copied for a few pictures.
    if not builder.source.data_path.exists() or local_copies.lacking(builder.source, split):
        return None
    pictures = Reader(builder.source, split, skeletons.get(config.skeleton))
    is_same = len(pictures) == len(Reader(builder, split, skeletons.get(config.skeleton)))
    return pictures if is_same else None

"""Runs the frozen detector once over a dataset, so that lifters train without it.

    python -m capf_jax.features --config=configs/photographs.py
    python -m capf_jax.train --config=configs/photographs.py:features=true --workdir=runs/photos

What the detector's maps show at the 2D joints of each person, plain and mirrored, goes into a
dataset of its own beside the source, which is built first if it is missing. Its size and the time
are told before it begins. The same command again goes on where it stopped. Lifters without
deformable extraction (config.model.lifter.ablation_step of at most 2, or deformable=False) train on
it with config.data.features=True.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from capf_jax import assembly, data_assembly
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import model_settings, start_weights
from capf_jax.inference.detector_weights import load_detector
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors.initial import random_variables
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.pose.flip import flip_joints
from capf_jax.runtime import commands, configuration, files
from capf_jax.runtime.compilation_cache import use_compilation_cache
from data_pipeline import datasets, features
from data_pipeline.features import PeopleFeatures
from data_pipeline.reader import Reader

AT_ONCE = 8  # people in a batch of the detector, twice as many crops


def make_features(config: ConfigDict) -> features.Builder:
    """Makes the features that a configuration trains on, or goes on with making them.

    Args:
      config: a whole configuration of a lifter; the training and the test split are read.

    Raises:
      UserError: the configuration does not describe a frozen detector with its weights, or the
        dataset cannot be built or read, or is in a store.
      OSError: the disk is full; what is finished is kept.
    """
    if files.is_remote(config.data.dir):
        raise UserError(
            f'config.data.dir is {config.data.dir}, and features are written beside a dataset on a '
            'disk: make them where that is, and copy its folder features (gcloud storage rsync '
            f'--recursive data/features {config.data.dir}/features)'
        )
    settings = data_assembly.features_settings(config)
    joint_set = skeletons.get(config.skeleton)
    source = datasets.open_or_build(config.data, build=True)
    names = dict.fromkeys(
        str(split).partition('[')[0] for split in (config.data.train_split, config.data.test_split)
    )
    readers = {
        name: Reader(
            source,
            name,
            joint_set,
            joints2d=config.data.joints2d,
            bad_image=config.data.bad_image,
        )
        for name in names
    }
    extract = extractor(config)
    work = features.Work(extract, readers, AT_ONCE, config.data.threads)
    builder = features.Builder(source, settings, work)
    if builder.data_path.exists():
        datasets.check_whole(builder)
    else:
        builder.download_and_prepare(file_format='array_record')
    return builder


def extractor(config: ConfigDict) -> features.Extract:
    """The detector of a configuration with its weights, as a function of batches on the host.

    Raises:
      UserError: it has no weights, or the file holds other ones.
    """
    model_config, joint_set = config.model, skeletons.get(config.skeleton)
    model = model_settings.context_aware_pose_former(
        model_config,
        joint_set,
        jnp.dtype(config.dtype),
        frames=config.data.frames if config.task in assembly.WINDOWED else None,
    )
    detector = model.entry.build(
        len(model_settings.detector_joints(model_config, joint_set)), dtype=jnp.dtype(config.dtype)
    )
    shapes = jax.eval_shape(
        functools.partial(random_variables, detector, crop=model.entry.crop),
        jax.random.PRNGKey(config.seed),
    )
    joints = model_settings.detector_joints(model_config, joint_set).name
    variables = load_detector(
        model_config.detector_weights,
        shapes,
        joints if model.entry.heatmaps else '',
        model.entry.name,
    )
    variables = {'detector': programs.prepared(jax.tree.map(np.asarray, variables))}
    if model.projection is not None:
        file = start_weights.read(model_config.projection_weights)
        variables['projection'] = file.projection_of(model)
    variables = jax.device_put(variables)
    run = _two_copies(dataclasses.replace(model, detector=detector), config.evaluation.precision)

    train_split = str(config.data.train_split).partition('[')[0]

    def extract(batch: Batch, split: str) -> PeopleFeatures:
        people = batch.index if split == train_split else np.full_like(batch.index, -1)
        width = batch.images.shape[2]
        joints = np.stack(
            [batch.joints2d_crop, flip_joints(batch.joints2d_crop, width - 1, joint_set)], axis=1
        )
        return PeopleFeatures(*jax.device_get(run(variables, batch.images, joints, people)))

    return extract


def _two_copies(model: ContextAwarePoseFormer, precision: str) -> Callable[..., Any]:
    """The function that gives the parts of `PeopleFeatures`.

    It takes the frozen variables, images, joints [B, 2, J, 2], and the people's numbers [B].
    """

    def run(
        variables: Any, images: jax.Array, joints: jax.Array, people: jax.Array
    ) -> tuple[jax.Array, ...]:
        with jax.default_matmul_precision(precision):
            copies = [
                model.features(variables, pictures, joints[:, copy], people)
                for copy, pictures in enumerate((images, images[:, :, ::-1]))
            ]
        both = jax.tree.map(lambda *arrays: jnp.stack(arrays, axis=1), *copies)
        return both.contexts.astype(jnp.float16), both.joints2d_crop, both.confidence

    return programs.jit(run)


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('capf_jax.features', __doc__)
    config = configuration.parse(
        argv, required=('config',), parser=parser, check=assembly.problems
    ).config
    assert config is not None  # `parse` requires one.
    programs.start_process()
    use_compilation_cache()
    builder = make_features(config)
    print(f'the features are in {builder.data_dir}')
    for name, split in builder.info.splits.items():
        print(f'  {name}: {split.num_examples} people')
    return 0


if __name__ == '__main__':
    commands.run(main)

"""`python -m capf_jax.features`: a lifter that reads what it stored computes what it did before."""

import functools
import types

import jax
import numpy as np
import pytest

from capf_jax import assembly, data_assembly, features
from capf_jax.errors import UserError
from capf_jax.evaluate import RestoredRun
from capf_jax.inference import weight_files
from capf_jax.models.detectors.initial import random_variables
from capf_jax.pose import skeletons
from capf_jax.pose.flip import flip_batch
from data_pipeline import datasets, loader
from data_pipeline.reader import Reader
from tests import tiny


def coco_config(folder):
    """A lifter on the COCO joints of a tiny random detector, in the viewing-ray frame."""
    config = tiny.config(folder)
    config.model.lifter.ablation_step = 2
    config.model.hrnet.skeleton = 'coco17'
    config.model.frame = 'viewing_ray'
    config.model.joints2d = 'detector'
    config.model.joint_conversion = 'gast'
    config.model.detector_weights = str(folder / 'detector.safetensors')
    return config


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The configuration, whose dataset and detector are there."""
    config = coco_config(tmp_path_factory.mktemp('data'))
    datasets.open_or_build(config.data, build=True)
    variables = random_variables(tiny.ca_pf(config).detector, jax.random.key(1))
    metadata = {'kind': 'detector', 'name': 'hrnet', 'skeleton': 'coco17',
                'model': config.model.to_dict()}  # fmt: skip
    weight_files.save_weights(config.model.detector_weights, variables, metadata)
    return config


def with_features(config):
    changed = config.copy_and_resolve_references()
    changed.data.features = True
    return changed


def test_before_they_are_made_a_sentence_names_the_command(config):
    with pytest.raises(FileNotFoundError, match=r'python -m capf_jax\.features'):
        data_assembly.open_data(with_features(config), build=True)


@pytest.fixture(scope='module')
def batches(config):
    """The first test people with pictures, and with features; and their model and variables."""
    features.make_features(config)
    people = [
        next(loader.evaluation_batches(data_assembly.open_data(one, build=False), one))
        for one in (config, with_features(config))
    ]
    task = assembly.make_task(config)
    state = task.pretrained(task.init(jax.random.key(0), people[0]))
    variables = {'detector': state.frozen, 'lifter': {'params': state.params}}
    return *people, jax.jit(tiny.ca_pf(config).apply), variables


def test_their_dataset_tells_how_it_was_made(config, batches):
    builder = data_assembly.open_data(with_features(config), build=False)
    assert '-hrnet-coco17_gast-' in str(builder.data_path)
    assert batches[1].contexts.shape == (4, 2, tiny.JOINTS, 4 + 8 + 16 + 32)


@pytest.mark.parametrize('mirrored', [False, True])
def test_the_pose_is_that_of_the_picture_but_for_float16(config, batches, mirrored):
    joint_set, flipped = skeletons.get(config.skeleton), np.full(4, mirrored)
    pictures, stored, apply, variables = batches
    one, beside = apply(variables, flip_batch(pictures, flipped, joint_set))
    other, outputs = apply(variables, flip_batch(stored, flipped, joint_set))
    np.testing.assert_allclose(one, other, atol=2e-3)
    np.testing.assert_allclose(
        beside['detector_joints'], outputs['detector_joints'], atol=1e-3, rtol=1e-5
    )


def test_a_lifter_on_features_has_the_same_parameters(config, batches):
    task = assembly.make_task(config)
    pictures, stored, *_ = batches
    shapes = [jax.eval_shape(task.init, jax.random.key(0), x) for x in (pictures, stored)]
    assert shapes[0].params == shapes[1].params
    assert shapes[0].frozen == shapes[1].frozen


def test_some_people_learn_from_joints_of_another_rule_with_features_and_without(config, batches):
    mixed = config.copy_and_resolve_references()
    mixed.model.other_conversions = 0.5
    features.make_features(mixed)
    reader = Reader(
        data_assembly.open_data(with_features(mixed), build=False), 'train', skeletons.H36M17
    )
    stored, _ = reader.batch(np.arange(4))
    source = Reader(datasets.open_or_build(config.data, build=False), 'train', skeletons.H36M17)
    pictures, _ = source.batch(np.arange(4))
    variables, model = batches[3], tiny.ca_pf(mixed)
    apply = jax.jit(functools.partial(model.apply, train=True))
    key = jax.random.key(0)
    _, beside = apply(variables, pictures, drop_path_key=key)
    _, plain = batches[2](variables, pictures)
    np.testing.assert_allclose(beside['detector_joints'], stored.context_joints[:, 0], atol=1e-3)
    differ = np.abs(beside['detector_joints'] - plain['detector_joints']).max(axis=(1, 2)) > 0.01
    assert 0 < differ.sum() < 4
    tested = next(
        loader.evaluation_batches(data_assembly.open_data(with_features(mixed), build=False), mixed)
    )
    np.testing.assert_array_equal(tested.context_joints, batches[1].context_joints)


def test_making_them_again_changes_nothing(config, batches):
    builder = features.make_features(config)
    assert builder.info.splits['train'].num_examples == 24


def test_noise_would_move_the_joints_away_from_their_context(batches):
    task = types.SimpleNamespace(takes_joints2d=True)
    split = types.SimpleNamespace(read=lambda positions: batches[1])
    with pytest.raises(UserError, match=r'--weights=.* --config\.data\.features=False'):
        RestoredRun(task, None, split, {}).sweep_noise([1.0])


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model.lifter.ablation_step': 3}, 'deformable extraction'),
        ({'model.detector_weights': ''}, 'detector with weights'),
        ({'training.detector_statistics': 'batch'}, 'detector that never changes'),
        ({'training.start': 'a.safetensors'}, 'which may bring another detector'),
        (
            {'model.other_conversions': 0.1, 'data.train_split': 'test[:50%]'},
            'splits of different names',
        ),
        ({'model.joints2d': 'dataset', 'model.lifter.detector_joints': True}, 'one set of 2D'),
        (
            {'model.joints2d': 'dataset', 'model.lifter.robust': ('noise',)},
            'move the joints away from there',
        ),
    ],
)
def test_what_cannot_train_on_them_is_one_sentence(config, changes, message):
    changed = with_features(config)
    if 'model.lifter.detector_joints' in changes:
        changed.model.hrnet.skeleton = ''
    changed.update_from_flattened_dict(changes)
    with pytest.raises(ValueError, match=message):
        data_assembly.open_data(changed, build=False)

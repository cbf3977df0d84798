"""CA-PF-S: its published size, what one frame means, and what relates the frames."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.lifter import Lifter
from capf_jax.models.temporal import TemporalLifter

SIZES = {'num_joints': 5, 'channels': 4, 'layers': 1, 'heads': 2, 'deformable': False}
SMALL = TemporalLifter(
    **SIZES, levels=(0, 1), frames=3, temporal_layers=2, temporal_heads=2, drop_path=0.5
)


def floats(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def shapes_of(model, widths, rows):
    joints = floats(rows, model.num_joints, 2)
    contexts = tuple(floats(rows, model.num_joints, width) for width in widths)
    return jax.eval_shape(model.init, jax.random.key(0), joints, joints, (), contexts)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def filled(shapes):
    random = np.random.default_rng(1)  # compiles nothing, as `init` would
    return jax.tree.map(lambda leaf: random.normal(0, 0.3, leaf.shape).astype('f'), shapes)


@pytest.fixture(scope='module')
def small():
    """The small model's variables, and two windows of people: joints and contexts."""
    random = np.random.default_rng(0)
    joints = random.uniform(-1, 1, (6, 5, 2)).astype(np.float32)
    contexts = tuple(random.normal(size=(6, 5, width)).astype(np.float32) for width in (3, 6))
    return filled(shapes_of(SMALL, (3, 6), 3)), joints, contexts


@functools.partial(jax.jit, static_argnums=0)
def lift(model, variables, joints, contexts):
    return model.apply(variables, joints, joints, (), contexts)


def test_the_published_model_has_its_published_number_of_parameters():
    published = TemporalLifter(channels=32, deformable=False, frames=3)
    assert count(shapes_of(published, (32,) * 4, 3)) == 1_694_503


def test_on_the_raw_context_of_hrnet_w32_it_has_the_parameters_that_method_md_tells():
    raw = TemporalLifter(channels=32, deformable=False, frames=27)
    assert count(shapes_of(raw, (32, 64, 128, 256), 27)) == 1_705_791


def test_of_one_frame_it_is_the_single_frame_lifter(small):
    _, joints, contexts = small
    one, single = SMALL.clone(frames=1), Lifter(**SIZES, levels=(0, 1))
    shapes = shapes_of(one, (3, 6), 1)
    alike = shapes_of(single, (3, 6), 1)
    assert jax.tree.map(lambda x: x.shape, shapes) == jax.tree.map(lambda x: x.shape, alike)
    variables = filled(shapes)
    pose, _ = lift(one, variables, joints, contexts)
    np.testing.assert_array_equal(pose, lift(single, variables, joints, contexts)[0])


def test_every_frame_reaches_the_pose(small):
    variables, joints, contexts = small

    @jax.jit
    @jax.grad
    def gradient(joints):
        return jnp.square(SMALL.apply(variables, joints, joints, (), contexts)[0]).sum()

    assert np.abs(gradient(joints)).max(axis=(1, 2)).min() > 0


def test_a_window_whose_frames_were_encoded_one_by_one_has_the_same_pose(small):
    variables, joints, contexts = small
    whole, intermediates = lift(SMALL, variables, joints, contexts)
    _, single = lift(SMALL.of_one_frame(), variables, joints, contexts)
    np.testing.assert_allclose(single['joints'], intermediates['joints'], atol=1e-6)
    tokens = single['joints'].reshape(2, 3, 5, 12)
    pose = SMALL.apply(variables, tokens, method='over_time')
    np.testing.assert_allclose(pose, whole, atol=1e-5)
    assert whole.shape == (2, 5, 3)
    assert intermediates['frames'].shape == (2, 5, 3, 12)


def in_another_order(model, variables, joints, contexts):
    """The pose of one window whose frames, and their shares in the mean, change places."""
    order = np.array([2, 0, 1])
    kernel = variables['params']['frame_mean']['kernel'][order]
    params = variables['params'] | {'frame_mean': variables['params']['frame_mean'] | {
        'kernel': kernel}}  # fmt: skip
    moved = tuple(context[order] for context in contexts)
    return lift(model, {'params': params}, joints[order], moved)[0]


def test_nothing_but_the_mean_knows_the_order_of_the_frames(small):
    variables, joints, contexts = small
    joints, contexts = joints[:3], tuple(context[:3] for context in contexts)
    pose, _ = lift(SMALL, variables, joints, contexts)
    again = in_another_order(SMALL, variables, joints, contexts)
    np.testing.assert_allclose(again, pose, atol=1e-5)

    told = SMALL.clone(temporal_position=True)
    variables = filled(shapes_of(told, (3, 6), 3))
    pose, _ = lift(told, variables, joints, contexts)
    assert np.abs(in_another_order(told, variables, joints, contexts) - pose).max() > 1e-3


def test_people_who_are_no_whole_windows_are_refused(small):
    variables, joints, contexts = small
    with pytest.raises(ValueError, match='4 people, which are no whole windows of 3 frames'):
        SMALL.apply(variables, joints[:4], joints[:4], (), tuple(c[:4] for c in contexts))

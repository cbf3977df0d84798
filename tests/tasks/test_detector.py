"""Detector training: losses, and steps that learn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax import assembly
from capf_jax.pose.batch import AXIS
from capf_jax.runtime import devices
from capf_jax.tasks import detector
from tests import tiny

SIZE = 2


def test_maps_of_zeros_lose_one():
    joints = jnp.full((1, 3, 2), 64.0)
    loss = detector.squared_error(jnp.zeros((1, 32, 32, 3)), joints, 2.0)
    np.testing.assert_allclose(loss, 1.0, rtol=1e-4)


@pytest.fixture(scope='module')
def trained():
    """A task, its state before, after the first and after all steps on one batch, the metrics."""
    config = tiny.config(learning_rate=3e-3, weight_decay=0.0, flip_probability=0.0)
    config.detection.update(max_rotation=0.0, max_scale=0.0, max_shift=0.0, max_gain=0.0)
    config.task = 'detector'
    task = assembly.make_task(config, steps_per_epoch=100)
    batch = tiny.batch(2)
    before = task.init(jax.random.PRNGKey(0), batch)
    first, history = None, []
    step, state = devices.train_step(task.train_step), devices.replicate(before)
    for number in range(20):
        state, metrics = step(state, devices.shard(batch))
        history.append(jax.tree.map(float, metrics))
        first = devices.to_host(state) if number == 0 else first
    return task, before, first, state, history


def test_loss_falls_on_a_repeated_batch(trained):
    *_, history = trained
    assert history[-1]['loss'] < 0.8 * history[0]['loss']


def test_parameters_and_statistics_move(trained):
    _, before, _, after, _ = trained
    for name in ('params', 'batch_stats'):
        pairs = zip(
            jax.tree.leaves(getattr(before, name)),
            jax.tree.leaves(getattr(after, name)),
            strict=True,
        )
        assert not any(np.array_equal(a, b) for a, b in pairs)


def test_evaluation_finds_joints_inside_the_crop(trained):
    task, _, _, state, _ = trained
    joints = jax.jit(task.eval_step)(state, tiny.batch(2))['joints2d_crop']
    assert joints.shape == (2, tiny.JOINTS, 2)
    assert (joints >= 0).all()
    assert (joints <= np.array([tiny.WIDTH, tiny.HEIGHT])).all()


def test_cutting_the_batch_changes_neither_statistics_nor_gradients(trained):
    task, before, first, _, history = trained
    cut = jax.tree.map(lambda x: x[:, None], tiny.batch(2))  # two shards of one person
    mapped = jax.vmap(task.train_step, in_axes=(None, 0), axis_name=AXIS)
    state, metrics = jax.tree.map(lambda x: x[0], jax.jit(mapped)(before, cut))
    # 1e-3: sums in another order; statistics of a shard alone would be off by tens of percent
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
    jax.tree.map(close, state.batch_stats, first.batch_stats)
    assert metrics['gradient_norm'] == pytest.approx(history[0]['gradient_norm'], rel=1e-3)

"""A training step of the lifter changes the lifter and nothing of the detector."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax import assembly
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS
from capf_jax.pose.flip import flip_batch
from capf_jax.runtime import devices
from capf_jax.tasks import task as tasks
from tests import tiny


def test_distances_have_a_finite_gradient_at_zero():
    target = jnp.array([[[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]])
    value, gradient = jax.value_and_grad(lambda x: tasks.joint_distances(x, target).mean())(
        jnp.zeros((1, 2, 3))
    )
    assert value == pytest.approx(2.5)
    np.testing.assert_allclose(gradient[0], [[0, 0, 0], [-0.3, -0.4, 0]], atol=1e-7)


@pytest.fixture(scope='module')
def trained():
    """The lifter's task, its state before and after one step, and that step's metrics."""
    config = tiny.config(flip_probability=0.5)
    task = assembly.make_task(config)
    batch = tiny.batch()
    before = task.init(jax.random.PRNGKey(0), batch)
    step = devices.train_step(task.train_step)
    after, metrics = step(devices.replicate(before), devices.shard(batch))
    return config, task, before, after, metrics


def test_the_frozen_detector_is_bit_equal_after_a_step(trained):
    _, _, before, after, _ = trained
    assert jax.tree.leaves(before.frozen)
    jax.tree.map(np.testing.assert_array_equal, before.frozen, after.frozen)


def test_every_lifter_parameter_moves(trained):
    _, _, before, after, _ = trained
    moved = jax.tree.map(lambda a, b: bool(np.any(np.asarray(a) != b)), before.params, after.params)
    still = [path for path, changed in jax.tree.leaves_with_path(moved) if not changed]
    # A zero-initialised parameter behind other zeros would move a step later; here there is none.
    assert not still


def test_the_step_is_counted_and_the_root_key_stays(trained):
    _, _, before, after, metrics = trained
    assert int(after.step) == 1
    np.testing.assert_array_equal(before.key, after.key)
    assert np.isfinite(metrics['loss'])


def share(errors, valid):
    return jax.value_and_grad(lambda e: tasks.mean_over_valid(e, valid))(errors)


@pytest.mark.parametrize('shards', [1, 2, 4])
def test_shares_of_the_mean_add_up_and_leave_padding_out(shards):
    errors = jnp.array([1.0, 2.0, 6.0, np.nan]).reshape(shards, -1)
    valid = jnp.array([True, True, True, False]).reshape(shards, -1)
    means, gradients = jax.vmap(share, axis_name=AXIS)(errors, valid)
    assert means.sum() == pytest.approx(3.0)
    np.testing.assert_allclose(gradients.reshape(-1), [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-6)


def test_chance_belongs_to_the_sample_not_to_the_shard():
    def draw(shards):
        one = jax.vmap(
            lambda _: tasks.random_of_sample(jax.random.PRNGKey(3), 8 // shards),
            axis_name=AXIS,
        )
        return one(jnp.arange(shards)).reshape(-1)

    np.testing.assert_array_equal(draw(1), draw(4))
    assert len(np.unique(draw(1))) == 8


def test_the_flip_test_of_a_mirrored_person_is_the_mirrored_pose(trained):
    config, task, before, _, _ = trained
    joint_set = skeletons.get(config.skeleton)
    batch = tiny.batch()
    mirrored = flip_batch(batch, np.ones(4, bool), joint_set)
    evaluate = devices.eval_step(task.eval_step)
    plain, other = evaluate(before, batch)['pose'], evaluate(before, mirrored)['pose']
    back = other[:, list(joint_set.flip)] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(back, plain, atol=1e-5)


def test_a_step_in_bfloat16_keeps_parameters_and_loss_in_float32():
    config = tiny.config()
    config.dtype = 'bfloat16'
    config.model.lifter.ablation_step = 3
    task, batch = assembly.make_task(config), tiny.batch()
    before = task.init(jax.random.PRNGKey(0), batch)
    step = devices.train_step(task.train_step)
    after, metrics = step(devices.replicate(before), devices.shard(batch))
    types = {leaf.dtype for leaf in jax.tree.leaves((after.params, after.opt_state, metrics))}
    assert types == {np.dtype('float32'), np.dtype('int32')}  # whole numbers count the steps
    assert np.isfinite(metrics['loss'])
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), before.params, after.params)
    assert any(jax.tree.leaves(moved))


def test_a_steps_matrix_products_have_the_precision_of_the_configuration():
    config = tiny.config()
    config.model.lifter.ablation_step = 0
    config.evaluation.precision = 'highest'
    task, batch = assembly.make_task(config), tiny.batch()
    state = task.init(jax.random.PRNGKey(0), batch)
    products = str(jax.make_jaxpr(task.eval_step)(state, batch)).split('dot_general')[1:]
    assert products
    assert all('HIGHEST' in product[:400] for product in products)


@pytest.fixture(scope='module')
def trained_as_3dhp():
    """As `trained`, with targets in millimetres and statistics of the batch."""
    config = tiny.config(target_unit='mm', detector_statistics='batch', flip_probability=0.0)
    task, batch = assembly.make_task(config), tiny.batch()
    before = task.init(jax.random.PRNGKey(0), batch)
    step = devices.train_step(task.train_step)
    after, metrics = step(devices.replicate(before), devices.shard(batch))
    return config, task, before, devices.to_host(after), metrics


def test_statistics_of_the_batch_move_and_parameters_of_the_detector_do_not(trained_as_3dhp):
    _, task, before, after, _ = trained_as_3dhp
    jax.tree.map(np.testing.assert_array_equal, before.frozen, after.frozen)
    moved = jax.tree.map(
        lambda a, b: bool(np.any(np.asarray(a) != b)), before.batch_stats, after.batch_stats
    )
    assert all(jax.tree.leaves(moved))
    detector = task.weights(after)['detector']
    jax.tree.map(np.testing.assert_array_equal, detector['batch_stats'], after.batch_stats)


def test_millimetres_are_learnt_and_metres_are_told(trained_as_3dhp):
    config, task, before, _, metrics = trained_as_3dhp
    assert task.weight_metadata['unit'] == 'mm'
    in_metres = config.copy_and_resolve_references()
    in_metres.training.target_unit = 'm'
    one, other = (
        devices.eval_step(assembly.make_task(c).eval_step)(before, tiny.batch())['pose']
        for c in (config, in_metres)
    )
    np.testing.assert_allclose(one, other / 1000, rtol=1e-5, atol=1e-9)
    # The untrained pose is within millimetres of the root: the loss is the size of the targets.
    size = np.linalg.norm(tiny.batch().joints3d, axis=-1).mean()
    assert metrics['loss'] == pytest.approx(size, rel=0.05)


def test_a_state_of_a_weight_file_evaluates_as_the_one_that_wrote_it(trained_as_3dhp):
    _, task, _, after, _ = trained_as_3dhp
    evaluate = devices.eval_step(task.eval_step)
    again = devices.replicate(task.loaded(task.weights(after)))
    expected = evaluate(devices.replicate(after), tiny.batch())['pose']
    np.testing.assert_array_equal(evaluate(again, tiny.batch())['pose'], expected)

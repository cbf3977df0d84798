"""Sampling as a TPU runs it equals the plain formulas, in gradients too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.tpu import replacements, sampling
from capf_jax.models.deformable import DeformableBlock
from capf_jax.models.grid_sample import grid_sample
from capf_jax.models.lifter import Lifter
from capf_jax.models.temporal import TemporalLifter

PEOPLE, JOINTS, CHANNELS = 3, 5, 16
MAP_SIZES = ((8, 6, 16), (4, 3, 32))


def _maps(dtype=np.float32):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=(PEOPLE, *size)), dtype) for size in MAP_SIZES]


def _points(most, *shape):
    return np.random.default_rng(1).uniform(-most, most, (PEOPLE, *shape, 2)).astype(np.float32)


def _filled(module, *inputs):
    random = np.random.default_rng(2)
    shapes = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    return jax.tree.map(lambda leaf: random.normal(0, 0.2, leaf.shape).astype(np.float32), shapes)


def _block_inputs():
    tokens = np.random.default_rng(3).normal(size=(PEOPLE, JOINTS, 3, CHANNELS))
    tokens = tokens.astype(np.float32)
    return tokens[:, :, 1:], tokens[:, :, :1], _points(1, JOINTS), _maps()


def _with_gradients(apply, *inputs):
    """What a module gives, and the gradients of its squares' sum, at each of its inputs."""

    def loss(*inputs):
        leaves = jax.tree.leaves(apply(*inputs))
        return sum(jnp.square(leaf).sum() for leaf in leaves), leaves

    return jax.jit(jax.grad(loss, argnums=tuple(range(len(inputs))), has_aux=True))(*inputs)


@pytest.mark.parametrize('padding', ['zeros', 'border'])
def test_samples_in_and_outside_the_map_are_those_of_the_plain_formula(padding):
    one_map, points = _maps()[0], _points(3, 200)
    ours = jax.jit(lambda *a: sampling.grid_sample(*a, padding))(one_map, points)
    plain = jax.jit(lambda *a: grid_sample(*a, padding))(one_map, points)
    np.testing.assert_allclose(ours, plain, rtol=0, atol=1e-6)


def test_a_point_that_is_no_number_gives_samples_that_are_none():
    one_map, points = _maps()[0], np.full((PEOPLE, 1, 2), np.nan, np.float32)
    assert np.isnan(sampling.grid_sample(one_map, points, 'border')).all()


def test_a_deformable_block_gives_the_same_with_its_replacement():
    block, inputs = DeformableBlock(heads=4, points=4, mlp_ratio=2), _block_inputs()
    variables = _filled(block, *inputs)
    plain = _with_gradients(lambda *a: block.apply(*a), variables, *inputs)
    with replacements.active():
        ours = _with_gradients(lambda *a: block.apply(*a), variables, *inputs)
    for one, expected in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        tolerance = 1e-4 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(one, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize('lifter', [Lifter, TemporalLifter])
def test_the_context_of_a_lifter_is_the_same_with_its_replacement(lifter):
    module = lifter(levels=(0, 1), channels=CHANNELS, num_joints=JOINTS)
    maps, joints = _maps(), _points(1.5, JOINTS)
    plain = module.apply({}, maps, joints, method='context')
    with replacements.active():
        ours = module.apply({}, maps, joints, method='context')
    jax.tree.map(np.testing.assert_array_equal, ours, plain)


def test_each_map_is_gathered_once():
    block, inputs = DeformableBlock(heads=4, points=4, mlp_ratio=2), _block_inputs()
    variables = _filled(block, *inputs)
    with replacements.active():
        program = str(jax.make_jaxpr(lambda *a: block.apply(*a))(variables, *inputs))
    assert program.count(' gather[') == len(MAP_SIZES)


def test_bfloat16_stays_bfloat16():
    samples = sampling.grid_sample(_maps(jnp.bfloat16)[0], _points(1, 7), 'border')
    assert samples.dtype == jnp.bfloat16

"""Folding: the same network without its BatchNorms."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.cpu.folding import fold
from capf_jax.models.detectors.convolutions import DeconvNorm
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.initial import random_variables

SMALL = HRNet(num_joints=5, width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 1), blocks=1)


def with_random_norms(variables):
    """The variables with scales, shifts, means and variances as different as trained ones."""
    random = np.random.default_rng(0)
    ranges = {'scale': (0.5, 1.5), 'bias': (-0.5, 0.5), 'mean': (-0.5, 0.5), 'var': (0.3, 2.0)}

    def fill(path, leaf):
        kind = path[-1].key
        return (
            random.uniform(*ranges[kind], leaf.shape).astype(np.float32) if kind in ranges else leaf
        )

    return jax.tree_util.tree_map_with_path(fill, variables)


@pytest.fixture(scope='module')
def small_variables():
    return with_random_norms(random_variables(SMALL, jax.random.key(0)))


def test_folded_network_is_equal(small_variables):
    images = np.random.default_rng(1).normal(size=(1, 64, 32, 3)).astype(np.float32)
    run = jax.jit(lambda v: SMALL.apply(v, images))
    before, after = run(small_variables), run(fold(SMALL, small_variables)[1])
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        # 1e-5 of the largest value: the same sums, rounded at other places
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())


def test_folded_variables_hold_no_norm(small_variables):
    folded = fold(SMALL, small_variables)[1]
    assert folded.keys() == {'params'}
    assert not [
        p for p, _ in jax.tree.leaves_with_path(folded) if 'norm' in jax.tree_util.keystr(p)
    ]


def test_folding_twice_changes_nothing_more(small_variables):
    once = fold(SMALL, small_variables)[1]
    jax.tree.map(np.testing.assert_array_equal, fold(SMALL, once)[1], once)


def test_stored_variables_stay_as_they_are(small_variables):
    copy = jax.tree.map(np.array, small_variables)
    fold(SMALL, small_variables)
    jax.tree.map(np.testing.assert_array_equal, small_variables, copy)


def test_training_on_folded_variables_is_an_error(small_variables):
    folded = fold(SMALL, small_variables)[1]
    with pytest.raises(ValueError, match='stem0 has its BatchNorm folded away'):
        jax.eval_shape(lambda: SMALL.apply(folded, jnp.ones((1, 32, 32, 3)), train=True))


class Upsampling(nn.Module):
    @nn.compact
    def __call__(self, x):
        return DeconvNorm(3, name='deconv')(x, False)


@pytest.fixture(scope='module')
def upsampling():
    """A DeconvNorm's variables and its input."""
    x = np.random.default_rng(2).normal(size=(1, 3, 2, 4)).astype(np.float32)
    return with_random_norms(Upsampling().init(jax.random.key(0), x)), x


def test_folded_transposed_convolution_is_equal(upsampling):
    variables, x = upsampling
    before = Upsampling().apply(variables, x)
    after = Upsampling().apply(fold(Upsampling(), variables)[1], x)
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-5 * np.abs(before).max())


def test_transposed_convolution_spreads_each_pixel_over_four_by_four(upsampling):
    variables, x = upsampling
    folded = fold(Upsampling(), variables)[1]['params']['deconv']['conv']
    expected = np.zeros((10, 8, 3))  # pixel (r, c) reaches rows 2r - 1 to 2r + 2, columns alike
    turned = folded['kernel'][::-1, ::-1]  # [4, 4, in, out], as PyTorch spreads it
    for row in range(3):
        for column in range(2):
            spread = np.einsum('i,yxio->yxo', x[0, row, column], turned)
            expected[2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += spread
    expected = expected[1:7, 1:5] + folded['bias']
    np.testing.assert_allclose(Upsampling().apply(variables, x)[0], expected, atol=1e-4)

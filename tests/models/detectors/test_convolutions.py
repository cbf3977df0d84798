"""Convolutions written in another way are still those convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capf_jax.models.detectors import convolutions


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 6, 4, 5)).astype(np.float32)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('kernel', [1, 3, 7])
def test_convolution_is_flaxs_with_torchs_padding(x, kernel, stride):
    ours = convolutions.Conv(3, kernel, stride)
    theirs = nn.Conv(3, (kernel, kernel), stride, padding=kernel // 2)
    variables = theirs.init(jax.random.key(1), x)
    np.testing.assert_allclose(
        ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5
    )


def test_transposed_convolution_by_parity_is_the_one_with_zeros_between(x):
    kernel = np.random.default_rng(1).standard_normal((4, 4, 5, 3)).astype(np.float32)
    np.testing.assert_allclose(
        convolutions._deconvolve_by_parity(x, kernel),
        convolutions._deconvolve(x, kernel),
        atol=1e-5,
    )


def test_max_pool_is_flaxs(x):
    expected = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
    np.testing.assert_array_equal(convolutions.max_pool(x), expected)


def test_max_pools_gradient_goes_to_the_largest(x):
    found = jax.grad(lambda x: jnp.sum(convolutions.max_pool(x) ** 3))(x)
    expected = jax.grad(
        lambda x: jnp.sum(nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1))) ** 3)
    )(x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)

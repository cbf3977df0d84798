"""The blocks that detectors share keep PyTorch's padding and their compute type."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors.convolutions import ConvNorm, DeconvNorm


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 6, 4, 5)).astype(np.float32)


@pytest.mark.parametrize('kernel', [1, 3, 7])
def test_a_convolution_of_stride_2_begins_with_the_first_pixel(x, kernel):
    whole, halved = ConvNorm(3, kernel), ConvNorm(3, kernel, stride=2)
    variables = whole.init(jax.random.key(1), x, False)
    expected = whole.apply(variables, x, False)[:, ::2, ::2]
    np.testing.assert_allclose(halved.apply(variables, x, False), expected, rtol=1e-5, atol=1e-5)


def test_transposed_convolution_spreads_each_pixel_over_four_by_four(x):
    module = DeconvNorm(3)
    variables = module.init(jax.random.key(1), x, False)
    kernel = variables['params']['conv']['kernel'][::-1, ::-1]  # as PyTorch spreads it
    expected = np.zeros((2, 14, 10, 3))  # pixel (r, c) reaches rows 2r - 1 to 2r + 2, columns alike
    for row in range(6):
        for column in range(4):
            spread = np.einsum('bi,yxio->byxo', x[:, row, column], kernel)
            expected[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += spread
    expected = expected[:, 1:13, 1:9] / np.sqrt(1 + 1e-5)
    np.testing.assert_allclose(module.apply(variables, x, False), expected, atol=1e-5)


@pytest.mark.parametrize('train', [False, True])
@pytest.mark.parametrize('module', [ConvNorm(3), DeconvNorm(3)], ids=['conv', 'deconv'])
def test_half_precision_keeps_parameters_and_statistics_in_float32(x, module, train):
    module = module.clone(dtype=jnp.bfloat16)
    variables = module.init(jax.random.key(1), x, False)
    y, moved = module.apply(variables, x, train, mutable=['batch_stats'])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, moved))} == {jnp.dtype('float32')}

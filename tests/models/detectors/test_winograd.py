"""Winograd's convolution is the convolution, where it is used and where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors import winograd
from capf_jax.models.detectors.folding import fold
from capf_jax.models.detectors.layers import TRANSFORMED, Conv, ConvNorm


def direct(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), [(1, 1)] * 2, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('size', [(8, 6), (5, 1), (3, 4), (1, 7), (16, 12)])
def test_any_size_of_map_gives_the_direct_convolution(size):
    x, kernel = normal(0, 2, *size, 24), normal(1, 3, 3, 24, 5)
    expected = direct(x, kernel)
    found = winograd.convolve(x, winograd.transformed(kernel))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_matrices_multiply_polynomials_exactly():
    # F(4, 3) is exact in whole numbers: the products interpolate a polynomial of degree 5.
    x, kernel = np.arange(6), np.array([2, -1, 3])
    found = winograd.OUTPUT @ ((winograd.KERNEL @ kernel) * (winograd.INPUT @ x))
    np.testing.assert_allclose(found, np.correlate(x, kernel), atol=1e-12)


@pytest.mark.parametrize('shape', [(1, 1, 64, 8), (7, 7, 64, 8), (3, 3, 3, 64), (3, 3, 512, 8)])
def test_kernels_for_which_it_does_not_pay_are_not_transformed(shape):
    assert winograd.transformed(np.ones(shape, np.float32)) is None


@pytest.mark.parametrize(
    ('shape', 'dtype', 'expected'),
    [
        ((4, 16, 12, 128), jnp.float32, True),
        ((4, 8, 6, 256), jnp.float32, False),
        ((4, 16, 12, 128), jnp.bfloat16, False),
    ],
)
def test_it_pays_for_many_pixels_in_full_precision(shape, dtype, expected):
    assert winograd.pays(jax.ShapeDtypeStruct(shape, dtype)) == expected


@pytest.fixture(scope='module')
def folded():
    """A ConvNorm's folded variables, 24 channels to 6."""
    module = ConvNorm(6)
    variables = module.init(jax.random.key(0), normal(2, 1, 8, 8, 24), False)
    return fold(module, variables)[1]


def test_folded_convolution_uses_its_transforms(folded):
    x, conv = normal(3, 2, 8, 8, 24), folded['params']['conv']
    nothing = {**conv, TRANSFORMED: jax.tree.map(np.zeros_like, conv[TRANSFORMED])}
    with_them = ConvNorm(6).apply({'params': {'conv': nothing}}, x, False)
    np.testing.assert_array_equal(with_them, np.broadcast_to(conv['bias'], with_them.shape))


def test_convolution_with_a_stride_keeps_its_kernel(folded):
    x, conv = normal(4, 1, 8, 8, 24), folded['params']['conv']
    plain = {name: value for name, value in conv.items() if name != TRANSFORMED}
    strided = Conv(6, stride=2)
    np.testing.assert_array_equal(
        strided.apply({'params': conv}, x), strided.apply({'params': plain}, x)
    )


def test_other_platforms_than_cpus_get_no_transforms(monkeypatch):
    module = ConvNorm(6)
    variables = module.init(jax.random.key(0), normal(2, 1, 8, 8, 24), False)
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    assert TRANSFORMED not in fold(module, variables)[1]['params']['conv']

"""Winograd's convolution is the convolution, where it is used and where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.cpu import winograd
from capf_jax.backends.cpu.folding import fold
from capf_jax.models.detectors.convolutions import TRANSFORMED, Conv, ConvNorm, DeconvNorm


def direct(x, kernel, padding):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), padding, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('channels', [24, 25])  # without a padded copy, and with
@pytest.mark.parametrize('size', [(8, 6), (5, 1), (3, 4), (1, 7), (16, 12)])
@pytest.mark.parametrize('padding', [((1, 1), (1, 1)), ((1, 0), (0, 1)), ((0, 1), (1, 0))])
def test_any_size_of_map_gives_the_direct_convolution(monkeypatch, size, padding, channels):
    monkeypatch.setattr(winograd, 'PADDED_CHANNELS', 25)
    taps = sum(padding[0]) + 1
    x, kernel = normal(0, 2, *size, channels), normal(1, taps, taps, channels, 5)
    expected = direct(x, kernel, padding)
    found = winograd.convolve(x, winograd.transformed(kernel), padding)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize('kernel', [[2, -1, 3], [4, 5]])
def test_transforms_correlate_exactly(kernel):
    of_input, of_kernel, of_products = winograd.matrices(len(kernel))
    x = np.arange(winograd.ROWS + len(kernel) - 1) ** 2
    found = of_products @ ((of_kernel @ kernel) * (of_input @ x))
    np.testing.assert_allclose(found, np.correlate(x, kernel), atol=1e-12)


@pytest.mark.parametrize('shape', [(1, 1, 64, 8), (7, 7, 64, 8), (3, 3, 3, 64), (3, 3, 512, 8)])
def test_kernels_for_which_it_does_not_pay_are_not_transformed(shape):
    assert winograd.transformed(np.ones(shape, np.float32)) is None


def test_kernels_of_fewer_digits_are_not_transformed():
    assert winograd.transformed(np.ones((3, 3, 24, 8), jnp.bfloat16)) is None


@pytest.mark.parametrize(
    ('shape', 'dtype', 'expected'),
    [
        ((4, 16, 12, 128), jnp.float32, True),
        ((4, 8, 6, 256), jnp.float32, True),
        ((1, 8, 6, 256), jnp.float32, False),
        ((4, 16, 12, 128), jnp.bfloat16, False),
    ],
)
def test_it_pays_for_many_pixels_in_full_precision(shape, dtype, expected):
    assert winograd.pays(jax.ShapeDtypeStruct(shape, dtype)) == expected


@pytest.fixture
def folded(monkeypatch):
    """A ConvNorm's variables as folded for a CPU, 24 channels to 6."""
    monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
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
    assert TRANSFORMED in conv
    plain = {name: value for name, value in conv.items() if name != TRANSFORMED}
    strided = Conv(6, stride=2)
    np.testing.assert_array_equal(
        strided.apply({'params': conv}, x), strided.apply({'params': plain}, x)
    )


def test_folded_transposed_convolution_uses_its_transforms_and_stays_equal(monkeypatch):
    monkeypatch.setattr(jax, 'default_backend', lambda: 'cpu')
    module, x = DeconvNorm(6), normal(5, 1, 8, 7, 24)
    variables = module.init(jax.random.key(0), x, False)
    folded = fold(module, variables)[1]
    assert TRANSFORMED in folded['params']['conv']
    plain = {'params': {'conv': {**folded['params']['conv']}}}
    del plain['params']['conv'][TRANSFORMED]
    found, expected = (module.apply(given, x, False) for given in (folded, plain))
    assert not np.array_equal(found, expected)  # rounded elsewhere: by another way
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_other_platforms_than_cpus_get_no_transforms(monkeypatch):
    module = ConvNorm(6)
    variables = module.init(jax.random.key(0), normal(2, 1, 8, 8, 24), False)
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    assert TRANSFORMED not in fold(module, variables)[1]['params']['conv']

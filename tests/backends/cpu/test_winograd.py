"""Winograd's convolution is the convolution, where it is used and where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.cpu import folding, replacements, tricks, winograd
from capf_jax.models.detectors.convolutions import ConvNorm, DeconvNorm


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
    y = winograd.convolve(x, winograd.transformed(kernel), padding)
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize('kernel', [[2, -1, 3], [4, 5]])
def test_transforms_correlate_exactly(kernel):
    of_input, of_kernel, of_products = winograd.matrices(len(kernel))
    x = np.arange(winograd.ROWS + len(kernel) - 1) ** 2
    y = of_products @ ((of_kernel @ kernel) * (of_input @ x))
    np.testing.assert_allclose(y, np.correlate(x, kernel), atol=1e-12)


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


def run(module, variables, x):
    """The module with the CPU's methods."""
    with replacements.active():
        return module.apply(variables, x, False)


@pytest.fixture(params=[ConvNorm(6), DeconvNorm(6)], ids=['conv', 'deconv'])
def prepared(request):
    """A module of 24 channels to 6, its prepared variables, and an input."""
    x = normal(3, 2, 8, 7, 24)
    variables = request.param.init(jax.random.key(0), x, False)
    return request.param, folding.prepared(variables), x


def test_a_prepared_convolution_uses_its_transforms(prepared):
    module, variables, x = prepared
    own = variables['cpu']
    nothing = {**own, 'transformed': jax.tree.map(np.zeros_like, own['transformed'])}
    y = run(module, {**variables, 'cpu': nothing}, x)
    np.testing.assert_array_equal(y, np.broadcast_to(own['bias'], y.shape))


def test_a_prepared_convolution_is_equal(prepared):
    module, variables, x = prepared
    expected = module.apply(variables, x, False)
    np.testing.assert_allclose(
        run(module, variables, x), expected, rtol=0, atol=2e-6 * np.abs(expected).max()
    )


def test_a_convolution_with_a_stride_keeps_its_kernel():
    module, x = ConvNorm(6, stride=2), normal(4, 1, 8, 8, 24)
    variables = folding.prepared(module.init(jax.random.key(0), x, False))
    own = {name: value for name, value in variables['cpu'].items() if name != 'transformed'}
    np.testing.assert_array_equal(
        run(module, variables, x), run(module, {**variables, 'cpu': own}, x)
    )


def test_without_the_trick_no_kernel_is_transformed():
    module, x = ConvNorm(6), normal(2, 1, 8, 8, 24)
    variables = module.init(jax.random.key(0), x, False)
    with tricks.without('winograd'):
        assert 'transformed' not in folding.prepared(variables)['cpu']

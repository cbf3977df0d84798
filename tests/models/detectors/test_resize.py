"""Resizing equals PyTorch's, and commutes with a product at every pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors.convolutions import ConvNorm
from capf_jax.models.detectors.resize import Pyramid, resize_bilinear
from tests.goldens import recipe
from tests.models.detectors import published


@pytest.mark.parity
def test_resizing_equals_pytorch():
    x = recipe.weight('x', (1, 3, 5, 2))
    published.assert_like_block('resize', jax.jit(lambda x: resize_bilinear(x, (12, 10)))(x))


@pytest.fixture
def pyramid():
    """Maps of three sizes, together [2, 8, 6, 9]."""
    random = np.random.default_rng(0)
    shapes = [(2, 2, 1, 2), (2, 4, 3, 3), (2, 8, 6, 4)]
    return Pyramid(
        tuple(jnp.asarray(random.standard_normal(s), jnp.float32) for s in shapes), (8, 6)
    )


@pytest.mark.parametrize('train', [False, True])
def test_convolution_of_a_pyramid_is_that_of_its_maps_in_one(pyramid, train):
    together = jnp.concatenate([resize_bilinear(x, pyramid.size) for x in pyramid.maps], axis=-1)
    assert pyramid.shape == together.shape
    module = ConvNorm(5, kernel=1)
    variables = module.init(jax.random.key(0), together, False)
    expected, _ = module.apply(variables, together, train, mutable='batch_stats')
    found, _ = module.apply(variables, pyramid, train, mutable='batch_stats')
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_maps_of_a_batch_are_resized_each_by_itself():
    x = jnp.asarray(np.random.default_rng(1).standard_normal((3, 5, 4, 2)), jnp.float32)
    apart = [resize_bilinear(x[i : i + 1], (9, 7))[0] for i in range(len(x))]
    np.testing.assert_allclose(resize_bilinear(x, (9, 7)), np.stack(apart), atol=1e-6)


def test_a_program_does_not_grow_with_its_batch():
    resize = jax.jit(lambda x: resize_bilinear(x, (64, 48)))
    one, many = (
        len(resize.lower(jax.ShapeDtypeStruct((batch, 8, 6, 2), jnp.float32)).as_text())
        for batch in (1, 64)
    )
    assert many < 1.1 * one


def test_a_larger_convolution_of_a_pyramid_is_an_error(pyramid):
    with pytest.raises(ValueError, match='need a 1x1 convolution'):
        ConvNorm(5, kernel=3).init(jax.random.key(0), pyramid, False)

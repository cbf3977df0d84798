"""Resizing equals PyTorch's, and commutes with a product at every pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors.layers import ConvNorm
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

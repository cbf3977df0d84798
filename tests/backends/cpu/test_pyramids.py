"""Maps of several sizes that count as one, and how a CPU resizes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.cpu import pyramids, replacements
from capf_jax.models.detectors import resize
from capf_jax.models.detectors.convolutions import ConvNorm

SIZE = (8, 6)


@pytest.fixture
def maps():
    """Maps of three sizes, together [2, 8, 6, 9]."""
    random = np.random.default_rng(0)
    shapes = [(2, 2, 1, 2), (2, 4, 3, 3), (2, 8, 6, 4)]
    return tuple(jnp.asarray(random.standard_normal(shape), jnp.float32) for shape in shapes)


def test_resizing_is_the_models(maps):
    for x in maps:
        expected = resize.resize_bilinear(x, SIZE)
        np.testing.assert_allclose(pyramids.resize_bilinear(x, SIZE), expected, atol=1e-6)


@pytest.mark.parametrize('train', [False, True])
def test_convolution_of_a_pyramid_is_that_of_its_maps_in_one(maps, train):
    together = jnp.concatenate([resize.resize_bilinear(x, SIZE) for x in maps], axis=-1)
    pyramid = pyramids.Pyramid(maps, SIZE)
    assert pyramid.shape == together.shape
    module = ConvNorm(5, kernel=1)
    variables = module.init(jax.random.key(0), together, False)
    expected, _ = module.apply(variables, together, train, mutable='batch_stats')
    with replacements.active():
        y, _ = module.apply(variables, pyramid, train, mutable='batch_stats')
    np.testing.assert_allclose(y, expected, atol=1e-5)


def test_a_program_does_not_grow_with_its_batch():
    program = jax.jit(lambda x: pyramids.resize_bilinear(x, (64, 48)))
    one, many = (
        len(program.lower(jax.ShapeDtypeStruct((batch, 8, 6, 2), jnp.float32)).as_text())
        for batch in (1, 64)
    )
    assert many < 1.1 * one

"""Resizing equals PyTorch's, for every map by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors.resize import double_bilinear, resize_bilinear, upsample_nearest
from tests.goldens import recipe
from tests.models.detectors import published


@pytest.mark.parity
def test_resizing_equals_pytorch():
    x = recipe.weight('x', (1, 3, 5, 2))
    published.assert_like_block('resize', resize_bilinear(x, (12, 10)))


def test_maps_of_a_batch_are_resized_each_by_itself():
    x = jnp.asarray(np.random.default_rng(1).standard_normal((3, 5, 4, 2)), jnp.float32)
    apart = [resize_bilinear(x[i : i + 1], (9, 7))[0] for i in range(len(x))]
    np.testing.assert_allclose(resize_bilinear(x, (9, 7)), np.stack(apart), atol=1e-6)


def test_pixels_are_repeated_in_both_directions():
    x = np.arange(2.0).reshape(1, 1, 2, 1)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1]]
    np.testing.assert_array_equal(upsample_nearest(x, 2)[0, ..., 0], expected)


def test_doubled_maps_are_those_of_jax_whose_pixels_share_their_outer_edges():
    x = np.random.default_rng(1).standard_normal((2, 5, 3, 4)).astype(np.float32)
    expected = jax.image.resize(x, (2, 10, 6, 4), 'bilinear', precision='highest')
    np.testing.assert_allclose(double_bilinear(x), expected, atol=1e-6)


def test_a_single_pixel_becomes_four_alike():
    np.testing.assert_array_equal(
        double_bilinear(np.full((1, 1, 1, 2), 3.0)), np.full((1, 2, 2, 2), 3)
    )

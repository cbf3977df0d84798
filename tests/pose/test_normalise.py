"""Both normalisations are those of docs/method.md, The lifter, and can be undone."""

import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.pose import normalise

ARRAYS = pytest.mark.parametrize('asarray', [np.asarray, jnp.asarray])


@ARRAYS
def test_image_corners(asarray):
    corners = asarray(np.array([[0, 0], [1000, 500], [500, 250]], np.float32))
    normalised = normalise.normalise_by_image(corners, asarray(np.array([1000, 500], np.float32)))
    np.testing.assert_allclose(normalised, [[-1, -0.5], [1, 0.5], [0, 0]], atol=1e-6)


@ARRAYS
def test_crop_corners(asarray):
    corners = asarray(np.array([[0, 0], [192, 256], [96, 64]], np.float32))
    normalised = normalise.normalise_by_crop(corners, (192, 256))
    np.testing.assert_allclose(normalised, [[-1, -1], [1, 1], [0, -0.5]], atol=1e-6)


@ARRAYS
def test_image_there_and_back_with_sizes_of_their_own(asarray):
    rng = np.random.default_rng(0)
    joints = rng.uniform(-100, 1100, (4, 17, 2)).astype(np.float32)
    sizes = asarray(np.array([[1000, 1002], [1920, 1080], [480, 640], [7, 5]], np.float32))
    normalised = normalise.normalise_by_image(asarray(joints), sizes)
    np.testing.assert_allclose(normalise.denormalise_by_image(normalised, sizes), joints, atol=2e-3)


@ARRAYS
def test_crop_there_and_back(asarray):
    joints = np.random.default_rng(0).uniform(-10, 270, (4, 17, 2)).astype(np.float32)
    normalised = normalise.normalise_by_crop(asarray(joints), (192, 256))
    np.testing.assert_allclose(
        normalise.denormalise_by_crop(normalised, (192, 256)), joints, atol=1e-4
    )


@ARRAYS
def test_kind_and_dtype_stay(asarray):
    joints = asarray(np.zeros((2, 17, 2), np.float32))
    normalised = normalise.normalise_by_crop(joints, (192, 256))
    assert (type(normalised), normalised.dtype) == (type(joints), joints.dtype)

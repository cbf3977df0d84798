"""Both normalisations are those of docs/method.md, The lifter, and can be undone."""

import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.pose import normalise

ARRAYS = pytest.mark.parametrize('asarray', [np.asarray, jnp.asarray])


@ARRAYS
def test_image_corners(asarray):
    corners = asarray(np.array([[0, 0], [1000, 500], [500, 250]], np.float32))
    result = normalise.normalise_by_image(corners, asarray(np.array([1000, 500], np.float32)))
    np.testing.assert_allclose(result, [[-1, -0.5], [1, 0.5], [0, 0]], atol=1e-6)


@ARRAYS
def test_crop_corners(asarray):
    corners = asarray(np.array([[0, 0], [192, 256], [96, 64]], np.float32))
    result = normalise.normalise_by_crop(corners, (192, 256))
    np.testing.assert_allclose(result, [[-1, -1], [1, 1], [0, -0.5]], atol=1e-6)


@ARRAYS
def test_image_there_and_back_with_sizes_of_their_own(asarray):
    rng = np.random.default_rng(0)
    joints = rng.uniform(-100, 1100, (4, 17, 2)).astype(np.float32)
    sizes = asarray(np.array([[1000, 1002], [1920, 1080], [480, 640], [7, 5]], np.float32))
    result = normalise.normalise_by_image(asarray(joints), sizes)
    np.testing.assert_allclose(normalise.denormalise_by_image(result, sizes), joints, atol=2e-3)


@ARRAYS
def test_crop_there_and_back(asarray):
    joints = np.random.default_rng(0).uniform(-10, 270, (4, 17, 2)).astype(np.float32)
    result = normalise.normalise_by_crop(asarray(joints), (192, 256))
    np.testing.assert_allclose(normalise.denormalise_by_crop(result, (192, 256)), joints, atol=1e-4)


@ARRAYS
def test_kind_and_dtype_stay(asarray):
    joints = asarray(np.zeros((2, 17, 2), np.float32))
    result = normalise.normalise_by_crop(joints, (192, 256))
    assert (type(result), result.dtype) == (type(joints), joints.dtype)


@ARRAYS
def test_the_longer_side_of_the_joints_box_has_a_fixed_extent(asarray):
    joints = asarray(np.array([[10, 100], [30, 140]], np.float32))
    result = normalise.normalise_by_box(joints)
    np.testing.assert_allclose(result, [[-0.5, -1], [0.5, 1]], atol=1e-6)


@ARRAYS
def test_a_person_moved_and_scaled_is_the_same_by_its_box(asarray):
    joints = np.random.default_rng(0).uniform(0, 256, (4, 17, 2)).astype(np.float32)
    moved = 3.7 * joints + np.float32([812, 40])
    one, other = (normalise.normalise_by_box(asarray(x)) for x in (joints, moved))
    np.testing.assert_allclose(one, other, atol=1e-5)


@ARRAYS
def test_box_there_and_back(asarray):
    joints = asarray(np.random.default_rng(0).uniform(0, 256, (4, 17, 2)).astype(np.float32))
    result = normalise.normalise_by_box(joints)
    back = normalise.denormalise_by_box(result, *normalise.joints_extent(joints))
    np.testing.assert_allclose(back, joints, atol=1e-4)


def test_joints_that_are_all_in_one_place_become_zeros():
    joints = np.full((17, 2), 30, np.float32)
    np.testing.assert_array_equal(normalise.normalise_by_box(joints), np.zeros((17, 2)))

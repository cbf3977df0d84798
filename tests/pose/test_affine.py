"""The way from a crop back to its image."""

import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.pose.affine import to_image

AFFINE = [[[0.0, 0.5, 3.0], [-0.25, 0.0, 7.0]]]  # x' = y / 2 + 3, y' = 7 - x / 4


@pytest.mark.parametrize('array', [np.array, jnp.array])
def test_joint_comes_back_to_the_image(array):
    joints = to_image(array([[[8.0, 5.0]]]), array(AFFINE))
    np.testing.assert_allclose(joints, [[[8.0, 10.0]]])


def test_every_crop_has_an_affine_map_of_its_own():
    random = np.random.default_rng(0)
    affine, joints = random.normal(size=(3, 2, 3)), random.normal(size=(3, 4, 2))
    crop = joints @ affine[..., :2].swapaxes(-1, -2) + affine[:, None, :, 2]
    np.testing.assert_allclose(to_image(crop, affine), joints, atol=1e-9)

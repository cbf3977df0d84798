"""The projection is OpenCV's, and points of the world come where the camera stands."""

import cv2
import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose import cameras
from capf_jax.pose.cameras import Camera

INTRINSICS = np.array([1000.0, 1100.0, 500.0, 400.0])
LENS = np.array([-0.2, 0.24, -0.0014, -0.0009, -0.003, 0.01, -0.02, 0.003])


@pytest.mark.parametrize('coefficients', [0, 4, 5, 8])
def test_projection_is_opencvs(coefficients):
    points = np.random.default_rng(0).uniform((-900, -900, 3000), (900, 900, 6000), (50, 3))
    lens = LENS[:coefficients] if coefficients else None
    fx, fy, cx, cy = INTRINSICS
    matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    zero = np.zeros(3)
    expected = cv2.projectPoints(points, zero, zero, matrix, lens)[0][:, 0]
    projected = Camera('one', None, None, INTRINSICS, lens).project(points)
    np.testing.assert_allclose(projected, expected, rtol=0, atol=1e-9)


def test_the_lens_may_be_left_out():
    points = np.array([[100.0, -200.0, 2000.0], [0.0, 0.0, 500.0]])
    projected = Camera('one', None, None, INTRINSICS, LENS).project(points, distortion=False)
    np.testing.assert_allclose(projected, [[550, 290], [500, 400]], atol=1e-9)


def test_every_person_may_have_a_camera_of_its_own():
    points = np.random.default_rng(1).uniform(1, 3, (4, 17, 3))
    intrinsics = np.random.default_rng(2).uniform(100, 900, (4, 4))
    projected = cameras.project(points, intrinsics[:, None])
    each = [cameras.project(*pair) for pair in zip(points, intrinsics, strict=True)]
    np.testing.assert_array_equal(projected, each)


def test_points_of_the_world_come_where_the_camera_stands():
    turned = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # looks along -x, z is up
    camera = Camera('one', turned, np.array([5.0, 1, 2]), INTRINSICS)
    np.testing.assert_allclose(
        camera.to_camera(np.array([[2.0, 1, 2], [5, 2, 3]])), [[0, 0, 3], [1, -1, 0]]
    )


def test_a_camera_without_a_place_is_named():
    with pytest.raises(UserError, match='place of camera TS5 is not published'):
        Camera('TS5', None, None, INTRINSICS).to_camera(np.zeros(3))


def test_a_camera_that_looks_down_sees_along_the_slope():
    upright = cameras.upright_rotation(pitch=30)
    np.testing.assert_allclose(upright @ [0, 0, 1], [0, 0.5, np.sqrt(0.75)], atol=1e-12)
    np.testing.assert_allclose(upright @ [1, 0, 0], [1, 0, 0], atol=1e-12)


def test_a_camera_tilted_clockwise_has_its_right_side_low():
    upright = cameras.upright_rotation(pitch=20, tilt=90)
    np.testing.assert_allclose(upright @ [0, 0, 1], cameras.upright_rotation(20) @ [0, 0, 1])
    assert (upright @ [1, 0, 0])[1] > 0.9

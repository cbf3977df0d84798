"""Cameras stand, look and project like those of Human3.6M."""

import numpy as np
import pytest

from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE, sample_camera

CAMERAS = [sample_camera(np.random.default_rng(i), str(i)) for i in range(50)]


def test_rotations_are_proper():
    for camera in CAMERAS:
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.rotation) == pytest.approx(1.0)


def test_stand_where_human36m_cameras_stand():
    positions = np.array([camera.position for camera in CAMERAS])
    distance = np.hypot(positions[:, 0], positions[:, 1])
    assert distance.min() >= 4.0
    assert distance.max() <= 6.5
    assert positions[:, 2].min() >= 1.2
    assert positions[:, 2].max() <= 1.9


def test_look_slightly_down():
    tilt = np.degrees([np.arcsin(-camera.rotation[2, 2]) for camera in CAMERAS])
    assert tilt.min() > 0
    assert tilt.max() < 20


def test_up_in_the_world_is_up_in_the_image():
    for camera in CAMERAS:
        low, high = camera.project(camera.to_camera(np.array([[0.0, 0, 0], [0, 0, 1.7]])))
        assert high[1] < low[1] - 200


def test_principal_ray_projects_to_the_principal_point():
    camera = CAMERAS[0]
    point = camera.position + 3 * camera.rotation[2]
    np.testing.assert_allclose(camera.project(camera.to_camera(point)), camera.intrinsics[2:])


def test_room_middle_is_in_the_image():
    for camera in CAMERAS:
        pixel = camera.project(camera.to_camera(np.array([0.0, 0.0, 0.9])))
        assert (pixel > 200).all()
        assert (pixel < np.array(IMAGE_SIZE) - 200).all()

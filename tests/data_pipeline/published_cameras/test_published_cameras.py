"""The tables of cameras reproject real frames."""

import numpy as np
import pytest

from data_pipeline import published_cameras

SUBJECTS = [f'S{number}' for number in range(1, 12)]


def every():
    for subject in SUBJECTS:
        for camera in published_cameras.HUMAN36M_CAMERAS:
            yield published_cameras.human36m(subject, camera)
    for camera in published_cameras.MPI_INF_3DHP_CAMERAS:
        yield published_cameras.mpi_inf_3dhp(camera)


def test_rotations_are_rotations():
    for camera in every():
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=2e-6)
        assert np.linalg.det(camera.rotation) == pytest.approx(1, abs=1e-5)


def test_the_middle_of_the_floor_is_in_every_picture_of_human36m():
    for subject in SUBJECTS:
        for name in published_cameras.HUMAN36M_CAMERAS:
            camera = published_cameras.human36m(subject, name)
            pixel = camera.project(camera.to_camera(np.array([0, 0, 900.0])))
            assert (np.abs(pixel - 500) < 500).all(), (subject, name)


def test_test_cameras_have_no_place():
    camera = published_cameras.mpi_inf_3dhp('TS5')
    assert camera.image_size == (1920, 1080)
    with pytest.raises(ValueError, match='not published'):
        camera.to_camera(np.zeros(3))


def test_an_unknown_camera_is_named():
    with pytest.raises(ValueError, match=r"subject of Human3\.6M is 'S12'"):
        published_cameras.human36m('S12', '54138969')
    with pytest.raises(ValueError, match="camera of MPI-INF-3DHP is '3'"):
        published_cameras.mpi_inf_3dhp('3')


def test_real_frames_of_human36m_reproject(real_samples):
    with np.load(real_samples / 'h36m-mmpose' / 'sample.npz') as sample:
        sample = dict(sample)
    distances = []
    for i in range(len(sample['subject'])):
        camera = published_cameras.human36m(str(sample['subject'][i]), str(sample['camera'][i]))
        distance = camera.project(sample['joints_3d_cam_mm'][i]) - sample['joints_2d_gt'][i]
        distances.append(np.linalg.norm(distance, axis=-1))
        # The published pose is given the other way round: x_world = R' x_camera + place.
        world = (
            sample['joints_3d_cam_mm'][i] @ sample['R_cam_to_world'][i].T
            + sample['cam_pos_world_mm'][i]
        )
        difference = camera.to_camera(world) - sample['joints_3d_cam_mm'][i]
        np.testing.assert_allclose(difference, 0, atol=1e-6)
    assert np.mean(distances) < 0.1


def test_real_frames_of_mpi_inf_3dhp_have_these_intrinsics(real_samples):
    with np.load(real_samples / 'mpi-inf-3dhp-mmpose' / 'sample.npz') as sample:
        sample = dict(sample)
    for i, name in enumerate(('0', '8', 'TS1', 'TS2')):
        camera = published_cameras.mpi_inf_3dhp(name)
        matrix = sample['K'][i]
        from_matrix = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]]
        np.testing.assert_allclose(camera.intrinsics, from_matrix, atol=1e-3)
        distance = np.linalg.norm(
            camera.project(sample['joints_3d_cam_mm'][i]) - sample['joints_2d'][i], axis=-1
        )
        # Its 2D and 3D labels are two measurements (the sample's README): 0.2 to 0.4 px apart.
        assert distance[sample['visible'][i] > 0].mean() < 0.5

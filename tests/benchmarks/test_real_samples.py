"""Real samples come in one order, unit and frame, and their pictures are those of the joints."""

import pathlib

import numpy as np
import pytest

from benchmarks import real_samples
from capf_jax.pose.skeletons import H36M17

FOLDER = pathlib.Path(__file__).resolve().parents[3] / 'shared' / 'real'
needs_samples = pytest.mark.skipif(not FOLDER.is_dir(), reason='needs ../shared/real')
NUMBER = {'pose2sim-balancing': 400, 'h36m-mmpose': 4, 'mpi-inf-3dhp-mmpose': 4}
# Pixels by which projected 3D joints may differ from the 2D joints: the READMEs of the sets.
REPROJECTION = {'pose2sim-balancing': 0.01, 'h36m-mmpose': 0.3, 'mpi-inf-3dhp-mmpose': 2.1}


@pytest.fixture(params=real_samples.SETS)
def name(request):
    return request.param


@needs_samples
def test_sets_have_their_number_of_people(name):
    assert len(real_samples.read(FOLDER, name)) == NUMBER[name]


@needs_samples
def test_cameras_project_the_true_joints(name):
    for sample in real_samples.read(FOLDER, name, every=25):
        error = np.abs(sample.camera.project(sample.joints3d) - sample.joints2d)
        assert error.max() < REPROJECTION[name]


@needs_samples
def test_joints_are_those_of_a_person_in_the_order_of_human36m(name):
    """Bones have the lengths of a body, and left and right ones are of one length."""
    for sample in real_samples.read(FOLDER, name, every=25):
        joints = {joint: sample.joints3d[j] for j, joint in enumerate(H36M17.joints)}

        def bone(first, second, joints=joints):
            return np.linalg.norm(joints[first] - joints[second])

        for side in ('left', 'right'):
            assert 300 < bone(f'{side}_hip', f'{side}_knee') < 600
            assert 300 < bone(f'{side}_knee', f'{side}_ankle') < 520
            assert 220 < bone(f'{side}_shoulder', f'{side}_elbow') < 380
            assert 180 < bone(f'{side}_elbow', f'{side}_wrist') < 330
        assert 380 < bone('pelvis', 'thorax') < 620
        assert bone('thorax', 'head') > bone('thorax', 'nose') > 40
        middle = (joints['left_hip'] + joints['right_hip']) / 2
        assert np.linalg.norm(joints['pelvis'] - middle) < 60


@needs_samples
def test_pictures_have_the_size_that_the_camera_says(name):
    samples = real_samples.read(FOLDER, name, every=60)
    images = list(real_samples.pictures(samples))
    assert len(images) == len(samples)
    for sample, image in zip(samples, images, strict=True):
        assert image.shape == (*sample.camera.image_size[::-1], 3)
        assert image.dtype == np.uint8
        inside = (sample.joints2d > 0) & (sample.joints2d < sample.camera.image_size)
        assert inside.all(1).sum() >= 15  # The border cuts two joints of one person.


@needs_samples
def test_skipping_frames_gives_the_same_pictures():
    name = 'pose2sim-balancing'
    whole = real_samples.read(FOLDER, name)[:11]
    some = real_samples.read(FOLDER, name, every=5)[:3]
    assert [sample.frame for sample in some] == [0, 5, 10]
    expected = list(real_samples.pictures(whole))[::5]
    for image, other in zip(real_samples.pictures(some), expected, strict=True):
        np.testing.assert_array_equal(image, other)


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match='h36m-mmpose'):
        real_samples.read(FOLDER, 'h36m-mpose')


def test_a_folder_without_the_set_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'h36m-mmpose/sample\.npz'):
        real_samples.read(tmp_path, 'h36m-mmpose')


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / 'h36m-mmpose').mkdir()
    np.savez(tmp_path / 'h36m-mmpose' / 'sample.npz', K=np.eye(3)[None])
    with pytest.raises(ValueError, match=r'sample\.npz cannot be read.*camera|image'):
        real_samples.read(tmp_path, 'h36m-mmpose')


def test_a_missing_picture_is_named(tmp_path):
    (tmp_path / 'h36m-mmpose').mkdir()
    np.savez(
        tmp_path / 'h36m-mmpose' / 'sample.npz',
        image=np.array(['absent.jpg']),
        camera=np.array(['one']),
        K=np.eye(3)[None],
        image_hw=np.array([[10, 10]]),
        joints_2d_gt=np.zeros((1, 17, 2)),
        joints_3d_cam_mm=np.zeros((1, 17, 3)),
    )
    samples = real_samples.read(tmp_path, 'h36m-mmpose')
    with pytest.raises(ValueError, match=r'absent\.jpg'):
        list(real_samples.pictures(samples))

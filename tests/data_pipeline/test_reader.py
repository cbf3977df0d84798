"""The frame of the poses that `Reader` gives: of the camera, or of the ray through the crop."""

import numpy as np
import pytest

from capf_jax.pose import crops, skeletons
from data_pipeline.reader import Reader, to_viewing_ray
from tests.data_pipeline import tiny_people

CROP = (256, 256)
INTRINSICS = np.array([1100, 1100, 500, 400], np.float32)


def turned(points, centre):
    """Points of the camera's frame in the viewing-ray frame of a crop around a centre."""
    affine = crops.box_affine(np.array(centre), 300, CROP).astype(np.float32)
    return to_viewing_ray(points[None], affine[None], INTRINSICS[None], CROP)[0]


def test_a_camera_that_is_aimed_at_the_crop_has_the_one_frame_for_both():
    pose = np.random.default_rng(0).normal(0, 0.5, (17, 3)).astype(np.float32)
    np.testing.assert_allclose(turned(pose, (500, 400)), pose, atol=1e-6)


@pytest.mark.parametrize('centre', [(900, 400), (120, 700), (-300, 1200)])
def test_the_ray_through_the_crops_middle_becomes_the_axis(centre):
    ray = np.array([(centre[0] - 500) / 1100, (centre[1] - 400) / 1100, 1], np.float32)
    result = turned(ray[None], centre)
    np.testing.assert_allclose(result, [[0, 0, np.linalg.norm(ray)]], atol=1e-5)


def test_the_turn_is_rigid_and_adds_no_roll():
    pose = np.random.default_rng(0).normal(0, 0.5, (17, 3)).astype(np.float32)
    result = turned(pose, (900, 400))
    np.testing.assert_allclose(
        np.linalg.norm(result, axis=-1), np.linalg.norm(pose, axis=-1), rtol=1e-5
    )
    np.testing.assert_allclose(result[:, 1], pose[:, 1], atol=1e-6)  # turned about the y axis


def test_a_readers_poses_are_of_the_frame_that_is_asked_for(tmp_path):
    builder = tiny_people.build(tmp_path)
    joints = skeletons.get('h36m17')
    camera, ray = (
        Reader(builder, 'test', joints, frame=frame).batch([0, 1])[0]
        for frame in ('camera', 'viewing_ray')
    )
    person = tiny_people.person(0)
    expected = to_viewing_ray(
        camera.joints3d[:1], person.affine[None], person.intrinsics[None], tiny_people.CROP
    )
    np.testing.assert_allclose(ray.joints3d[:1], expected, atol=1e-5)
    assert not np.allclose(ray.joints3d, camera.joints3d, atol=1e-3)


def test_an_unknown_frame_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"config\.model\.frame is 'viewing-ray'; .*'viewing_ray'"):
        Reader(tiny_people.build(tmp_path), 'test', skeletons.get('h36m17'), frame='viewing-ray')


def test_labels_are_the_places_of_actions_among_the_classes(tmp_path):
    builder, joints = tiny_people.build(tmp_path), skeletons.get('h36m17')
    batch, _ = Reader(builder, 'test', joints, classes=('sit', 'walk')).batch([0, 1])
    np.testing.assert_array_equal(batch.label, [1, 1])
    assert Reader(builder, 'test', joints).batch([0])[0].label is None
    with pytest.raises(ValueError, match=r"action 'walk', which is none of config\.data\.classes"):
        Reader(builder, 'test', joints, classes=('sit', 'stand')).batch([0])

"""Cameras of photographs look at the middle of the crop, from everywhere, and cut some people."""

import dataclasses

import cv2
import numpy as np
import pytest

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import photographs, poses, samples
from data_pipeline.datasets.synthetic.settings import Settings

SETTINGS = Settings(
    height=64, width=64, supersample=1, cameras='photographs', light='random', train_subjects=50
)
CROP_SIZE = (64, 64)
PEOPLE = 60


@pytest.fixture(scope='module')
def joints():
    """A standing person, world frame, metres."""
    rng = np.random.default_rng(0)
    pose = poses.sample_pose(rng, 'standing', samples.subject_of(0, 'train', 0).proportions)
    return pose.joints / 1000


def views(joints, truncation, count=PEOPLE):
    rng = np.random.default_rng(1)
    return [
        photographs.sample_view(rng, joints, CROP_SIZE, truncation, 'camera') for _ in range(count)
    ]


def pixels(view, joints):
    return view.camera.project(view.camera.to_camera(joints))


def beyond(view, points):
    """Which points are outside the picture."""
    return points @ view.border[:2] > view.border[2]


@pytest.mark.parametrize('crop_size', [(64, 64), (48, 64)])
def test_optical_axis_goes_through_the_middle_of_the_box(joints, crop_size):
    """The box is that of the joints as this very camera shows them, with the finder's error."""
    shift, scale = np.array([0.08, -0.05]), 1.2
    position = np.array([1.2, -0.8, 0.5])
    view = photographs.aim(position, 0.2, joints, joints, crop_size, 500.0, shift, scale, 'camera')
    centre, width = crops.joints_box(pixels(view, joints), crop_size, photographs.BOX_MARGIN)
    np.testing.assert_allclose(view.centre, centre + shift * width, atol=1e-4)
    np.testing.assert_allclose(view.centre, view.camera.intrinsics[2:])
    assert view.width == pytest.approx(scale * width, rel=1e-5)
    assert np.ptp(pixels(view, joints), axis=0).max() == pytest.approx(500, rel=1e-5)


def test_camera_stays_where_it_was_put_and_rolls_as_told(joints):
    position = np.array([3.0, 1.0, 1.4])
    view = photographs.aim(position, 0.3, joints, joints, CROP_SIZE, 500.0, np.zeros(2), 1.0, 'c')
    rotation = view.camera.rotation
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_array_equal(view.camera.position, position)
    # Without roll, the right of the camera is level; a positive roll lowers it.
    assert np.arcsin(-rotation[0, 2]) == pytest.approx(0.3, abs=0.01)


def test_every_view_is_aimed(joints):
    for view in views(joints, truncation=0.0):
        centre, width = crops.joints_box(pixels(view, joints), CROP_SIZE, photographs.BOX_MARGIN)
        np.testing.assert_array_equal(view.centre, view.camera.intrinsics[2:])
        assert np.abs(centre - view.centre).max() < 0.25 * width
        assert view.border is None


def test_middle_of_a_crop_is_the_viewing_ray():
    """The affine of a record maps the principal point to the middle of the crop."""
    for index in range(5):
        record = samples.make_sample(SETTINGS, 'train', index)
        middle = crops.apply_affine(record.affine, record.intrinsics[None, 2:])
        np.testing.assert_allclose(middle, [[31.5, 31.5]], atol=1e-3)


def test_views_have_every_height_distance_and_focal_length(joints):
    some = views(joints, truncation=0.0, count=300)
    middle = (joints.min(0) + joints.max(0)) / 2
    offsets = np.stack([view.camera.position - middle for view in some])
    distance = np.linalg.norm(offsets, axis=1)
    heights = np.array([view.camera.position[2] for view in some])
    pitch = np.degrees(np.arcsin(offsets[:, 2] / distance))
    focal = np.array([view.camera.intrinsics[0] for view in some])
    assert distance.min() < 1.7
    assert distance.max() > 10
    assert heights.min() >= photographs.LOWEST - 1e-6
    assert heights.min() < 0.5
    assert pitch.min() < -10
    assert pitch.max() > 40
    assert abs(np.median(pitch)) < 15
    assert focal.max() > 4 * focal.min()
    assert np.mean((heights > 0.8) & (heights < 1.8)) > 0.5


def test_no_joint_is_too_near_to_the_camera(joints):
    for view in views(joints, truncation=0.5):
        assert view.camera.to_camera(joints)[:, 2].min() > photographs.NEAREST


def test_border_cuts_a_part_of_the_person(joints):
    some = views(joints, truncation=1.0)
    lost = np.array([beyond(view, pixels(view, joints)).mean() for view in some])
    assert (lost > 0).all()
    assert lost.max() < 0.9
    sides = np.round([view.border[:2] for view in some])
    assert len(np.unique(sides, axis=0)) >= 4


def test_box_of_a_cut_person_lies_around_all_or_the_visible_joints(joints):
    outside = []
    for view in views(joints, truncation=1.0):
        affine = crops.box_affine(view.centre, view.width, CROP_SIZE)
        inside_crop = crops.apply_affine(affine, pixels(view, joints))
        outside.append(((inside_crop < -1) | (inside_crop > 64)).any())
    assert 0.1 < np.mean(outside) < 0.6


def test_share_of_cut_people_is_the_setting(joints):
    cut = [view.border is not None for view in views(joints, truncation=0.3, count=200)]
    assert 0.2 < np.mean(cut) < 0.4


def test_crop_is_black_beyond_the_border_and_only_there():
    image = np.full((64, 64, 3), 200, np.uint8)
    affine = crops.box_affine(np.array([500.0, 500.0]), 127.0, CROP_SIZE)  # half a crop pixel each
    crop = photographs.black_outside(image, affine, np.array([0.0, 1.0, 520.0]))
    row = crops.apply_affine(affine, np.array([[500.0, 520.0]]))[0, 1]
    assert (crop[: int(row) + 1] == 200).all()
    assert (crop[int(row) + 1 :] == 0).all()


def test_record_of_a_cut_person_keeps_the_true_joints_and_distrusts_the_detected():
    settings = dataclasses.replace(SETTINGS, truncation=1.0)
    rng = np.random.default_rng(3)
    person = samples.sample_person(rng, settings, 'train')
    outside = beyond(person.view, person.joints2d[: len(H36M17)])
    assert outside.any()
    assert np.isfinite(person.joints2d).all()
    assert person.detections.hidden[outside].all()


def test_black_part_of_a_record_is_the_outside():
    settings = dataclasses.replace(SETTINGS, truncation=1.0)
    for index in range(4):
        image = samples.make_sample(settings, 'train', index).image
        crop = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
        assert 0.02 < (crop.max(-1) < 12).mean() < 0.9


def test_joints_agree_with_the_record():
    """The camera of a record projects its 3D joints to its 2D joints."""
    record = samples.make_sample(SETTINGS, 'test', 3)
    fx, fy, cx, cy = record.intrinsics
    x, y, z = record.joints3d.T
    projected = np.stack([fx * x / z + cx, fy * y / z + cy], -1)
    np.testing.assert_allclose(projected, record.joints2d_truth, atol=0.01)


def test_samples_are_the_same_again():
    first, second = (samples.make_sample(SETTINGS, 'train', 7) for _ in range(2))
    assert first.image == second.image
    np.testing.assert_array_equal(first.joints3d, second.joints3d)

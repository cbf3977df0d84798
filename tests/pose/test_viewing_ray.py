"""Viewing-ray frame: a person at the picture's border is one on the optical axis."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose import cameras, crops, viewing_ray

K = np.array([1000.0, 1010.0, 640.0, 360.0])
SQUARE = np.array([1000.0, 1000.0, 640.0, 360.0])
SIZE = (256, 256)


def person(seed=0):
    """Joints [17, 3] in metres about a root at the origin."""
    return np.random.default_rng(seed).normal(size=(17, 3)) * [0.2, 0.4, 0.2]


def test_the_ray_through_the_point_becomes_the_axis():
    points = np.random.default_rng(1).uniform(-200, 1500, (20, 2))
    rotation = viewing_ray.rotation_towards(points, K)
    rays = viewing_ray.unproject(points, K)
    turned = viewing_ray.to_viewing_ray(rays[:, None], rotation)[:, 0]
    np.testing.assert_allclose(turned[:, :2], 0, atol=1e-12)
    np.testing.assert_allclose(turned[:, 2], np.linalg.norm(rays, axis=-1))


def test_the_turn_is_a_rotation_and_the_shortest():
    points = np.random.default_rng(2).uniform(-200, 1500, (20, 2))
    rotation = viewing_ray.rotation_towards(points, K)
    np.testing.assert_allclose(
        rotation @ rotation.swapaxes(1, 2), np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    rays = viewing_ray.unproject(points, K)
    cosine = rays[:, 2] / np.linalg.norm(rays, axis=-1)
    np.testing.assert_allclose(np.trace(rotation, axis1=1, axis2=2), 1 + 2 * cosine)


def test_no_turn_at_the_principal_point():
    np.testing.assert_allclose(viewing_ray.rotation_towards(K[2:], K), np.eye(3), atol=1e-15)


def test_poses_go_to_the_turned_frame_and_back():
    rotation = viewing_ray.rotation_towards(np.array([1200.0, 50.0]), K)
    turned = viewing_ray.to_viewing_ray(person(), rotation)
    assert np.abs(turned - person()).max() > 0.05
    np.testing.assert_allclose(viewing_ray.to_camera(turned, rotation), person(), atol=1e-12)


def test_points_go_to_the_crop_and_back():
    view = viewing_ray.around_box(np.array([900.0, 100, 200, 400]), K, SIZE)
    points = np.random.default_rng(3).uniform([900, 100], [1100, 500], (10, 2))
    there = view.to_crop(points)
    assert there.min() > 0
    assert there.max() < 255
    np.testing.assert_allclose(view.to_photograph(there), points, atol=1e-9)


def test_crop_joints_are_those_of_the_turned_camera():
    pose = person() + np.array([1.4, -0.6, 4.0])
    joints = cameras.project(pose, K)
    view = viewing_ray.around_points(joints, K, SIZE)
    seen = cameras.project(viewing_ray.to_viewing_ray(pose, view.rotation), view.crop_intrinsics)
    np.testing.assert_allclose(view.to_crop(joints), seen, atol=1e-9)


@pytest.mark.parametrize('place', [(630.0, 350.0), (1270.0, 40.0), (20.0, 700.0)])
def test_a_person_at_the_border_is_one_in_the_middle(place):
    """The same person, placed on the axis or turned away with it: the crop's joints are equal."""
    on_axis = person() + np.array([0, 0, 5.0])
    middle = viewing_ray.around_points(np.array([SQUARE[2:]]), SQUARE, SIZE)
    rotation = viewing_ray.rotation_towards(np.array(place), SQUARE)
    at_border = cameras.project(viewing_ray.to_camera(on_axis, rotation), SQUARE)
    expected = cameras.project(on_axis, middle.crop_intrinsics)
    turned = viewing_ray.around_points(np.array([place]), SQUARE, SIZE)
    np.testing.assert_allclose(turned.to_crop(at_border), expected, rtol=1e-9)


def test_pictures_of_a_person_at_the_border_and_in_the_middle_are_equal():
    """A smooth scene, seen by two cameras at one place: both crops show the same."""
    places = np.array([[640.0, 360.0], [1100.0, 600.0]])

    def picture(rotation):
        """What the camera sees, turned by `rotation` from the scene: grey by direction."""
        x, y = np.meshgrid(np.arange(1280.0), np.arange(720.0))
        rays = viewing_ray.unproject(np.stack([x, y], -1), SQUARE) @ rotation.T
        u, v = rays[..., 0] / rays[..., 2], rays[..., 1] / rays[..., 2]
        grey = 127 + 60 * np.sin(25 * u) + 60 * np.cos(31 * v + 3 * u)
        return np.repeat(grey[..., None], 3, axis=-1).round().astype(np.uint8)

    rotation = viewing_ray.rotation_towards(places[1], SQUARE)
    middle, border = (
        viewing_ray.around_box(np.array([*place - 60, 120, 120]), SQUARE, SIZE) for place in places
    )
    border = dataclasses.replace(border, crop_intrinsics=middle.crop_intrinsics)
    crops_of_both = [middle.crop(picture(np.eye(3))), border.crop(picture(rotation))]
    np.testing.assert_allclose(*np.asarray(crops_of_both, np.int16), atol=2)


def test_on_the_axis_it_is_the_affine_crop():
    joints = np.array([[600.0, 260], [680, 460]])  # its middle is the principal point
    view = viewing_ray.around_points(joints, SQUARE, (192, 256), margin=1.25)
    affine = crops.box_affine(*crops.joints_box(joints, (192, 256), 1.25), (192, 256))
    np.testing.assert_allclose(view.homography[:2], affine, atol=1e-9)
    np.testing.assert_allclose(view.homography[2], [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize('size', [100, 1000, 3000])
def test_the_picture_of_a_crop_lies_where_its_points_do(size):
    """A bright square in a picture of any scale is found where its middle is mapped."""
    image = np.zeros((size, size, 3), np.uint8)
    low, high = int(size * 0.55), int(size * 0.65)
    image[low:high, low:high] = 255
    intrinsics = np.array([size, size, (size - 1) / 2, (size - 1) / 2], np.float64)
    view = viewing_ray.around_box(np.array([0.4, 0.4, 0.4, 0.4]) * size, intrinsics, SIZE)
    crop = view.crop(image)[..., 0].astype(float)
    rows, columns = np.indices(crop.shape)
    centre = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    middle = view.to_crop(np.array([(low + high - 1) / 2] * 2))
    np.testing.assert_allclose(centre, middle, atol=0.3)


def test_the_crop_is_black_outside():
    image = np.full((50, 50, 3), 200, np.uint8)
    view = viewing_ray.around_box(np.array([500.0, 500, 20, 20]), np.array([50.0] * 4), (8, 8))
    assert not view.crop(image).any()


def test_a_picture_smaller_than_a_pixel_of_the_crop_takes_no_memory():
    image = np.full((50, 50, 3), 200, np.uint8)
    view = viewing_ray.around_box(np.array([-1e9, -1e9, 2e9, 2e9]), np.array([50.0] * 4), (8, 8))
    assert view.crop(image).shape == (8, 8, 3)


@pytest.mark.parametrize('box', [[0, 0, 0, 5], [0, 0, 5, -1], [np.nan, 0, 5, 5]])
def test_empty_boxes_are_refused(box):
    with pytest.raises(UserError, match='cannot be cropped'):
        viewing_ray.around_box(np.array(box), K, SIZE)


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match='finite'):
        viewing_ray.around_points(np.array([[0.0, np.inf]]), K, SIZE)

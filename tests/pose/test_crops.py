"""Crops match the published ones, and go there and back."""

import pathlib

import cv2
import numpy as np
import pytest

from capf_jax.pose import crops, normalise

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / 'goldens'


@pytest.fixture(scope='module')
def golden():
    with np.load(GOLDENS / 'crops.npz') as arrays:
        return dict(arrays)


def _affines(golden):
    widths = golden['scale'][:, 0] * 200
    return [crops.box_affine(*box) for box in zip(golden['center'], widths, strict=True)]


@pytest.mark.parity
def test_affine_is_the_published_one(golden):
    np.testing.assert_allclose(_affines(golden), golden['transforms'], rtol=0, atol=1e-4)


@pytest.mark.parity
def test_crop_is_the_published_one(golden):
    cropped = [crops.crop_image(golden['frame'], affine) for affine in _affines(golden)]
    np.testing.assert_allclose(np.int32(cropped), golden['crops'], rtol=0, atol=2)


def test_box_maps_its_edges_to_the_crops_edges():
    affine = crops.box_affine(np.array([500.0, 300.0]), 401.0, (96, 128))
    edges = crops.apply_affine(affine, np.array([[300.0, 300.0], [700.0, 300.0]]))
    np.testing.assert_allclose(edges, [[0, 63.5], [95, 63.5]], atol=1e-9)


@pytest.mark.parametrize('width', [1.0, np.nan])
def test_box_without_size_is_refused(width):
    with pytest.raises(ValueError, match='cannot be cropped'):
        crops.box_affine(np.zeros(2), width)


def test_crop_and_back_returns_the_pixel():
    rng = np.random.default_rng(0)
    affines = np.stack([crops.box_affine(rng.uniform(0, 999, 2), w) for w in (80, 420.5, 900)])
    points = rng.uniform(-50, 1050, (3, 17, 2))
    there = crops.apply_affine(affines, points)
    np.testing.assert_allclose(
        crops.apply_affine(crops.invert_affine(affines), there), points, atol=1e-9
    )


def test_crop_shows_the_pixel_that_the_affine_says():
    image = np.zeros((400, 400, 3), np.uint8)
    image[211, 157] = 200
    affine = crops.box_affine(np.array([149.5, 199.5]), 96.0, (96, 128))
    x, y = np.rint(crops.apply_affine(affine, np.array([[157.0, 211.0]]))[0]).astype(int)
    assert crops.crop_image(image, affine, (96, 128))[y, x].min() == 200


def test_outside_the_image_is_black():
    image = np.full((50, 50, 3), 255, np.uint8)
    affine = crops.box_affine(np.array([25.0, 25.0]), 400.0)
    assert not crops.crop_image(image, affine)[0].any()


def test_root_box_follows_the_projection():
    centre, width = crops.root_box(np.array([100.0, 200.0, 5000.0]), [1000, 1100, 500, 510])
    # x from -900 to 1100 mm, y from -700 to 1300 mm at 5000 mm
    np.testing.assert_allclose(centre, [520, 510 + 66])
    assert width == pytest.approx(400)


def test_root_behind_the_camera_is_refused():
    with pytest.raises(ValueError, match='in front of the camera'):
        crops.root_box(np.array([0.0, 0.0, -1.0]), [1, 1, 0, 0])


@pytest.mark.parametrize('stretch', [(1, 3), (3, 1)])
def test_joints_box_holds_all_joints_with_the_margin(stretch):
    joints = np.random.default_rng(0).uniform(100, 200, (17, 2)) * stretch
    crop = np.array([192, 256])
    in_crop = crops.apply_affine(crops.box_affine(*crops.joints_box(joints)), joints)
    reach = np.abs(in_crop - (crop - 1) / 2).max(axis=0) / ((crop - 1) / 2)
    assert reach.max() == pytest.approx(1 / 1.25, rel=0.01)


def test_joints_box_of_one_point_can_be_cropped():
    assert np.isfinite(crops.box_affine(*crops.joints_box(np.ones((17, 2))))).all()


def test_joints_box_refuses_nan():
    with pytest.raises(ValueError, match='finite 2D joints'):
        crops.joints_box(np.full((17, 2), np.nan))


@pytest.fixture
def human36m(real_samples):
    """Four frames: joints in 3D (mm), cameras, 2D joints; and the images."""
    with np.load(real_samples / 'h36m-mmpose' / 'sample.npz') as arrays:
        frames = {key: arrays[key] for key in arrays.files}
    paths = sorted((real_samples / 'h36m-mmpose' / 'images').iterdir())
    return frames, [cv2.imread(str(path)) for path in paths]


def test_real_joints_land_on_their_2d_and_come_back_from_the_crop(human36m):
    """Four Human3.6M frames: project with distortion, crop, normalise, and all the way back."""
    frames, images = human36m
    assert len(images) == len(frames['joints_3d_cam_mm']) == 4
    for i, image in enumerate(images):
        joints = frames['joints_3d_cam_mm'][i].astype(np.float64)
        lens, distortion = (frames[key][i].astype(np.float64) for key in ('K', 'dist_k1k2p1p2k3'))
        zero = np.zeros(3)
        projected = cv2.projectPoints(joints, zero, zero, lens, distortion)[0][:, 0]
        truth = frames['joints_2d_gt'][i]
        np.testing.assert_allclose(projected, truth, rtol=0, atol=0.5)

        box = crops.root_box(joints[0], [lens[0, 0], lens[1, 1], lens[0, 2], lens[1, 2]])
        affine = crops.box_affine(*box)
        of_crop = normalise.normalise_by_crop(
            crops.apply_affine(affine, projected), crops.CROP_SIZE
        )
        assert (np.abs(of_crop) < 1).all()
        in_crop = normalise.denormalise_by_crop(of_crop, crops.CROP_SIZE)
        back = crops.apply_affine(crops.invert_affine(affine), in_crop)
        np.testing.assert_allclose(back, truth, rtol=0, atol=0.5)

        size = frames['image_hw'][i][::-1].astype(np.float64)
        assert image.shape[1::-1] == tuple(size)
        of_image = normalise.normalise_by_image(projected, size)
        assert (np.abs(of_image) < [1, size[1] / size[0]]).all()
        back = normalise.denormalise_by_image(of_image, size)
        np.testing.assert_allclose(back, truth, rtol=0, atol=0.5)

        # The crop shows at each joint what the image shows there, both blurred against jumps.
        image = cv2.GaussianBlur(image, (0, 0), 4)
        pixels = np.rint(in_crop)
        columns, rows = pixels.astype(int).T
        x, y = np.rint(crops.apply_affine(crops.invert_affine(affine), pixels)).astype(int).T
        shown = crops.crop_image(image, affine)[rows, columns].astype(int)
        assert np.abs(shown - image[y, x]).max() < 12

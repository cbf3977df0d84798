"""Heatmaps: a joint drawn into a map comes back out of it."""

import numpy as np
import pytest

from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import (
    DECODERS,
    average_flipped,
    heatmaps_to_joints,
    joints_of,
    probabilities_to_joints,
    refined_joints,
    target_heatmaps,
)

SIZE = (16, 12)


def joints(number=50, seed=0):
    """[number, 1, 2] crop pixels, at least two heatmap pixels inside the map."""
    rng = np.random.default_rng(seed)
    return rng.uniform([8, 8], [36, 52], (number, 1, 2)).astype(np.float32)


def test_subpixel_peak_of_a_gaussian_is_exact():
    truth = joints()
    decoded, _ = heatmaps_to_joints(target_heatmaps(truth, SIZE, 1.5), subpixel=True)
    np.testing.assert_allclose(decoded, truth, atol=2e-3)


def test_quarter_pixel_shift_is_within_a_quarter_heatmap_pixel():
    truth = joints()
    decoded, _ = heatmaps_to_joints(target_heatmaps(truth, SIZE, 1.5))
    assert np.abs(decoded - truth).max() <= 1.0 + 1e-4


@pytest.mark.parametrize(
    ('higher', 'expected'),
    [((5, 4), (4.25, 4)), ((3, 4), (3.75, 4)), ((4, 5), (4, 4.25)), ((4, 3), (4, 3.75))],
)
def test_quarter_pixel_shift_goes_to_the_higher_neighbour(higher, expected):
    heatmaps = np.zeros((1, *SIZE, 1), np.float32)
    heatmaps[0, 4, 4] = 1.0
    heatmaps[0, higher[1], higher[0]] = 0.5
    decoded, height = heatmaps_to_joints(heatmaps)
    np.testing.assert_array_equal(decoded[0, 0], 4 * np.array(expected))
    assert height[0, 0] == 1.0


@pytest.mark.parametrize(
    ('peak', 'shifted'),
    [((2, 2), True), ((10, 14), True), ((1, 5), False), ((5, 1), False), ((11, 5), False),
     ((5, 15), False), ((0, 5), False)],
)  # fmt: skip
def test_quarter_pixel_shift_is_of_both_coordinates_or_none(peak, shifted):
    heatmaps = np.zeros((1, *SIZE, 1), np.float32)
    heatmaps[0, peak[1] - 1 : peak[1] + 2, max(peak[0] - 1, 0) : peak[0] + 2] = 0.5
    heatmaps[0, peak[1], peak[0]] = 1.0
    heatmaps[0, peak[1] - 1, peak[0]] = heatmaps[0, peak[1], peak[0] - 1] = 0.6
    decoded, _ = heatmaps_to_joints(heatmaps)
    np.testing.assert_array_equal(decoded[0, 0], 4 * (np.array(peak) - 0.25 * shifted))


@pytest.mark.parametrize('subpixel', [False, True])
@pytest.mark.parametrize('corner', [(0, 0), (11, 15)])
def test_peak_in_a_corner_stays(subpixel, corner):
    heatmaps = np.zeros((1, *SIZE, 1), np.float32)
    heatmaps[0, corner[1], corner[0]] = 1.0
    decoded, _ = heatmaps_to_joints(heatmaps, subpixel=subpixel)
    np.testing.assert_array_equal(decoded[0, 0], 4 * np.array(corner))


@pytest.mark.parametrize('value', [0.0, -1.0, 1.0])
def test_flat_map_gives_finite_joints(value):
    decoded, _ = heatmaps_to_joints(np.full((1, *SIZE, 2), value, np.float32), subpixel=True)
    assert np.isfinite(decoded).all()


def test_joints_are_decoded_each_from_its_own_map():
    truth = joints(6).reshape(2, 3, 2)
    decoded, _ = heatmaps_to_joints(target_heatmaps(truth, SIZE, 1.5), subpixel=True)
    np.testing.assert_allclose(decoded, truth, atol=2e-3)


def test_target_outside_the_map_is_only_a_flank():
    target = target_heatmaps(np.array([[[-40.0, 20.0]]]), SIZE, 1.5)
    assert target.max() < 1e-6


def test_mean_of_a_narrow_probability_is_its_place_within_a_tenth_of_a_heatmap_pixel():
    truth = joints()
    heatmaps = target_heatmaps(truth, SIZE, 0.7)
    decoded, _ = probabilities_to_joints(heatmaps / heatmaps.sum(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(decoded, truth, atol=0.4)


def test_mean_of_a_probability_leaves_a_second_place_out():
    near, far = np.array([[[12.0, 12.0]]]), np.array([[[32.0, 48.0]]])
    heatmaps = 0.6 * target_heatmaps(near, SIZE, 0.5) + 0.4 * target_heatmaps(far, SIZE, 0.5)
    decoded, confidence = probabilities_to_joints(
        heatmaps / heatmaps.sum(axis=(1, 2), keepdims=True)
    )
    np.testing.assert_allclose(decoded, near, atol=0.01)
    assert 0 < confidence[0, 0] < 1


def test_flip_test_moves_the_mirrored_maps_one_pixel_right_and_swaps_joints():
    heatmaps = np.zeros((1, 1, 4, 2), np.float32)
    heatmaps[0, 0, 2, 0] = 1.0  # the left joint
    mirrored = np.zeros((1, 1, 4, 2), np.float32)
    mirrored[0, 0, :, 1] = [
        0.0,
        0.0,
        0.5,
        0.25,
    ]  # turned back: 0.25 0.5 0 0; moved: 0.25 0.25 0.5 0
    averaged = average_flipped(heatmaps, mirrored, (1, 0))
    np.testing.assert_array_equal(averaged[0, 0, :, 0], [0.125, 0.125, 0.75, 0.0])
    np.testing.assert_array_equal(averaged[0, 0, :, 1], np.zeros(4))


def test_a_joint_and_its_mirror_image_meet_in_the_flip_test():
    place = np.array([[[18.0, 20.0]]])
    mirror = np.array([[[48 - 1 - 18.0, 20.0]]])  # crop x -> w - 1 - x
    plain, mirrored = (target_heatmaps(p, SIZE, 1.5) for p in (place, mirror))
    decoded, _ = heatmaps_to_joints(average_flipped(plain, mirrored, (0,)), subpixel=True)
    np.testing.assert_allclose(decoded, place, atol=0.55)  # a pixel is 4, the mirrored one is at 3


def test_a_refined_joint_is_the_peak_near_its_guess_moved_by_its_offset():
    heatmaps = np.zeros((1, *SIZE, 1), np.float32)
    heatmaps[0, 3, 8], heatmaps[0, 12, 2] = 0.5, 0.9  # the second is somebody else's
    offsets = np.zeros((1, *SIZE, 1, 2), np.float32)
    offsets[0, 3, 8, 0] = (0.25, -0.5)
    guesses = np.array([[[7.0, 3.0]]], np.float32)
    position, confidence = refined_joints(heatmaps, offsets, guesses)
    np.testing.assert_allclose(position[0, 0], [4 * 8.25, 4 * 2.5])
    np.testing.assert_allclose(confidence, 0.5)


def test_a_network_without_heatmaps_has_no_joints():
    with pytest.raises(ValueError, match='resnet50_imagenet has no heatmaps'):
        joints_of(Detection((), None), catalog.get('resnet50_imagenet'))


@pytest.mark.parametrize('name', catalog.names())
def test_every_detector_with_heatmaps_has_a_decoder(name):
    entry = catalog.get(name)
    assert (entry.decode in DECODERS) == (entry.heatmaps is not None)

"""Figures of sampling points: the worst joint is found, and every point is drawn."""

import numpy as np

from capf_jax.figures import where_it_looks
from capf_jax.figures.where_it_looks import Look
from capf_jax.pose.skeletons import H36M17

BLOCKS, LEVELS, HEADS, POINTS = 3, 4, 2, 2


def look(frame=0):
    random = np.random.default_rng(frame)
    joints = random.uniform(10, 40, (17, 2))
    truth = joints + 1.0
    truth[13] += [0, 6]
    points = random.uniform(-0.2, 0.2, (BLOCKS, LEVELS, 17, HEADS, POINTS, 2))
    weights = np.full(points.shape[:-1], 1 / POINTS)
    image = np.zeros((64, 48, 3), np.uint8)
    return Look(image, joints, truth, points, weights, f'S9, Walking, frame {frame}')


def points_of(axes):
    return sum(len(collection.get_offsets()) for collection in axes.collections)


def test_the_worst_joint_is_the_one_farthest_from_its_true_place():
    assert look().worst_joint == 13


def test_points_are_in_pixels_of_the_crop():
    one = look()
    middle = np.zeros_like(one.points)
    np.testing.assert_allclose(
        Look(one.image, one.joints2d_crop, one.truth_crop, middle, one.weights, '').pixels(3),
        np.broadcast_to([24, 32], (BLOCKS, LEVELS, HEADS * POINTS, 2)),
    )


def test_every_block_is_on_the_whole_crop_and_each_level_has_its_own_panel():
    figure = where_it_looks.every_block(look(), 13, H36M17, list('abcd'))
    whole, *levels = figure.axes
    assert points_of(whole) == BLOCKS * LEVELS * HEADS * POINTS
    assert [points_of(axes) for axes in levels] == [BLOCKS * HEADS * POINTS] * LEVELS


def test_a_closer_look_holds_the_detected_and_the_true_joint():
    one = look()
    axes = where_it_looks.every_block(one, 13, H36M17, list('abcd')).axes[1]
    for joint in (one.joints2d_crop[13], one.truth_crop[13]):
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        assert left < joint[0] < right
        assert high < joint[1] < low


def test_frames_stand_side_by_side_with_the_joint_in_the_middle():
    looks = [look(frame) for frame in range(3)]
    figure = where_it_looks.over_frames(looks, 13, H36M17, ['1', '2', '3'])
    assert len(figure.axes) == 6

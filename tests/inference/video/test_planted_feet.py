"""The smallest moves by which standing feet rest; whole tracks are in test_standing_feet.py."""

import numpy as np
import pytest

from capf_jax.inference.video import planted_feet

FRAMES = 90
TIMES = np.arange(FRAMES) / 30.0


@pytest.fixture(scope='module')
def stands():
    """Left and right foot in turn, ten frames each."""
    turn = np.arange(FRAMES) // 10 % 2
    return np.stack([turn == 0, turn == 1], axis=-1)


@pytest.fixture(scope='module')
def feet():
    """Two feet [T, 2, 3] that sway together by five centimetres, and two millimetres alone."""
    sway = 0.05 * np.sin(4 * TIMES)[:, None, None] * np.array([1.0, 0.0, 0.5])
    own = 0.002 * np.random.default_rng(0).normal(size=(FRAMES, 2, 3))
    return np.array([[-0.1, 1, 4], [0.1, 1, 4]]) + sway + own


def test_a_standing_foot_is_at_one_place(feet, stands):
    person, legs = planted_feet.smallest_moves(feet, stands, TIMES)
    moved = feet + person[:, None] + legs
    for start in range(0, FRAMES, 10):
        side = start // 10 % 2
        np.testing.assert_allclose(np.ptp(moved[start : start + 10, side], axis=0), 0, atol=1e-9)


def test_the_person_is_moved_rather_than_the_legs(feet, stands):
    person, legs = planted_feet.smallest_moves(feet, stands, TIMES)
    assert 3 * np.abs(legs).max() < np.abs(person).max() < 0.15


def test_moves_are_smooth_where_rests_begin_and_end(feet, stands):
    person, legs = planted_feet.smallest_moves(feet, stands, TIMES)
    steps = np.abs(np.diff(person[:, None] + legs, axis=0))
    assert steps.max() < 0.02  # the feet sway by up to 8 mm a frame


def test_frames_need_not_come_evenly():
    # A person who glides is moved against that at one speed, whenever the frames come.
    times = np.cumsum(np.tile([0.02, 0.02, 0.06], 30))
    feet = np.array([[-0.1, 1, 4], [0.1, 1, 4]]) + times[:, None, None] * [0.3, 0, 0.1]
    person, legs = planted_feet.smallest_moves(feet, np.ones((90, 2), bool), times)
    speeds = np.diff(person, axis=0) / np.diff(times)[:, None]
    np.testing.assert_allclose(speeds, np.tile([-0.3, 0, -0.1], (89, 1)), atol=0.002)
    assert np.abs(legs).max() < 0.001


def test_feet_that_rest_are_left_alone(stands):
    still = np.broadcast_to(np.array([[-0.1, 1, 4], [0.1, 1, 4.0]]), (FRAMES, 2, 3))
    person, legs = planted_feet.smallest_moves(still, stands, TIMES)
    np.testing.assert_allclose(person, 0, atol=1e-9)
    np.testing.assert_allclose(legs, 0, atol=1e-9)

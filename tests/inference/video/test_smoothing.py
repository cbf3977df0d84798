"""Smoothing: less noise and no delay, and nothing across gaps."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference.video import smoothing
from capf_jax.inference.video.smoothing import Smoothing

TIMES = np.arange(240) / 60
TRUE = 0.3 * np.sin(2 * np.pi * 0.5 * TIMES)[:, None, None] * np.ones((1, 4, 3))
NOISY = TRUE + np.random.default_rng(0).normal(0, 0.02, TRUE.shape)
PRESENT = np.ones(240, bool)


def shake(values):
    return np.abs(np.diff(values - TRUE, axis=0)).mean()


@pytest.mark.parametrize('name', smoothing.NAMES[1:])
def test_noise_becomes_less(name):
    smooth = Smoothing(name).values(NOISY, TIMES, PRESENT)
    assert shake(smooth) < 0.3 * shake(NOISY)
    assert smooth.shape == NOISY.shape


def test_none_changes_nothing():
    assert Smoothing('none').values(NOISY, TIMES, PRESENT) is NOISY


@pytest.mark.parametrize('name', ['butterworth', 'savgol'])
def test_filters_of_whole_videos_do_not_delay(name):
    smooth = Smoothing(name).values(TRUE, TIMES, PRESENT)
    np.testing.assert_allclose(smooth[30:-30], TRUE[30:-30], atol=0.012)


def test_one_euro_sees_no_later_frame():
    changed = NOISY.copy()
    changed[100:] += 1
    one, other = (Smoothing('one_euro').values(x, TIMES, PRESENT) for x in (NOISY, changed))
    np.testing.assert_array_equal(one[:100], other[:100])
    assert np.abs(one[110:] - other[110:]).min() > 0.1


@pytest.mark.parametrize('name', smoothing.NAMES[1:])
def test_nothing_is_smoothed_across_a_gap(name):
    present = PRESENT.copy()
    present[100:110] = False
    changed = NOISY.copy()
    changed[110:] += 5
    one, other = (Smoothing(name).values(x, TIMES, present) for x in (NOISY, changed))
    np.testing.assert_array_equal(one[:100], other[:100])
    np.testing.assert_array_equal(one[100:110], NOISY[100:110])
    assert np.abs(other[110:] - 5 - one[110:]).max() < 1e-9


def test_a_gap_in_time_alone_is_one_too():
    times = np.concatenate([np.arange(5), 20 + np.arange(4)]) / 10
    parts = list(smoothing.stretches(np.ones(9, bool), times))
    assert parts == [slice(0, 5), slice(5, 9)]


def test_stretches_end_where_somebody_is_absent():
    present = np.array([0, 1, 1, 0, 1], bool)
    assert list(smoothing.stretches(present)) == [slice(1, 3), slice(4, 5)]


@pytest.mark.parametrize('name', ['butterworth', 'savgol'])
def test_frames_that_vary_in_time_are_smoothed_in_time(name):
    times = TIMES + np.random.default_rng(1).uniform(-0.4, 0.4, 240) / 60
    line = np.stack([2 * times, 1 - times], axis=1)
    smooth = Smoothing(name).values(line, times, PRESENT)
    np.testing.assert_allclose(smooth[20:-20], line[20:-20], atol=0.02)


@pytest.mark.parametrize('name', smoothing.NAMES)
@pytest.mark.parametrize('length', [1, 2, 3, 5])
def test_few_frames_are_no_trouble(name, length):
    values = NOISY[:length]
    smooth = Smoothing(name).values(values, TIMES[:length], PRESENT[:length])
    assert np.isfinite(smooth).all()
    np.testing.assert_allclose(smooth, values, atol=0.2)


def test_unknown_filters_and_cutoffs_are_told():
    with pytest.raises(UserError, match="the nearest is 'butterworth'"):
        Smoothing('butterwort')
    with pytest.raises(UserError, match='a cutoff of 0 Hz is none'):
        Smoothing('savgol', 0)

"""Detected 2D joints have the configured noise, and a confidence that falls with it."""

import numpy as np
import pytest
from scipy import special

from data_pipeline.datasets.synthetic import detections
from data_pipeline.datasets.synthetic.detections import (
    DEPTH_INSIDE,
    MARGIN,
    detect,
    detect_clip,
    hidden_joints,
)

TRUTH = np.random.default_rng(0).uniform(200, 800, (17, 2))
VISIBLE = np.zeros(17, bool)


def many(hidden, sigma=8.0, count=2000):
    rng = np.random.default_rng(1)
    people = [detect(rng, TRUTH, hidden, sigma) for _ in range(count)]
    errors = np.stack([person.joints2d for person in people]) - TRUTH
    return errors, np.stack([person.confidence for person in people])


@pytest.fixture
def no_swaps(monkeypatch):
    monkeypatch.setattr(detections, 'SWAP', 0.0)


@pytest.mark.usefixtures('no_swaps')
def test_visible_joints_err_by_sigma_per_axis():
    errors, _ = many(VISIBLE)
    assert errors.std() == pytest.approx(8.0, rel=0.15)
    assert np.abs(errors.mean((0, 1))).max() < 0.3


@pytest.mark.usefixtures('no_swaps')
def test_hidden_joints_err_two_to_three_times_as_much():
    hidden = np.arange(17) == 6
    errors, _ = many(hidden)
    medians = np.median(np.linalg.norm(errors, axis=-1), 0)
    assert 2 < medians[6] / np.median(medians[~hidden]) < 3


@pytest.mark.usefixtures('no_swaps')
def test_tails_are_heavier_than_gaussian():
    errors, _ = many(VISIBLE)
    z = errors.ravel() / errors.std()
    assert (z**4).mean() > 4  # 3 for a Gaussian


def test_confidence_falls_with_the_error():
    hidden = np.arange(17) % 3 == 0
    errors, confidence = many(hidden, count=500)
    error = np.linalg.norm(errors, axis=-1).ravel()
    assert np.corrcoef(np.log1p(error), confidence.ravel())[0, 1] < -0.5
    assert confidence.min() >= 0
    assert confidence.max() <= 1


def test_sides_are_confused_now_and_then():
    rng = np.random.default_rng(1)
    swapped = 0
    for _ in range(2000):
        joints2d = detect(rng, TRUTH, VISIBLE, 1e-3).joints2d
        swapped += np.linalg.norm(joints2d - TRUTH, axis=-1).max() > 10
    assert 0.01 < swapped / 2000 < 0.06


def test_no_noise_is_the_truth():
    np.testing.assert_array_equal(
        detect(np.random.default_rng(0), TRUTH, VISIBLE, 0.0).joints2d, TRUTH
    )


def test_a_joint_is_hidden_by_what_lies_before_its_own_limb():
    depth = np.full(17, 5.0)
    own_surface = depth - DEPTH_INSIDE
    assert not hidden_joints(own_surface, depth).any()
    assert hidden_joints(own_surface - 1.1 * MARGIN, depth).all()
    assert not hidden_joints(np.full(17, np.inf), depth).any()


# --- clips


def errors_of_clip(noise_seconds, bursts=0.0, frames=4000):
    """Errors [F, J, 2] of visible joints at 25 frames a second."""
    truth = np.broadcast_to(TRUTH, (frames, 17, 2))
    hidden = np.zeros((frames, 17), bool)
    people = detect_clip(
        np.random.default_rng(3), truth, hidden, 8.0, 25.0, noise_seconds=noise_seconds,
        bursts=bursts,
    )  # fmt: skip
    return np.stack([person.joints2d for person in people]) - TRUTH


def correlation(errors, frames):
    """Of the errors with those so many frames later."""
    return np.corrcoef(errors[:-frames].ravel(), errors[frames:].ravel())[0, 1]


@pytest.mark.usefixtures('no_swaps')
def test_errors_of_a_clip_last_as_long_as_asked():
    errors = errors_of_clip(0.2)
    assert correlation(errors, 5) == pytest.approx(np.exp(-1), abs=0.08)
    assert correlation(errors, 1) == pytest.approx(np.exp(-0.2), abs=0.06)


@pytest.mark.usefixtures('no_swaps')
def test_errors_of_a_clip_may_be_independent():
    assert abs(correlation(errors_of_clip(0.0), 1)) < 0.02


@pytest.mark.usefixtures('no_swaps')
def test_a_frame_of_a_clip_is_as_noisy_as_a_picture():
    clip, pictures = errors_of_clip(0.04), many(VISIBLE)[0]
    # The median, since the tails of few independent errors are uncertain.
    medians = [np.median(np.abs(errors)) for errors in (clip, pictures)]
    assert medians[0] == pytest.approx(medians[1], rel=0.2)


@pytest.mark.usefixtures('no_swaps')
def test_bursts_move_a_joint_far_for_a_few_frames():
    calm, wild = errors_of_clip(0.2, frames=1000), errors_of_clip(0.2, 0.5, frames=1000)
    far = [(np.linalg.norm(errors, axis=-1) > 30).mean() for errors in (calm, wild)]
    assert far[1] > far[0] + 0.01


def test_confusions_of_a_clip_last_and_are_as_frequent_as_those_of_pictures():
    rng = np.random.default_rng(0)
    inside = detections._spells(rng, np.full(60_000, 0.015), 3.0)
    assert inside.mean() == pytest.approx(0.015, abs=0.005)
    assert inside.sum() / (np.diff(inside.astype(int)) == 1).sum() == pytest.approx(3.0, rel=0.15)


def test_tails_are_those_of_scipy():
    normal = np.random.default_rng(0).normal(size=100)
    expected = special.stdtrit(detections.TAIL, special.ndtr(normal))
    np.testing.assert_allclose(detections._with_tails(normal), expected, rtol=1e-6)

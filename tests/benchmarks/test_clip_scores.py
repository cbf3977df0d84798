"""Scores of rendered clips, on people who are seen exactly, late, or with feet that slide."""

import dataclasses
import pathlib

import numpy as np
import pytest

from benchmarks import clip_scores
from benchmarks.walking_people import FPS, SIZE, Clip
from tests.inference import tracks_samples

LENGTH = 24
LEFT_ANKLE = 6


def clip_of(tracks, stands=None):
    """A clip whose truth is what tracks without gaps say."""
    if stands is None:
        stands = np.zeros((2, LENGTH, 2), bool)
    camera = dataclasses.replace(tracks.camera, distortion=None, image_size=SIZE)
    joints, visible = np.array(tracks.joints3d), np.ones((2, LENGTH))
    return Clip(pathlib.Path('clip.mp4'), camera, joints, stands, visible)


@pytest.fixture
def exact():
    """Two people who sway as they walk, in every frame."""
    tracks = tracks_samples.tracks(LENGTH, FPS)
    times = tracks.times
    root = np.stack([
        np.stack([-1 + 0.4 * times, 0.1 + 0 * times, 5 + 0 * times], -1),
        np.stack([1 + 0.4 * times, 0.1 + 0 * times, 6 + 0 * times], -1),
    ])  # fmt: skip
    swing = 0.3 * np.sin(2 * np.pi * times)[None, :, None, None] * tracks_samples.STANDING
    joints = root[:, :, None] + tracks_samples.STANDING + swing
    joints2d = joints[..., :2] / joints[..., 2:] * tracks.camera.intrinsics[:2]
    joints2d = joints2d + tracks.camera.intrinsics[2:]
    return dataclasses.replace(
        tracks,
        root=root,
        joints3d=joints,
        joints2d=joints2d,
        boxes=np.ones((2, LENGTH, 4)),
        valid=np.ones((2, LENGTH), bool),
    )


def test_people_who_are_seen_exactly_have_no_error(exact):
    clip = clip_of(exact)
    pairs = clip_scores.match(exact, clip)
    assert [sorted(one) for one in pairs] == [[(0, 0), (1, 1)]] * LENGTH
    assert clip_scores.identities(exact, clip, pairs) == (100, 100)
    np.testing.assert_allclose(clip_scores.errors(exact, clip, pairs), 0, atol=1e-6)


def test_joints_that_come_late_have_that_delay(exact):
    clip = clip_of(exact)
    pairs = clip_scores.match(exact, clip)
    late = clip_scores.true_tracks(clip, exact.times - 0.05)
    # What was there before the clip is not known.
    valid = np.ones((2, LENGTH), bool)
    valid[:, :2] = False
    tracks = dataclasses.replace(exact, joints3d=late, valid=valid)
    mpjpe, _, delay = clip_scores.errors(tracks, clip, pairs)
    assert (round(delay), mpjpe > 1) == (50, True)


def test_another_number_halfway_lowers_idf1(exact):
    clip = clip_of(exact)
    pairs = clip_scores.match(exact, clip)
    swapped = [[(1 - row, person) for row, person in one] for one in pairs[LENGTH // 2 :]]
    half = pairs[: LENGTH // 2] + swapped
    assert clip_scores.identities(exact, clip, half) == (50, 100)


def test_a_foot_that_slides_has_speed_and_drift(exact):
    stands = np.zeros((2, LENGTH, 2), bool)
    stands[0, 3:12, 0] = True
    joints = np.array(exact.joints3d)
    joints[0, 3:12, LEFT_ANKLE] = [1, 1, 5]
    joints[0, 4:12:2, LEFT_ANKLE, 0] += 0.01  # to and fro, and back at the end
    tracks, clip = dataclasses.replace(exact, joints3d=joints), clip_of(exact, stands)
    ((speed, drift, duration),) = clip_scores.feet(tracks, clip, [[(0, 0)]] * LENGTH)
    np.testing.assert_allclose([speed, drift, duration], [10 * FPS, 0, 8 / FPS], atol=1e-6)

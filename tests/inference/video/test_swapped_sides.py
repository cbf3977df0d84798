"""Left and right joints that a detector has mixed up get their own names back."""

import dataclasses

import numpy as np
import pytest

from capf_jax.inference.video import standing_feet, swapped_sides
from capf_jax.pose import skeletons
from tests.inference.video import walking_people
from tests.inference.video.test_standing_feet import tracks_of

SKELETON = skeletons.H36M17
LEGS = ('knee', 'ankle')


@pytest.fixture(scope='module', params=[15.0, 60.0], ids=['15 a second', '60 a second'])
def walk(request):
    """Someone who walks past the camera at 2 m/s, seen with an error of 1 cm."""
    times = np.arange(round(3 * request.param)) / request.param
    joints = walking_people.walk(times, (-3, 5), (3, 5))[None]
    noise = np.random.default_rng(0).normal(0, 0.01, joints.shape)
    return dataclasses.replace(tracks_of(joints, joints + noise), times=times, fps=request.param)


def exchanged(tracks, frames, names):
    """The tracks with left and right 2D joints of those names exchanged in some frames."""
    joints2d, confidence = np.array(tracks.joints2d), np.array(tracks.confidence)
    for name in names:
        pair = [SKELETON.index(f'{side}_{name}') for side in ('left', 'right')]
        for array in (joints2d, confidence):
            array[:, frames[:, None], pair] = array[:, frames[:, None], pair[::-1]]
    return dataclasses.replace(tracks, joints2d=joints2d, confidence=confidence)


def feet_are_apart(tracks):
    """[T] whether an exchange of the ankles is more than the error of the joints."""
    feet = tracks.joints2d[0][:, list(standing_feet.ankles('h36m17'))]
    return np.linalg.norm(feet[:, 0] - feet[:, 1], axis=-1) > 20  # pixels; 10 cm


def test_exchanged_legs_get_their_names_back(walk):
    frames = np.random.default_rng(1).choice(len(walk.times), len(walk.times) // 10, replace=False)
    mended = swapped_sides.with_sides(exchanged(walk, frames, LEGS))
    apart = feet_are_apart(walk)
    pair = list(standing_feet.ankles('h36m17'))
    np.testing.assert_array_equal(
        mended.joints2d[:, apart][..., pair, :], walk.joints2d[:, apart][..., pair, :]
    )


def test_the_confidence_goes_with_its_joint(walk):
    sure = np.array(walk.confidence)
    sure[..., SKELETON.index('left_ankle')] = 0.5
    walk, frame = dataclasses.replace(walk, confidence=sure), np.array([9])
    mended = swapped_sides.with_sides(exchanged(walk, frame, ['ankle']))
    np.testing.assert_array_equal(mended.confidence, walk.confidence)


def test_feet_that_pass_each_other_keep_their_names(walk):
    mended, apart = swapped_sides.with_sides(walk), feet_are_apart(walk)
    np.testing.assert_array_equal(mended.joints2d[:, apart], walk.joints2d[:, apart])


def test_a_pose_stays_as_it_was_predicted(walk):
    mended = swapped_sides.with_sides(exchanged(walk, np.array([9]), LEGS))
    np.testing.assert_array_equal(mended.joints3d, walk.joints3d)


def test_two_frames_are_too_few_to_tell(walk):
    short = dataclasses.replace(walk, valid=np.arange(len(walk.times))[None] < 2)
    np.testing.assert_array_equal(swapped_sides.with_sides(short).joints2d, walk.joints2d)

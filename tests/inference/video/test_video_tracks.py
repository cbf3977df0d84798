"""People who were smoothed while they came, and what is done with them at the end."""

import dataclasses

import numpy as np
import pytest

from capf_jax.inference.video import video_stream, video_tracks
from capf_jax.inference.video.smoothing import Smoothing
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import skeletons
from tests.inference.video import walking_people

SMOOTHING = Smoothing('one_euro')


@pytest.fixture(scope='module')
def raw():
    """Frames of someone who walks past, as they are predicted."""
    joints = walking_people.walk(np.arange(50) / 25, (-1, 5), (1, 5))[None]
    return walking_people.frames(joints, walking_people.colours(1))[0]


@pytest.fixture(scope='module')
def live(raw):
    """The same, smoothed while they come."""
    smooth = video_stream._LiveSmoothing(SMOOTHING)
    return video_tracks.of_frames(
        [dataclasses.replace(one, people=smooth(one.people, one.time)) for one in raw], 25.0
    )


def test_bones_of_a_recording_are_made_constant_as_those_of_a_video(raw, live):
    finish = Finish(SMOOTHING, feet=False)
    recorded = video_tracks.finished_live(live, finish)
    video = video_tracks.smooth(video_tracks.of_frames(raw, 25.0), SMOOTHING)
    np.testing.assert_allclose(recorded.joints3d, video.joints3d, atol=0.01)
    np.testing.assert_allclose(recorded.root, video.root, atol=0.01)


def test_what_was_smoothed_stays_where_bones_keep_their_own_lengths(live):
    recorded = video_tracks.finished_live(live, Finish(SMOOTHING, bones=False, feet=False))
    np.testing.assert_array_equal(recorded.joints3d, live.joints3d)
    np.testing.assert_array_equal(recorded.joints2d, live.joints2d)


def test_bones_keep_their_lengths_where_someone_was_hidden_and_stands(raw):
    seen = [one for t, one in enumerate(raw) if not 20 <= t < 30]
    gone = [dataclasses.replace(one, people=one.people.select([])) for one in raw[20:30]]
    colours = np.empty((0, *raw[0].colours.shape[1:]))
    gone = [dataclasses.replace(one, colours=colours) for one in gone]
    frames = sorted([*seen, *gone], key=lambda one: one.number)
    people = video_tracks.finished(video_tracks.of_frames(frames, 25.0), Finish(axes='y_up'))
    assert people.valid.all()
    parents = list(skeletons.get(people.skeleton).parents)
    lengths = np.linalg.norm(people.joints3d - people.joints3d[:, :, parents], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:, :1], lengths.shape), atol=1e-9)

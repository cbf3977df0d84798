"""Who is who over time: through crossings, half a second hidden, and after coming back."""

import numpy as np
import pytest

from capf_jax.inference.video import video_tracks
from capf_jax.inference.video.person_tracking import KnownPeople, Tracker
from capf_jax.scoring.identities import idf1
from tests.inference.video import walking_people

FPS = 25.0


def score(joints, colours, **options):
    """The identity score of tracks of these people, and the tracks."""
    frames, truth = walking_people.frames(np.stack(joints), colours, fps=FPS, **options)
    tracks = video_tracks.of_frames(frames, FPS)
    pairs = []
    for t, (frame, own) in enumerate(zip(frames, truth, strict=True)):
        here = np.flatnonzero(tracks.present[:, t])
        for n, person in enumerate(own):
            same = [p for p in here if np.array_equal(tracks.boxes[p, t], frame.people.boxes[n])]
            pairs.append((int(person), int(tracks.ids[same[0]]) if same else None))
    return idf1(pairs), tracks


@pytest.mark.parametrize('seed', range(3))
def test_people_who_cross_keep_their_numbers(seed):
    times = np.arange(100) / FPS
    joints = [
        walking_people.walk(times, (-2, 5), (2, 5)),
        walking_people.walk(times, (2, 6), (-2, 6), 0.3),
        walking_people.walk(times, (-1.5, 7), (1.5, 5.5), 0.6),
        walking_people.walk(times, (1.8, 8), (-1.8, 8), 0.1),
    ]
    result, tracks = score(joints, walking_people.colours(4, seed), seed=seed)
    assert result >= 0.95
    assert len(tracks) == 4


def test_people_dressed_alike_are_told_apart_by_where_they_go():
    times = np.arange(100) / FPS
    joints = [
        walking_people.walk(times, (-2, 5), (2, 5)),
        walking_people.walk(times, (2, 6.5), (-2, 6.5)),
    ]
    alike = np.tile(walking_people.colours(1), (2, 1, 1))
    assert score(joints, alike)[0] >= 0.95


def test_someone_hidden_for_half_a_second_is_the_same():
    times = np.arange(75) / FPS
    joint = walking_people.walk(times, (-1, 5), (1, 5))
    joint[30:43] = np.nan
    result, tracks = score([joint], walking_people.colours(1))
    assert (result, len(tracks)) == (1.0, 1)


def test_someone_who_comes_back_is_known_by_the_clothes():
    times = np.arange(60) / FPS
    here, away = walking_people.walk(times, (-2, 5), (3, 5)), np.full((75, 17, 3), np.nan)
    back = walking_people.walk(times, (3, 6), (-2, 6))
    stays = walking_people.walk(np.arange(195) / FPS, (-1, 8), (1, 8))
    joints = [np.concatenate([here, away, back]), stays]
    result, tracks = score(joints, walking_people.colours(2))
    assert result >= 0.95
    assert len(tracks) == 2


def test_someone_else_who_comes_is_not_taken_for_who_left():
    times = np.arange(60) / FPS
    one, other = (walking_people.walk(times, (-2, 5), (2, 5)) for _ in range(2))
    away = np.full((60 + 40, 17, 3), np.nan)
    joints = [np.concatenate([one, away]), np.concatenate([away, other])]
    assert len(score(joints, walking_people.colours(2))[1]) == 2


def test_a_mistake_of_the_finder_is_nobody():
    times = np.arange(60) / FPS
    blink = np.full((60, 17, 3), np.nan)
    blink[20:22] = walking_people.walk(times, (2, 6), (2.1, 6))[20:22]
    joints = [walking_people.walk(times, (-2, 5), (0, 5)), blink]
    assert len(score(joints, walking_people.colours(2))[1]) == 1


def test_the_order_of_the_people_in_a_frame_does_not_matter():
    times = np.arange(50) / FPS
    joints = [
        walking_people.walk(times, (-2, 5), (1, 5)), walking_people.walk(times, (2, 6), (-1, 6))
    ]  # fmt: skip
    colours = walking_people.colours(2)
    for shuffled in (False, True):
        assert score(joints, colours, shuffled=shuffled)[0] == 1.0


def test_a_number_that_was_told_of_a_tracklet_stays():
    times = np.arange(60) / FPS
    one, away = walking_people.walk(times, (-2, 5), (2, 5)), np.full((60, 17, 3), np.nan)
    colours = walking_people.colours(2)
    joints = [np.concatenate([one, away]), np.concatenate([away, one])]
    frames, _ = walking_people.frames(np.stack(joints), colours, fps=FPS)
    tracker, known, ids = Tracker(), KnownPeople(), []
    for frame in frames:
        # The light changes, so that the second person looks more and more like the first.
        share = np.clip(frame.time - 2.5, 0, 1)
        looks = frame.colours + share * (colours[:1] - frame.colours)
        numbers = tracker.update(frame.people, looks, frame.time)
        ids += [known.id_of(tracker.known[n]) for n in numbers]
    assert ids == [0] * 60 + [1] * 60

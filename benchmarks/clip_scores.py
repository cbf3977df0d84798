"""What people of a rendered clip are compared by: numbers, joints, delay and standing feet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.walking_people import FPS, Clip
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import standing_feet
from capf_jax.inference.video.smoothing import stretches
from capf_jax.pose import cameras
from capf_jax.scoring.identities import idf1

NEAR = 0.2  # of a person's height
VISIBLE = 0.4  # share of a person's joints that nobody hides, from which it should be seen
LEAST = 0.25  # seconds that a foot stands, at least
GOAL = 15.0  # mm/s that a foot drifts that stands, at most
DELAYS = np.arange(-0.05, 0.2001, 0.005)  # seconds

Pairs = list[list[tuple[int, int]]]


def match(tracks: Tracks, clip: Clip) -> Pairs:
    """For each frame pairs of a row of the tracks and the true person that it shows."""
    out = []
    places = cameras.project(clip.joints, clip.camera.intrinsics)
    for t, frame in enumerate(tracks.frames):
        rows = np.flatnonzero(tracks.present[:, t])
        true = places[:, frame]
        height = np.ptp(true[..., 1], axis=1)
        off = np.linalg.norm(tracks.joints2d[rows, t][:, None] - true[None], axis=-1).mean(-1)
        off = off / height
        pairs = []
        while off.size and off.min() < NEAR:
            row, person = np.unravel_index(off.argmin(), off.shape)
            pairs.append((int(rows[row]), int(person)))
            off[row], off[:, person] = np.inf, np.inf
        out.append(pairs)
    return out


def identities(tracks: Tracks, clip: Clip, pairs: Pairs) -> tuple[float, float]:
    """IDF1 in percent, and in how many percent of the frames people are there who can be seen.

    Who is less than `VISIBLE` and not there is not missed, and counts where it is there.
    """
    sightings: list[tuple[int | None, int | None]] = []
    seen = due = 0
    for t, frame in enumerate(tracks.frames):
        people = {person: row for row, person in pairs[t]}
        shown = {p for p in range(len(clip.joints)) if clip.visible[p, frame] >= VISIBLE}
        due, seen = due + len(shown), seen + len(shown & people.keys())
        sightings += [(p, people.get(p)) for p in shown | people.keys()]
        strangers = set(np.flatnonzero(tracks.present[:, t]).tolist()) - set(people.values())
        sightings += [(None, row) for row in strangers]
    return 100 * idf1(sightings), 100 * seen / due


def floor_off(tracks: Tracks, clip: Clip) -> float:
    """By how many degrees what is up is off; NaN where the tracks have no floor."""
    if tracks.camera.rotation is None:
        return np.nan
    up = tracks.camera.rotation[:, 2]
    return float(np.degrees(np.arccos(np.clip(up @ clip.camera.rotation[:, 2], -1, 1))))


def true_tracks(clip: Clip, times: np.ndarray) -> np.ndarray:
    """The true joints [P, T, J, 3] at any times, between frames along a cubic spline."""
    from scipy.interpolate import CubicSpline

    own = np.arange(clip.joints.shape[1]) / FPS
    return CubicSpline(own, clip.joints, axis=1)(np.clip(times, own[0], own[-1]))


def errors(tracks: Tracks, clip: Clip, pairs: Pairs) -> tuple[float, float, float]:
    """MPJPE, mm, and MPJVE, mm/s, relative to the pelvis, and the delay, ms.

    The delay is the shift in time with which velocities agree best with the true ones.
    """
    times, joints = tracks.times, tracks.joints3d_camera
    seen = [
        (row, person, slice(part.start, part.stop))
        for row, person, own in _sightings(tracks, pairs)
        for part in stretches(own)
    ]
    pose = joints - joints[:, :, :1]

    def off(delay: float, order: int) -> float:
        truth = true_tracks(clip, times - delay)
        truth = truth - truth[:, :, :1]
        steps = np.diff(times)[:, None, None]
        away = []
        for row, person, part in seen:
            one = pose[row, part] - truth[person, part]
            if order:
                one = np.diff(one, axis=0) / steps[part.start : part.stop - 1]
            away.append(np.linalg.norm(one, axis=-1).mean(axis=-1))
        return 1000 * float(np.concatenate(away).mean())

    delay = DELAYS[int(np.argmin([off(delay, 1) for delay in DELAYS]))]
    return off(0.0, 0), off(0.0, 1), 1000 * float(delay)


def feet(
    tracks: Tracks, clip: Clip, pairs: Pairs, *, in_sight: bool = False
) -> list[tuple[float, float, float]]:
    """Speed and drift, mm/s, and duration, s, of each time that a foot truly stands.

    With `in_sight` those alone in which no frame is filled in between two sightings.
    """
    out = []
    joints = tracks.joints3d_camera
    for side, ankle in enumerate(standing_feet.ankles(tracks.skeleton)):
        for row, person, own in _sightings(tracks, pairs):
            stands = clip.stands[person, tracks.frames, side]
            out += [
                rest_motion(joints[row, part, ankle], tracks.times[part])
                for part in stretches(own & stands)
                if tracks.times[part.stop - 1] - tracks.times[part.start] >= LEAST
                and not (in_sight and np.any(tracks.confidence[row, part, ankle] == 0))
            ]
    return out


def true_feet(clip: Clip) -> list[tuple[float, float, float]]:
    """The same of the true feet, in all frames."""
    times = np.arange(clip.joints.shape[1]) / FPS
    return [
        rest_motion(clip.joints[person, part, ankle], times[part])
        for side, ankle in enumerate(standing_feet.ankles('h36m17'))
        for person in range(len(clip.joints))
        for part in stretches(clip.stands[person, :, side])
        if times[part.stop - 1] - times[part.start] >= LEAST
    ]


def rest_motion(places: np.ndarray, times: np.ndarray) -> tuple[float, float, float]:
    """Speed and drift, mm/s, and duration, s, of a foot at places [T, 3], metres, and times [T].

    The drift is the way from its first to its last place over the duration.
    """
    duration = float(times[-1] - times[0])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    way = np.linalg.norm(places[-1] - places[0])
    return 1000 * float(steps.sum()) / duration, 1000 * float(way) / duration, duration


def mean_motion(motions: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """The mean speed and drift of several rests by their durations, and the sum of these."""
    values = np.reshape(motions, (-1, 3))
    speed, drift = np.average(values[:, :2], axis=0, weights=values[:, 2])
    return float(speed), float(drift), float(values[:, 2].sum())


def share_at_rest(motions: Sequence[tuple[float, float, float]]) -> float:
    """In how many percent of the time of several rests the drift is below the goal."""
    values = np.reshape(motions, (-1, 3))
    return 100 * float(np.average(values[:, 1] < GOAL, weights=values[:, 2]))


def _sightings(tracks: Tracks, pairs: Pairs) -> Iterator[tuple[int, int, np.ndarray]]:
    """A row, a true person, and [T] where this row with a pose shows this person."""
    shown: dict[tuple[int, int], np.ndarray] = {}
    for t, ones in enumerate(pairs):
        for row, person in ones:
            shown.setdefault((row, person), np.zeros(len(pairs), bool))[t] = tracks.valid[row, t]
    for (row, person), own in sorted(shown.items()):
        yield row, person, own

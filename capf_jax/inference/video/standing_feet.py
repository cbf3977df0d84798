"""Which feet stand: those whose ankle rests in the image, which one camera tells better than depth.

The camera must not move.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool

from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video.smoothing import stretches
from capf_jax.pose import skeletons

SIDES = ('left', 'right')
SLOWEST_STEP = 0.5  # metres per second across the line of sight; a foot that is slower stands
SHORTEST = 0.15  # seconds that a foot stands at least
DWELLS = 0.2  # seconds; a foot stands too that keeps within a small place for so long
_SMALL_PLACE = 0.04  # metres across the line of sight, from the middle of that place
_SPEED_OVER = 0.2  # seconds over which a speed is taken
_PLACE = 0.06  # metres across the line of sight within which a foot is in one place
# Two rests of one foot are one rest where no more lies between them than this.
_BREAK = 0.5  # seconds
_SAME_PLACE = 0.15  # metres across the line of sight


def ankles(skeleton: str) -> tuple[int, int]:
    """The numbers of the left and right ankle.

    Raises:
      UserError: the skeleton has none.
    """
    joints = skeletons.get(skeleton)
    return joints.index('left_ankle'), joints.index('right_ankle')


def standing(tracks: Tracks, unsmoothed: Tracks | None = None) -> Bool[np.ndarray, 'P T 2']:
    """Whether the left and the right foot of each person stands in each frame.

    Args:
      tracks: smoothed, so that a foot which stands for long is seen to although its joint jitters.
      unsmoothed: the same people before: smoothing blurs the short steps of who walks fast. None
        for none.
    """
    out = _stands(tracks, _slow)
    if unsmoothed is not None:
        out |= _stands(unsmoothed, _dwells)
    return _without_breaks(tracks, out)


def _stands(
    tracks: Tracks, rests: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Bool[np.ndarray, 'P T 2']:
    """Where a foot rests, by a function of its places [T, 2], metres, and their times [T]."""
    out = np.zeros((len(tracks), len(tracks.times), 2), bool)
    for person, stretch, side, places in _ways(tracks):
        out[person, stretch, side] = rests(places, tracks.times[stretch])
    return out


def _ways(tracks: Tracks) -> Iterator[tuple[int, slice, int, np.ndarray]]:
    """A person, a stretch of its frames, a side, and the foot's places [T, 2] there.

    Places are across the line of sight, in metres at the distance that the foot has on the whole.
    """
    focal = float(np.mean(np.asarray(tracks.camera.intrinsics)[:2]))
    depth = tracks.joints3d_camera[..., 2]
    for side, ankle in enumerate(ankles(tracks.skeleton)):
        for person in range(len(tracks)):
            for stretch in stretches(tracks.valid[person], tracks.times):
                if stretch.stop - stretch.start >= 3:
                    pixels = tracks.joints2d[person, stretch, ankle]
                    distance = np.median(depth[person, stretch, ankle])
                    yield person, stretch, side, pixels / focal * distance


def _without_breaks(tracks: Tracks, stands: Bool[np.ndarray, 'P T 2']) -> Bool[np.ndarray, 'P T 2']:
    """Joins rests of one foot at one place, between which its joint jumped or was hidden."""
    out = np.array(stands)
    for person, stretch, side, places in _ways(tracks):
        own, times = out[person, stretch, side], tracks.times[stretch]
        for before, after in itertools.pairwise(stretches(own)):
            way = np.median(places[after], axis=0) - np.median(places[before], axis=0)
            is_short = times[after.start] - times[before.stop - 1] <= _BREAK
            if is_short and np.linalg.norm(way) < _SAME_PLACE:
                own[before.stop : after.start] = True
    return out


def _slow(places: np.ndarray, times: np.ndarray) -> np.ndarray:
    """[T] where a foot is slow for long enough, and beside that in its place or still."""
    out = np.zeros(len(times), bool)
    step = max(round(_SPEED_OVER / np.median(np.diff(times))), 1)
    for rest in stretches(_speed(places, times, step) < SLOWEST_STEP):
        if times[rest.stop - 1] - times[rest.start] >= SHORTEST:
            out[_whole_rest(places, rest)] = True
    return out


def _dwells(places: np.ndarray, times: np.ndarray) -> np.ndarray:
    """[T] where a foot keeps within a small place for long enough."""
    out = np.zeros(len(times), bool)
    length = max(int(np.ceil(DWELLS / np.median(np.diff(times)) - 1e-6)) + 1, 3)
    if length > len(times):
        return out
    windows = np.lib.stride_tricks.sliding_window_view(places, length, axis=0)  # [., 2, length]
    away = np.linalg.norm(windows - np.median(windows, axis=-1, keepdims=True), axis=1)
    for start in np.flatnonzero(away.max(axis=-1) < _SMALL_PLACE):
        out[start : start + length] = True
    return out


def _whole_rest(places: np.ndarray, rest: slice) -> slice:
    """A time of rest with the frames beside it in which the foot is in its place already, or still.

    The speed over several frames is high already before a foot leaves.
    """
    near = np.linalg.norm(places - np.median(places[rest], axis=0), axis=-1) < _PLACE
    away_before = np.flatnonzero(~near[: rest.start])
    away_after = np.flatnonzero(~near[rest.stop :])
    start = away_before[-1] + 1 if len(away_before) else 0
    return slice(start, rest.stop + (away_after[0] if len(away_after) else len(near)))


def _speed(places: np.ndarray, times: np.ndarray, step: int) -> np.ndarray:
    """[T] speed of a point over `step` frames around each one, units a second."""
    before = np.maximum(np.arange(len(times)) - (step + 1) // 2, 0)
    after = np.minimum(np.arange(len(times)) + (step + 1) // 2, len(times) - 1)
    moved = np.linalg.norm(places[after] - places[before], axis=-1)
    return moved / (times[after] - times[before])

"""Which feet stand, and tracks whose standing feet do not slide.

A foot stands where its ankle rests in the image, which one camera tells much better than depth;
the camera must not move. A foot that stands stays where it stands on the whole: first the person is
moved, slowly, then the legs bend (two bones, closed form) so that the ankle rests and thigh and
shin keep their lengths.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video.smoothing import stretches
from capf_jax.pose import skeletons

SIDES = ('left', 'right')
SLOWEST_STEP = 0.35  # metres per second across the line of sight; a foot that is slower stands
SHORTEST = 0.15  # seconds that a foot stands at least
DWELLS = 0.2  # seconds; a foot stands too that keeps within a small place for so long
_SMALL_PLACE = 0.04  # metres across the line of sight, from the middle of that place
_SPEED_OVER = 0.2  # seconds over which a speed is taken
_PLACE = 0.06  # metres across the line of sight within which a foot is in one place
_SETTLE = 0.15  # seconds in which a leg finds back to where it was predicted
_MOVE_OVER = 0.3  # seconds over which the move of a person is averaged
_LONGEST_LEG = 0.999  # of thigh and shin: a leg that is stretched further turns over at the knee


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
    return out if unsmoothed is None else out | _stands(unsmoothed, _dwells)


def _stands(
    tracks: Tracks, rests: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Bool[np.ndarray, 'P T 2']:
    """Where a foot rests, by a function of its places [T, 2], metres, and their times [T]."""
    out = np.zeros((len(tracks), len(tracks.times), 2), bool)
    focal = float(np.mean(np.asarray(tracks.camera.intrinsics)[:2]))
    depth = tracks.joints3d_camera[..., 2]
    for side, ankle in enumerate(ankles(tracks.skeleton)):
        for person in range(len(tracks)):
            for stretch in stretches(tracks.valid[person], tracks.times):
                if stretch.stop - stretch.start < 3:
                    continue
                pixels = tracks.joints2d[person, stretch, ankle]
                metres = pixels / focal * np.median(depth[person, stretch, ankle])
                out[person, stretch, side] = rests(metres, tracks.times[stretch])
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


def without_sliding(tracks: Tracks, stands: Bool[np.ndarray, 'P T 2']) -> Tracks:
    """The tracks with feet that rest while they stand; nothing else of a pose changes.

    Args:
      tracks: along any axes.
      stands: of `standing`.
    """
    joints3d, root = np.array(tracks.joints3d), np.array(tracks.root)
    for person in range(len(tracks)):
        for stretch in stretches(tracks.valid[person], tracks.times):
            joints3d[person, stretch], moves = _planted(
                joints3d[person, stretch],
                stands[person, stretch],
                tracks.times[stretch],
                tracks.skeleton,
            )
            root[person, stretch] += moves
    return dataclasses.replace(tracks, joints3d=joints3d, root=root)


def _planted(
    joints: np.ndarray, stands: np.ndarray, times: np.ndarray, skeleton: str
) -> tuple[np.ndarray, np.ndarray]:
    """The joints [T, J, 3] of one stretch with resting feet, and the moves [T, 3] of the root."""
    import scipy.ndimage  # It takes long to import, and photographs do without it.

    if not stands.any() or len(times) < 2:
        return joints, np.zeros((len(joints), 3))
    feet = ankles(skeleton)
    targets = np.full((len(joints), 2, 3), np.nan)
    for side, ankle in enumerate(feet):
        for rest in stretches(stands[:, side]):
            targets[rest, side] = np.median(joints[rest, ankle], axis=0)
    off = targets - joints[:, feet]
    moves = _filled(
        np.nanmean(np.where(np.any(stands, axis=1)[:, None, None], off, 0.0), axis=1), stands
    )
    step = float(np.median(np.diff(times)))
    moves = scipy.ndimage.gaussian_filter1d(moves, _MOVE_OVER / 2 / step, axis=0, mode='nearest')
    joints = joints + moves[:, None]
    for side, ankle in enumerate(feet):
        left = targets[:, side] - joints[:, ankle]
        joints = _with_ankle(joints, _fading(left, stands[:, side], times), side, skeleton)
    return joints, moves


def _filled(moves: np.ndarray, stands: np.ndarray) -> np.ndarray:
    """Moves between two times of standing, of those at their ends."""
    at = np.flatnonzero(stands.any(axis=1))
    frames = np.arange(len(moves))
    return np.stack([np.interp(frames, at, moves[at, axis]) for axis in range(3)], axis=1)


def _fading(left: np.ndarray, stands: np.ndarray, times: np.ndarray) -> np.ndarray:
    """How far an ankle has to go: all of it while the foot stands, and less and less beside."""
    at = np.flatnonzero(stands)
    if not len(at):
        return np.zeros_like(left)
    after = np.clip(np.searchsorted(at, np.arange(len(times))), 0, len(at) - 1)
    before = np.clip(np.searchsorted(at, np.arange(len(times)), 'right') - 1, 0, len(at) - 1)
    out = np.zeros_like(left)
    weights = []
    for near in (at[before], at[after]):
        away = np.abs(times - times[near]) / _SETTLE
        weights.append((np.clip(1 - away, 0, 1), near))
    total = sum(weight for weight, _ in weights)
    for weight, near in weights:
        share = weight / np.maximum(total, 1.0)
        out += share[:, None] * left[near]
    out[at] = left[at]
    return out


def _with_ankle(joints: np.ndarray, moves: np.ndarray, side: int, skeleton: str) -> np.ndarray:
    """The joints with one ankle moved and the knee where both bones keep their lengths."""
    names = skeletons.get(skeleton)
    hip, knee, ankle = (names.index(f'{SIDES[side]}_{name}') for name in ('hip', 'knee', 'ankle'))
    other = names.index(f'{SIDES[1 - side]}_hip')
    start, bend, end = joints[:, hip], joints[:, knee], joints[:, ankle]
    thigh = np.linalg.norm(bend - start, axis=-1, keepdims=True)
    shin = np.linalg.norm(end - bend, axis=-1, keepdims=True)
    reach = end + moves - start
    length = np.linalg.norm(reach, axis=-1, keepdims=True)
    along = reach / np.maximum(length, 1e-9)
    length = np.clip(length, np.abs(thigh - shin) + 1e-6, _LONGEST_LEG * (thigh + shin))
    # The knee stays on its side; that of a straight leg bends square to the hips.
    aside = (bend - start) - np.sum((bend - start) * along, axis=-1, keepdims=True) * along
    square = np.cross(joints[:, other] - start, along) * (1 if side else -1)
    aside = np.where(np.linalg.norm(aside, axis=-1, keepdims=True) > 1e-4, aside, square)
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    forward = (thigh**2 - shin**2 + length**2) / (2 * length)
    up = np.sqrt(np.maximum(thigh**2 - forward**2, 0))
    moved = np.any(moves != 0, axis=-1, keepdims=True)
    out = np.array(joints)
    out[:, knee] = np.where(moved, start + forward * along + up * aside, bend)
    out[:, ankle] = np.where(moved, start + length * along, end)
    return out

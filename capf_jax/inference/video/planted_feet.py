"""Tracks whose standing feet do not slide.

A foot that stands is at one place, and the person and the legs are moved as little and as smoothly
as that takes: the moves are the least squares of one sparse system for all frames of a stretch. A
leg then bends (two bones, closed form), so that its ankle goes where it should, and thigh and shin
keep their lengths. The camera must not move.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video.smoothing import stretches
from capf_jax.inference.video.standing_feet import SIDES, ankles
from capf_jax.pose import skeletons

# What moving the person or a leg by a metre costs, squared, where a standing foot that is a metre
# off its place costs 1.
_PERSON, _LEG = 1e-5, 4e-3
# Seconds within which a move of a person or of a leg may change without costing more than its size.
_PERSON_CHANGES, _LEG_CHANGES = 0.6, 0.05
_LONGEST_LEG = 0.999  # of thigh and shin: a leg that is stretched further turns over at the knee


def without_sliding(tracks: Tracks, stands: Bool[np.ndarray, 'P T 2']) -> Tracks:
    """The tracks with feet that rest while they stand; bones keep their lengths.

    Args:
      tracks: along any axes.
      stands: of `standing_feet.standing`.
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
    if not stands.any() or len(times) < 3:
        return joints, np.zeros((len(joints), 3))
    moves, legs = smallest_moves(joints[:, ankles(skeleton)], stands, times)
    joints = joints + moves[:, None]
    for side in range(2):
        joints = _with_ankle(joints, legs[:, side], side, skeleton)
    return joints, moves


def smallest_moves(
    feet: Float[np.ndarray, 'T 2 3'],
    stands: Bool[np.ndarray, 'T 2'],
    times: Float[np.ndarray, ' T'],
) -> tuple[Float[np.ndarray, 'T 3'], Float[np.ndarray, 'T 2 3']]:
    """The smallest and smoothest moves of a person and its two ankles by which standing feet rest.

    Where a foot stands is unknown, too, and one place a rest.

    Args:
      feet: where the ankles are, metres, in three or more frames.
      stands: which of them stand.
      times: of the frames, seconds.

    Returns:
      The moves of the whole person, and how each ankle moves beyond that.
    """
    from scipy import sparse  # SciPy takes long to import, and photographs do without it.
    from scipy.sparse import linalg

    frames = len(times)
    rests = [(side, rest) for side in range(2) for rest in stretches(stands[:, side])]
    each: Any = sparse.eye_array(frames, format='csr')  # SciPy's own types know no slices of it
    speeds = _over(each[1:] - each[:-1], np.diff(times))
    bends = _over(speeds[1:] - speeds[:-1], (times[2:] - times[:-2]) / 2)  # second derivatives

    def cost(size: float, seconds: float) -> Any:
        return size * (each + seconds**4 * bends.T @ bends)

    person, leg = cost(_PERSON, _PERSON_CHANGES), cost(_LEG, _LEG_CHANGES)
    places = sparse.csr_array((len(rests), len(rests)))
    # A row for each frame of each rest: person + leg - place = - foot.
    at = np.concatenate([np.arange(rest.start, rest.stop) for _, rest in rests])
    sides = np.concatenate([np.full(rest.stop - rest.start, side) for side, rest in rests])
    numbers = np.concatenate(
        [np.full(rest.stop - rest.start, n) for n, (_, rest) in enumerate(rests)]
    )
    rows = np.arange(len(at))
    columns = np.stack([at, (1 + sides) * frames + at, 3 * frames + numbers])
    values = np.repeat([[1.0], [1.0], [-1.0]], len(at), axis=1)
    pins = sparse.csr_array(
        (values.ravel(), (np.tile(rows, 3), columns.ravel())),
        shape=(len(at), 3 * frames + len(rests)),
    )
    system = sparse.block_diag([person, leg, leg, places]) + pins.T @ pins
    # This order of elimination leaves the places, which meet many frames, for the end.
    factors = linalg.splu(
        system.tocsc(),
        permc_spec='MMD_AT_PLUS_A',
        diag_pivot_thresh=0,
        options={'SymmetricMode': True},
    )
    solution = factors.solve(pins.T @ -feet[at, sides])
    moves, legs = solution[:frames], np.array(solution[frames : 3 * frames].reshape(2, frames, 3))
    # A foot that stands rests wholly; what little is left is the leg's.
    legs[sides, at] = solution[3 * frames + numbers] - feet[at, sides] - moves[at]
    return moves, legs.swapaxes(0, 1)


def _over(rows: Any, seconds: np.ndarray) -> Any:
    """Each row of a sparse matrix over a time of its own: frames need not come evenly."""
    return rows * (1 / seconds)[:, None]


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

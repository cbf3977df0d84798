"""Left and right joints that a detector has mixed up in some frames, put right again.

A detector sees one frame at a time, and calls the left foot of someone who walks the right one now
and then, so that the joint jumps from one foot to the other and back. Of all ways to name two such
joints the calmest is taken: the one with the least acceleration in the image, by dynamic
programming over the frames (Viterbi's algorithm). Speeds are not enough: where two feet pass each
other, the names that move least are the wrong ones.

The pose stays as it was predicted. A lifter sees in the maps which limb is which, and mostly does
not follow the mistake (benchmarks/rendered_clips.py: exchanging joints of the pose as well makes it
worse).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video.smoothing import stretches
from capf_jax.pose import skeletons

PAIRS = ('knee', 'ankle', 'elbow', 'wrist')  # farther inwards left and right lie side by side
_DOUBT = 0.04  # metres of acceleration a frame that other names than the detector's must save
_MOST = 0.5  # metres; a joint that jumps farther counts no more, so that one lost joint rules none


def with_sides(tracks: Tracks) -> Tracks:
    """The tracks with left and right 2D joints exchanged where the detector mixed them up.

    Args:
      tracks: as predicted, without smoothing.
    """
    skeleton = skeletons.get(tracks.skeleton)
    pairs = [
        (skeleton.index(f'left_{name}'), skeleton.index(f'right_{name}'))
        for name in PAIRS
        if f'left_{name}' in skeleton.joints
    ]
    arrays = {name: np.array(getattr(tracks, name)) for name in ('joints2d', 'confidence')}
    focal = float(np.mean(np.asarray(tracks.camera.intrinsics)[:2]))
    depth = tracks.joints3d_camera[..., 2]
    for person in range(len(tracks)):
        for stretch in stretches(tracks.valid[person], tracks.times):
            metre = focal / np.median(depth[person, stretch])  # pixels
            for pair in pairs:
                places = tracks.joints2d[person, stretch][:, pair] / metre
                frames = np.arange(stretch.start, stretch.stop)[mixed_up(places)][:, None]
                for array in arrays.values():
                    array[person, frames, pair] = array[person, frames, pair[::-1]]
    return dataclasses.replace(tracks, **arrays)


def mixed_up(places: Float[np.ndarray, 'T 2 2']) -> Bool[np.ndarray, ' T']:
    """In which frames two joints have each other's names.

    Args:
      places: of the left and the right joint in the image, metres across the line of sight, in
        frames without a gap.
    """
    count = len(places)
    if count < 3:
        return np.zeros(count, bool)
    named = np.stack([places, places[:, ::-1]], axis=1)  # [T, 2 ways to name, 2 joints, 2]
    # cost[t, a, b, c]: of the ways a, b and c in the frames t, t + 1 and t + 2.
    first, second, third = (
        named[:-2, :, None, None],
        named[1:-1, None, :, None],
        named[2:, None, None],
    )
    bend = np.linalg.norm(first - 2 * second + third, axis=-1)
    cost = np.minimum(bend, _MOST).sum(axis=-1)
    doubt = _DOUBT * np.arange(2)
    least = doubt[:, None] + doubt  # for each way in the last two frames so far
    before = np.zeros((count - 2, 2, 2), int)
    for t in range(count - 2):
        total = least[:, :, None] + cost[t]
        before[t] = total.argmin(axis=0)
        least = total.min(axis=0) + doubt
    ways = np.zeros(count, int)
    ways[-2:] = np.unravel_index(least.argmin(), least.shape)
    for t in range(count - 3, -1, -1):
        ways[t] = before[t, ways[t + 1], ways[t + 2]]
    return ways.astype(bool)

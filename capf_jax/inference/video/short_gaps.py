"""Short gaps of a person who was hidden, filled with what lies between the frames beside them.

Roots, 2D joints and boxes go along a straight line; bones turn, and keep their lengths. What is
filled in is a guess: its joints have a confidence of 0, so that they are drawn as not sure.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import constant_bones
from capf_jax.pose import skeletons

LONGEST = 0.6  # seconds from the last frame before a gap to the first one behind it


def filled(tracks: Tracks, longest: float = LONGEST) -> Tracks:
    """The tracks without gaps of up to `longest` seconds; what was there stays as it was.

    Args:
      tracks: along any axes.
      longest: seconds; 0 fills nothing.
    """
    arrays = {name: np.array(getattr(tracks, name)) for name in ('root', 'joints2d', 'boxes')}
    joints3d, skeleton = np.array(tracks.joints3d), skeletons.get(tracks.skeleton)
    valid = np.array(tracks.valid)
    for person in range(len(tracks)):
        at = np.flatnonzero(tracks.valid[person])
        for before, after in itertools.pairwise(at):
            if after - before < 2 or tracks.times[after] - tracks.times[before] > longest:
                continue
            inside = slice(before + 1, after)
            span = tracks.times[after] - tracks.times[before]
            share = (tracks.times[inside] - tracks.times[before]) / span
            for name, array in arrays.items():
                own = array[person]
                weights = share.reshape(-1, *[1] * (own.ndim - 1))
                between = (1 - weights) * own[before] + weights * own[after]
                # Where only the pose had no meaning, the 2D joints and the box were seen.
                stays = np.isfinite(own[inside]) & (name in ('joints2d', 'boxes'))
                own[inside] = np.where(stays, own[inside], between)
            first, last = joints3d[person, before], joints3d[person, after]
            joints3d[person, inside] = constant_bones.poses_between(first, last, share, skeleton)
            valid[person, inside] = True
    return dataclasses.replace(tracks, **arrays, joints3d=joints3d, valid=valid)

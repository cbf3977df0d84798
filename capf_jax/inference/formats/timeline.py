"""Time in files of other programs: gaps filled, and frames that follow each other evenly."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

_EVEN = 0.02  # share of the mean step by which the steps of an even timeline may differ


def without_gaps(
    times: Float[np.ndarray, ' T'],
    joints: Float[np.ndarray, 'T J 3'],
    at: Float[np.ndarray, ' S'],
) -> Float[np.ndarray, 'S J 3']:
    """The joints at other times: linear between frames with a pose, held before and after them.

    Args:
      times: seconds, increasing.
      joints: all NaN in frames without a pose, of which one at least is none.
      at: seconds.
    """
    has_pose = np.isfinite(joints).all(axis=(1, 2))
    flat = joints[has_pose].reshape(has_pose.sum(), -1)
    columns = [np.interp(at, times[has_pose], column) for column in flat.T]
    return np.stack(columns, axis=-1).reshape(len(at), *joints.shape[1:])


def even_times(times: Float[np.ndarray, ' T']) -> Float[np.ndarray, ' S']:
    """Times that follow each other evenly, from the first to the last.

    They are the same as `times` where these are even already, and else as many.
    """
    if len(times) < 2:
        return times
    even = np.linspace(times[0], times[-1], len(times))
    step = even[1] - even[0]
    return times if np.abs(times - even).max() <= _EVEN * step else even


def has_pose_at(
    times: Float[np.ndarray, ' T'], valid: Bool[np.ndarray, ' T'], at: Float[np.ndarray, ' S']
) -> Bool[np.ndarray, ' S']:
    """Whether there is a pose in the frame nearest to each of other times."""
    after = np.searchsorted(times, at).clip(1, max(len(times) - 1, 1))
    before = np.minimum(after - 1, len(times) - 1)
    after = np.minimum(after, len(times) - 1)
    nearest = np.where(at - times[before] <= times[after] - at, before, after)
    return valid[nearest]

"""The axes of files of other programs, which have conventions of their own: y up or z up."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from capf_jax.inference.people import TO_UPRIGHT_CAMERA
from capf_jax.inference.tracks import Tracks


def turn_between(before: str, after: str) -> Float[np.ndarray, '3 3']:
    """What turns vectors along some axes into those along others.

    A camera whose place in the world is not known is taken to stand upright.

    Args:
      before, after: names of `people.AXES`.
    """
    return TO_UPRIGHT_CAMERA[after].T @ TO_UPRIGHT_CAMERA[before]


def joints_along(tracks: Tracks, axes: str) -> Float[np.ndarray, 'P T J 3']:
    """The joints along other axes, metres; the origin stays. NaN where there is no pose.

    Args:
      tracks: along any axes.
      axes: a name of `people.AXES`.
    """
    joints = tracks.joints3d @ turn_between(tracks.axes, axes).T
    return np.where(tracks.valid[..., None, None], joints, np.nan)


def camera_along(
    tracks: Tracks, axes: str
) -> tuple[Float[np.ndarray, '3 3'], Float[np.ndarray, ' 3']]:
    """What turns vectors along other axes into those of the camera frame, and the camera's place.

    Args:
      tracks: along any axes.
      axes: a name of `people.AXES`.

    Returns:
      The rotation, and the place along `axes`, metres.
    """
    turn = turn_between(tracks.axes, axes)
    camera = tracks.camera
    rotation = np.eye(3) if tracks.axes == 'camera' else np.asarray(camera.rotation, np.float64)
    has_place = tracks.axes != 'camera' and camera.position is not None
    place = np.asarray(camera.position, np.float64) if has_place else np.zeros(3)
    return rotation @ turn.T, turn @ place

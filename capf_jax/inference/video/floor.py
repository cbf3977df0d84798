"""The floor of a video, from the feet that stand on it, and tracks along upright axes above it.

What is up comes from two things: feet that stand in several places lie in one plane, and people's
trunks and legs are mostly upright. Where the feet hardly leave their place the second one counts.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from capf_jax.inference.people import TO_UPRIGHT_CAMERA
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video.smoothing import stretches
from capf_jax.inference.video.standing_feet import ankles
from capf_jax.pose import cameras, skeletons

ANKLE_HEIGHT = 0.08  # metres of the ankle joint of a standing foot above the floor
_PLACE_ERROR = 0.05  # metres, usual error of a foot's height
_UP_ERROR = np.radians(5)  # of the direction that people's bodies tell
_STEPS = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Floor:
    """A plane in the camera frame.

    Attributes:
      up: unit vector square to it, away from the floor.
      height: metres of the camera above it.
      places: times of standing that it rests on; 0 where the bodies alone tell it.
    """

    up: Float[np.ndarray, ' 3']
    height: float
    places: int

    @property
    def upright(self) -> Float[np.ndarray, '3 3']:
        """Turns vectors of the camera frame into those of the same camera if it stood upright.

        It looks at the horizon in the direction in which the camera looks.
        """
        return cameras.upright_from(self.up)


def find(
    tracks: Tracks,
    stands: Bool[np.ndarray, 'P T 2'],
    up: Float[np.ndarray, ' 3'] | None = None,
) -> Floor | None:
    """The floor of a video; None where nobody has a pose.

    Args:
      tracks: along any axes.
      stands: which feet stand, `standing_feet.standing`.
      up: what is up in the camera frame, where it is known; None to estimate it.
    """
    joints = tracks.joints3d_camera
    if not tracks.valid.any():
        return None
    body = _up_of_bodies(joints, tracks, stands) if up is None else np.asarray(up)
    points, weights = _places(joints, tracks, stands)
    if not len(points):
        # Nobody stands, so that the lowest feet are all there is.
        feet = joints[tracks.valid][:, ankles(tracks.skeleton)].reshape(-1, 3)
        return Floor(body, float(-np.percentile(feet @ body, 5)) + ANKLE_HEIGHT, 0)
    # Two numbers turn `body` into the plane's normal; the third one is the height.
    one = np.cross(body, [0.0, 0.0, 1.0] if abs(body[2]) < 0.9 else [1.0, 0.0, 0.0])
    one /= np.linalg.norm(one)
    two = np.cross(body, one)
    middle = np.average(points, axis=0, weights=weights)
    rows = np.stack([(points - middle) @ one, (points - middle) @ two, np.ones(len(points))], 1)
    target = -(points - middle) @ body
    turn = np.zeros(3)
    prior = np.diag([1 / _UP_ERROR**2, 1 / _UP_ERROR**2, 0.0])
    for _ in range(_STEPS):
        off = (rows @ turn - target) / _PLACE_ERROR
        scale = (weights / (1 + off**2) / _PLACE_ERROR**2)[:, None]
        turn = np.linalg.solve(rows.T @ (scale * rows) + prior, rows.T @ (scale[:, 0] * target))
        if up is not None:
            turn[:2] = 0
    normal = body + turn[0] * one + turn[1] * two
    normal /= np.linalg.norm(normal)
    level = np.average((points - middle) @ normal, weights=weights) + middle @ normal
    return Floor(normal, float(-level) + ANKLE_HEIGHT, len(points))


def above(tracks: Tracks, axes: str, floor: Floor) -> Tracks:
    """Tracks of the camera frame along upright axes, with the origin on the floor under the camera.

    Args:
      tracks: along 'camera'.
      axes: 'y_up' or 'z_up'.
      floor: of the video.
    """
    rotation = floor.upright.T @ TO_UPRIGHT_CAMERA[axes]
    position = np.array([0.0, floor.height, 0.0] if axes == 'y_up' else [0.0, 0.0, floor.height])
    return dataclasses.replace(
        tracks,
        joints3d=tracks.joints3d @ rotation + position,
        root=tracks.root @ rotation + position,
        axes=axes,
        camera=dataclasses.replace(tracks.camera, rotation=rotation, position=position),
    )


def _up_of_bodies(joints: np.ndarray, tracks: Tracks, stands: np.ndarray) -> np.ndarray:
    """The mean direction from the standing foot, or else from both, to the upper trunk."""
    skeleton = skeletons.get(tracks.skeleton)
    shoulders = [skeleton.index('left_shoulder'), skeleton.index('right_shoulder')]
    feet = joints[:, :, ankles(tracks.skeleton)]
    any_foot = np.any(stands, axis=-1)
    counts = np.where(any_foot[..., None], stands, 1.0)[..., None]
    foot = (feet * counts).sum(axis=2) / counts.sum(axis=2)
    body = (joints[:, :, shoulders].mean(axis=2) - foot)[tracks.valid]
    standing = any_foot[tracks.valid]
    body = body[standing] if standing.any() else body
    body /= np.linalg.norm(body, axis=-1, keepdims=True)
    up = body.mean(axis=0)
    for _ in range(_STEPS):  # People who bend over or lie count less and less.
        apart = 1 - body @ (up / np.linalg.norm(up))
        up = (body / (0.03 + apart)[:, None]).sum(axis=0)
    return up / np.linalg.norm(up)


def _places(
    joints: np.ndarray, tracks: Tracks, stands: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[N, 3] where feet stood, the camera frame, and [N] how much each counts.

    A foot that stands long tells no more than one that stands half a second.
    """
    points, weights = [], []
    for side, ankle in enumerate(ankles(tracks.skeleton)):
        for person in range(len(tracks)):
            for rest in stretches(stands[person, :, side]):
                points.append(np.median(joints[person, rest, ankle], axis=0))
                duration = tracks.times[rest.stop - 1] - tracks.times[rest.start]
                weights.append(min(duration / 0.5, 1.0))
    return np.array(points).reshape(-1, 3), np.array(weights)

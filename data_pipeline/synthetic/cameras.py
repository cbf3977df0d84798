"""Random cameras that stand and look like those of Human3.6M, and their projection.

World frame: metres, z up, the floor is z = 0. Camera frame: metres, x right, y down, z forward.
"""

from __future__ import annotations

import dataclasses

import numpy as np

IMAGE_SIZE = (1000, 1000)  # Width and height of the whole image, pixels, as in Human3.6M.


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera without lens distortion.

    Attributes:
      name: name of the camera, which differs from those of all other cameras of both splits.
      rotation: [3, 3], rotates vectors from the world frame to the camera frame.
      position: [3], place of the camera in the world frame, metres.
      intrinsics: [4], fx, fy, cx and cy in pixels of the whole image.
    """

    name: str
    rotation: np.ndarray
    position: np.ndarray
    intrinsics: np.ndarray

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Points [..., 3] in the camera frame, metres, from points [..., 3] in the world frame."""
        return (points - self.position) @ self.rotation.T

    def project(self, points_camera: np.ndarray) -> np.ndarray:
        """Pixels [..., 2] of the whole image from points [..., 3] in the camera frame, metres."""
        return project(points_camera, self.intrinsics)


def project(points_camera: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Projects points by a pinhole camera.

    Args:
      points_camera: [..., 3], camera frame, metres; every z is positive.
      intrinsics: [4], fx, fy, cx and cy in pixels.

    Returns:
      [..., 2], pixels of the whole image; the centre of the top left pixel is (0, 0).
    """
    fx, fy, cx, cy = intrinsics
    x, y, z = np.moveaxis(points_camera, -1, 0)
    return np.stack([fx * x / z + cx, fy * y / z + cy], -1)


def sample_camera(rng: np.random.Generator, name: str) -> Camera:
    """A camera 4 to 6.5 m from the middle of the room, 1.2 to 1.9 m high, tilted slightly down.

    These ranges, the focal length, the principal point and the roll cover those of the four
    cameras of Human3.6M.
    """
    azimuth = rng.uniform(0, 2 * np.pi)
    distance = rng.uniform(4.0, 6.5)
    position = np.array(
        [distance * np.cos(azimuth), distance * np.sin(azimuth), rng.uniform(1.2, 1.9)]
    )
    target = np.array([rng.normal(0, 0.25), rng.normal(0, 0.25), rng.uniform(0.55, 0.9)])
    forward = target - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    roll = np.deg2rad(rng.normal(0, 1.5))  # The cameras of Human3.6M roll by up to four degrees.
    down = np.cross(forward, right)
    right, down = (
        np.cos(roll) * right + np.sin(roll) * down,
        np.cos(roll) * down - np.sin(roll) * right,
    )
    focal = rng.uniform(1120, 1170)
    intrinsics = np.array([focal, focal * rng.normal(1, 0.001), *(500 + rng.normal(0, 8, 2))])
    return Camera(name, np.stack([right, down, forward]), position, intrinsics)

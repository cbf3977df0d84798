"""Cameras like Human3.6M's: where they stand, what they see, and projection.

World frame: z up, the floor is z = 0. Camera frame: x right, y down, z forward. Metres.
"""

from __future__ import annotations

import dataclasses

import numpy as np

IMAGE_SIZE = (1000, 1000)  # width, height in pixels, as Human3.6M's


@dataclasses.dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
      name: unique over both splits.
      rotation: [3, 3], world -> camera.
      position: [3], in the world, metres.
      intrinsics: [4] fx, fy, cx, cy, pixels.
    """

    name: str
    rotation: np.ndarray
    position: np.ndarray
    intrinsics: np.ndarray

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 3] in the camera frame."""
        return (points - self.position) @ self.rotation.T

    def project(self, points_camera: np.ndarray) -> np.ndarray:
        """Camera-frame points [..., 3] -> pixels [..., 2]."""
        fx, fy, cx, cy = self.intrinsics
        x, y, z = np.moveaxis(points_camera, -1, 0)
        return np.stack([fx * x / z + cx, fy * y / z + cy], -1)


def sample_camera(rng: np.random.Generator, name: str) -> Camera:
    """A camera 4 to 6.5 m from the room's middle, 1.2 to 1.9 m high, tilted slightly down."""
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
    roll = np.deg2rad(rng.normal(0, 1.5))  # Human3.6M's cameras roll by up to four degrees
    down = np.cross(forward, right)
    right, down = (
        np.cos(roll) * right + np.sin(roll) * down,
        np.cos(roll) * down - np.sin(roll) * right,
    )
    focal = rng.uniform(1120, 1170)
    intrinsics = np.array([focal, focal * rng.normal(1, 0.001), *(500 + rng.normal(0, 8, 2))])
    return Camera(name, np.stack([right, down, forward]), position, intrinsics)

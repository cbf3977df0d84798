"""Random cameras that stand and look like those of Human3.6M.

World frame: metres, z up, the floor is z = 0. Camera frame: metres, x right, y down, z forward.
"""

from __future__ import annotations

import numpy as np

from capf_jax.pose.cameras import Camera

IMAGE_SIZE = (1000, 1000)  # Width and height of the whole image, pixels, as in Human3.6M.


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

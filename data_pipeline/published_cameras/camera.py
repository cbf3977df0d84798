"""`Camera`: a calibrated camera, and the projection with and without its lens."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """Pixels are counted from the centre of the top left one; frames are x right, y down, z ahead.

    Attributes:
      name: as the dataset calls it.
      intrinsics: [4] fx, fy, cx, cy, pixels.
      distortion: [5] k1, k2, p1, p2, k3, the order of OpenCV.
      image_size: (width, height), pixels. Some pictures of Human3.6M are 1000x1002 where the table
        says 1000x1000 (S7, camera 55011271): the picture itself decides.
      rotation: [3, 3], None where the camera's place is not published: x_camera = R x_world + t.
      translation: [3] t in mm, or None.
    """

    name: str
    intrinsics: np.ndarray
    distortion: np.ndarray
    image_size: tuple[int, int]
    rotation: np.ndarray | None = None
    translation: np.ndarray | None = None

    def to_camera(self, world_mm: np.ndarray) -> np.ndarray:
        """Points [..., 3] of the world frame, mm -> of the camera frame, mm.

        Raises:
          ValueError: the camera's place is not published.
        """
        if self.rotation is None or self.translation is None:
            raise ValueError(f'where camera {self.name} stood is not published')
        return np.asarray(world_mm, np.float64) @ self.rotation.T + self.translation

    def project(self, points: np.ndarray, *, distortion: bool = True) -> np.ndarray:
        """Points [..., 3] of the camera frame, any unit -> [..., 2] pixels, float64.

        The lens bends by radial and tangential polynomials (Brown's model, as in OpenCV);
        `distortion=False` leaves it out, as the published crop boxes do (SPEC 4).

        Points behind the camera give pixels without meaning.
        """
        points = np.asarray(points, np.float64)
        x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
        if distortion:
            k1, k2, p1, p2, k3 = self.distortion
            r2 = x * x + y * y
            radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
            x, y = (
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
            )
        fx, fy, cx, cy = self.intrinsics
        return np.stack([fx * x + cx, fy * y + cy], axis=-1)

"""`Camera`: a calibrated camera, its place in the world, and the projection through its lens.

Camera frames have x to the right, y down and z ahead of the camera. Pixels are those of the whole
image and are counted from the centre of the top left pixel. Of JAX this module needs nothing.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float, Real

from capf_jax.errors import UserError


@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """One camera. The unit of length is the caller's: metres or millimetres.

    Attributes:
      name: the name that the dataset gives it.
      rotation: turns vectors of the world frame into those of the camera frame; None where
        the place of the camera is not known.
      position: place of the camera in the world frame, or None.
      intrinsics: fx, fy, cx, cy, pixels.
      distortion: 4, 5 or 8 coefficients k1, k2, p1, p2, k3, k4, k5, k6 in the order of OpenCV; None
        for a lens that does not bend.
      image_size: (width, height) of the pictures, pixels; None where it is not known.
    """

    name: str
    rotation: Real[np.ndarray, '3 3'] | None
    position: Real[np.ndarray, ' 3'] | None
    intrinsics: Real[np.ndarray, ' 4']
    distortion: Real[np.ndarray, ' coefficients'] | None = None
    image_size: tuple[int, int] | None = None

    def without_place(self) -> Camera:
        """The same camera, which nobody says the place of."""
        return dataclasses.replace(self, rotation=None, position=None)

    def to_camera(
        self, points_world: Real[np.ndarray, '*points 3']
    ) -> Real[np.ndarray, '*points 3']:
        """Points of the world frame -> points of the camera frame, in the same unit.

        Raises:
          UserError: the place of the camera is not known.
        """
        if self.rotation is None or self.position is None:
            raise UserError(
                f'the place of camera {self.name} is not published, so that points of the world '
                'cannot be seen from it; give points of its camera frame'
            )
        return (points_world - self.position) @ self.rotation.T

    def project(
        self, points: Real[np.ndarray, '*points 3'], *, distortion: bool = True
    ) -> Float[np.ndarray, '*points 2']:
        """Points of the camera frame, in any unit -> float64 pixels.

        Args:
          points: those behind the camera give pixels without meaning.
          distortion: False leaves the lens out, as the published crop boxes of Human3.6M do
            (docs/method.md, Human3.6M).
        """
        return project(points, self.intrinsics, self.distortion if distortion else None)


def project(
    points: Real[np.ndarray, '*points 3'],
    intrinsics: Real[np.ndarray, '*cameras 4'],
    distortion: Real[np.ndarray, ' coefficients'] | None = None,
) -> Float[np.ndarray, '*points 2']:
    """Points of a camera frame, in any unit -> float64 pixels.

    The lens bends by the radial and tangential polynomials of Brown's model, as in OpenCV's
    `projectPoints`.

    Args:
      points: those behind the camera give pixels without meaning.
      intrinsics: fx, fy, cx, cy, pixels; the leading axes broadcast with those of the points.
      distortion: 4, 5 or 8 coefficients as of `Camera`, or None.
    """
    x, y, z = np.moveaxis(np.asarray(points, np.float64), -1, 0)
    fx, fy, cx, cy = np.moveaxis(np.asarray(intrinsics, np.float64), -1, 0)
    if distortion is None:
        return np.stack([fx * x / z + cx, fy * y / z + cy], axis=-1)
    k1, k2, p1, p2, k3, k4, k5, k6 = np.pad(distortion, (0, 8 - len(distortion)))
    x, y = x / z, y / z
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    bent_y = y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)
    return np.stack([fx * bent_x + cx, fy * bent_y + cy], axis=-1)


def upright_rotation(pitch: float = 0.0, tilt: float = 0.0) -> Float[np.ndarray, '3 3']:
    """Turns vectors of a camera's frame into those of the same camera if it stood upright.

    Args:
      pitch: degrees by which the camera looks down, below the horizon.
      tilt: degrees by which the camera is turned clockwise about its optical axis, as the one who
        holds it sees it; its right side is then the lower one.
    """
    p, t = np.radians([pitch, tilt])
    down = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    clockwise = [[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]]
    return np.array(down) @ np.array(clockwise)


def upright_from(up: Float[np.ndarray, ' 3']) -> Float[np.ndarray, '3 3']:
    """Turns vectors of a camera's frame into those of the same camera if it stood upright.

    It then looks at the horizon in the direction in which the camera looks.

    Args:
      up: unit vector of what is up, in the camera's frame.
    """
    down = -up
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(ahead) < 1e-3:  # The camera looks straight down or up.
        ahead = np.array([0.0, -1.0, 0.0]) + up[1] * up
    ahead /= np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])

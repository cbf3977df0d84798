"""The viewing-ray frame: that of a virtual camera which is turned at the middle of a person.

Seen by the camera that took a photograph, a person at the picture's border looks stretched and
turned. A virtual camera at the same place, turned by the shortest turn at the middle of the
person's box, sees the person as one in the middle of a picture. Its frame is the viewing-ray frame
(x right, y down, z along the ray through the box's middle). What it sees is a homography of the
photograph, since both cameras stand at the same place; its crop has the ray in its very middle.

Photographs here have no lens distortion. Pixels are counted from the centre of the top left one, x
to the right and y down; intrinsics are fx, fy, cx, cy, pixels. Everything is NumPy, float64; only
`crop_image` needs OpenCV.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, Real, UInt8

from capf_jax.errors import UserError

MARGIN = 1.25  # size of a crop's box divided by that of the smallest box around the person


def rotation_towards(
    point_px: Real[np.ndarray, '*batch 2'], intrinsics: Real[np.ndarray, '*cameras 4']
) -> Float[np.ndarray, '... 3 3']:
    """The shortest turn that brings the optical axis through a point of the photograph.

    Args:
      point_px: points, pixels of the photograph.
      intrinsics: of the photograph's camera; leading axes broadcast with those of the points.

    Returns:
      Rotations R: a vector v of the camera's frame is R v in the viewing-ray frame, and the ray
      through the point is R's third row, which becomes (0, 0, 1).
    """
    rays = unproject(point_px, intrinsics)
    x, y, z = np.moveaxis(rays / np.linalg.norm(rays, axis=-1, keepdims=True), -1, 0)
    # Rodrigues' formula about the axis ray x (0, 0, 1) = (y, -x, 0), written out; z is above 0.
    part = 1 / (1 + z)
    return np.stack(
        [
            np.stack([1 - part * x * x, -part * x * y, -x], axis=-1),
            np.stack([-part * x * y, 1 - part * y * y, -y], axis=-1),
            np.stack([x, y, z], axis=-1),
        ],
        axis=-2,
    )


def unproject(
    points_px: Real[np.ndarray, '*batch 2'], intrinsics: Real[np.ndarray, '*cameras 4']
) -> Float[np.ndarray, '... 3']:
    """Pixels -> the points of the camera's frame at depth 1 that are seen there."""
    points = np.asarray(points_px, np.float64)
    numbers = np.asarray(intrinsics, np.float64)
    plane = (points - numbers[..., 2:]) / numbers[..., :2]
    return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)


def to_viewing_ray(
    points: Real[np.ndarray, '*batch J 3'], rotation: Real[np.ndarray, '*turns 3 3']
) -> Float[np.ndarray, '... J 3']:
    """Points or poses of the camera's frame -> those of the viewing-ray frame, in the same unit."""
    return points @ np.swapaxes(rotation, -1, -2)


def to_camera(
    points: Real[np.ndarray, '*batch J 3'], rotation: Real[np.ndarray, '*turns 3 3']
) -> Float[np.ndarray, '... J 3']:
    """Points or poses of the viewing-ray frame -> those of the camera's frame, in the same unit."""
    return points @ rotation


@dataclasses.dataclass(frozen=True, eq=False)
class ViewingRayCrop:
    """One person's crop of a photograph, as the turned camera sees it.

    Attributes:
      rotation: from the photograph's camera frame to the viewing-ray frame.
      intrinsics: fx, fy, cx, cy of the photograph's camera.
      crop_intrinsics: fx, fy, cx, cy of the turned camera; fx = fy, and cx, cy are the crop's
        middle.
      crop_size: (width, height) of the crop.
    """

    rotation: Float[np.ndarray, '3 3']
    intrinsics: Float[np.ndarray, ' 4']
    crop_intrinsics: Float[np.ndarray, ' 4']
    crop_size: tuple[int, int]

    @property
    def homography(self) -> Float[np.ndarray, '3 3']:
        """From pixels of the photograph to pixels of the crop."""
        return matrix(self.crop_intrinsics) @ self.rotation @ np.linalg.inv(matrix(self.intrinsics))

    def to_crop(self, points: Real[np.ndarray, '*points 2']) -> Float[np.ndarray, '*points 2']:
        """Pixels of the photograph -> pixels of the crop."""
        return apply_homography(self.homography, points)

    def to_photograph(
        self, points: Real[np.ndarray, '*points 2']
    ) -> Float[np.ndarray, '*points 2']:
        """Pixels of the crop -> pixels of the photograph."""
        return apply_homography(np.linalg.inv(self.homography), points)

    def crop(
        self, image: UInt8[np.ndarray, 'H W 3']
    ) -> UInt8[np.ndarray, 'crop_height crop_width 3']:
        """The crop of a photograph without lens distortion; black where the photograph ends."""
        return crop_image(image, self.homography, self.crop_size)


def around_box(
    box: Real[np.ndarray, ' 4'],
    intrinsics: Real[np.ndarray, ' 4'],
    crop_size: tuple[int, int],
    margin: float = MARGIN,
) -> ViewingRayCrop:
    """The crop around a person's box.

    Args:
      box: x, y, width, height: the top left corner and the size, pixels of the photograph.
      intrinsics: fx, fy, cx, cy of the photograph's camera.
      crop_size: (width, height) of the crop.
      margin: size of the crop divided by that of the smallest crop that holds the box.

    Raises:
      UserError: the box is empty or not finite.
    """
    x, y, width, height = np.asarray(box, np.float64)
    if not (np.isfinite([x, y, width, height]).all() and width > 0 and height > 0):
        raise UserError(
            f'a box of x, y, width, height {np.asarray(box).tolist()} cannot be cropped; '
            'give finite numbers and a width and a height above 0 px'
        )
    corners = np.array([[x, y], [x + width, y], [x, y + height], [x + width, y + height]])
    return around_points(corners, intrinsics, crop_size, margin)


def around_points(
    points: Real[np.ndarray, 'P 2'],
    intrinsics: Real[np.ndarray, ' 4'],
    crop_size: tuple[int, int],
    margin: float = MARGIN,
) -> ViewingRayCrop:
    """The crop around points of a person, such as 2D joints.

    The axis goes through the middle of the points' box in the photograph, and the crop is wide
    enough for the points as the turned camera sees them.

    Args:
      points: pixels of the photograph, at least one.
      intrinsics: fx, fy, cx, cy of the photograph's camera.
      crop_size: (width, height) of the crop.
      margin: size of the crop divided by that of the smallest crop that holds the points.

    Raises:
      UserError: a point is not finite.
    """
    points, intrinsics = np.asarray(points, np.float64), np.asarray(intrinsics, np.float64)
    if not np.isfinite(points).all():
        raise UserError('a crop needs finite points; give a box or leave the person out')
    rotation = rotation_towards((points.min(axis=0) + points.max(axis=0)) / 2, intrinsics)
    turned = to_viewing_ray(unproject(points, intrinsics), rotation)
    # A point that a wide lens sees at a right angle to the ray lies at infinity for the turned
    # camera.
    plane = turned[:, :2] / np.maximum(turned[:, 2:], 0.1)
    half_x, half_y = np.abs(plane).max(axis=0)
    width, height = crop_size
    focal = np.sqrt(intrinsics[0] * intrinsics[1])
    # A box has the pixel more than its extent that the box of `crops.box_affine` has, too.
    extent = max(2 * margin * focal * max(half_x, half_y * width / height), 2.0)
    scaled = focal * (width - 1) / (extent - 1)
    crop_intrinsics = np.array([scaled, scaled, (width - 1) / 2, (height - 1) / 2])
    return ViewingRayCrop(rotation, intrinsics, crop_intrinsics, (int(width), int(height)))


def matrix(intrinsics: Real[np.ndarray, ' 4']) -> Float[np.ndarray, '3 3']:
    """fx, fy, cx, cy as the matrix K that takes points of the camera's frame to pixels."""
    fx, fy, cx, cy = intrinsics
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], np.float64)


def apply_homography(
    homography: Real[np.ndarray, '3 3'], points: Real[np.ndarray, '*points 2']
) -> Float[np.ndarray, '*points 2']:
    """Points under a homography."""
    lifted = np.asarray(points, np.float64) @ homography[:, :2].T + homography[:, 2]
    return lifted[..., :2] / lifted[..., 2:]


def crop_image(
    image: UInt8[np.ndarray, 'H W 3'],
    homography: Real[np.ndarray, '3 3'],
    crop_size: tuple[int, int],
) -> UInt8[np.ndarray, 'crop_height crop_width 3']:
    """Crop of a photograph under a homography: zero outside the photograph.

    A photograph that shrinks by more than two is averaged over whole pixels first, since bilinear
    interpolation alone would leave most of them out.

    Args:
      image: the photograph.
      homography: from its pixels to those of the crop.
      crop_size: (width, height) of the crop.
    """
    width, height = crop_size
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    source = apply_homography(np.linalg.inv(homography), corners)
    first = np.clip(np.floor(source.min(axis=0)) - 2, 0, None).astype(int)
    last = np.ceil(source.max(axis=0)).astype(int) + 3
    part = image[first[1] : last[1], first[0] : last[0]]
    if not part.size:
        return np.zeros((height, width, image.shape[2]), image.dtype)
    shrinks = np.linalg.norm(source[1] - source[0]) / max(width - 1, 1)
    # A photograph that is smaller than a pixel of the crop is one pixel at most.
    times = int(min(max(shrinks, 1), max(part.shape[:2])))
    # A pixel of the averaged part stands for `times` pixels, whose middle it is.
    whole = np.array([[times, 0, first[0] + (times - 1) / 2], [0, times, first[1]], [0, 0, 1]])
    whole[1, 2] += (times - 1) / 2
    if times > 1:
        rows, columns = (-(-size // times) for size in part.shape[:2])
        bottom, right = rows * times - part.shape[0], columns * times - part.shape[1]
        part = cv2.copyMakeBorder(part, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        part = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.warpPerspective(part, homography @ whole, (width, height), flags=cv2.INTER_LINEAR)

"""Crops: the box around a person and the affine map from whole-image pixels to crop pixels.

Pixels are counted from the centre of the top left one, x to the right and y down. Sizes are
(width, height). Everything here is NumPy and OpenCV.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, Real, UInt8
from numpy.typing import ArrayLike

from capf_jax.errors import UserError
from capf_jax.pose import cameras

CROP_SIZE = (192, 256)  # (width, height), the input of the published 2D detectors

# The Human3.6M box reaches from the root joint by these amounts, at the depth of the root joint
# (docs/method.md, Human3.6M).
_BOX_BEFORE_MM = np.array([-1000.0, -900.0, 0.0])
_BOX_AFTER_MM = np.array([1000.0, 1100.0, 0.0])


def box_affine(
    centre: Real[np.ndarray, ' 2'], width: float, crop_size: tuple[int, int] = CROP_SIZE
) -> Float[np.ndarray, '2 3']:
    """Affine map, float64, from whole-image pixels to the pixels of a crop around a box.

    The box's width alone decides the scale, so that no aspect ratio is ever changed. The centre
    maps to the crop's middle ((w-1)/2, (h-1)/2); half a box width, (width-1)/2, to (w-1)/2: first
    and last pixel centres of box and crop meet, as in the published code of CA-PF
    (docs/method.md, Human3.6M).

    Args:
      centre: middle of the box, whole-image pixels.
      width: width of the box, whole-image pixels, more than one.
      crop_size: (width, height) of the crop.

    Raises:
      UserError: the box is at most a pixel wide, or not finite.
    """
    centre = np.asarray(centre, np.float64)
    if not (np.isfinite(width) and width > 1 and np.isfinite(centre).all()):
        raise UserError(
            f'a box of width {width} px around {centre.tolist()} cannot be cropped; '
            'give finite numbers and a width above 1 px'
        )
    crop_width, crop_height = crop_size
    scale = (crop_width - 1) / (width - 1)
    middle = np.array([crop_width - 1, crop_height - 1]) / 2
    return np.concatenate([np.eye(2) * scale, (middle - scale * centre)[:, None]], axis=1)


def root_box(
    root_camera_mm: Real[np.ndarray, ' 3'], intrinsics: ArrayLike
) -> tuple[Float[np.ndarray, ' 2'], float]:
    """Box of Human3.6M from the true 3D root joint, which needs ground truth.

    See docs/method.md, Human3.6M.

    Args:
      root_camera_mm: root joint in the camera frame, mm.
      intrinsics: [4] fx, fy, cx, cy in pixels; lens distortion is left out, as published.

    Returns:
      (centre [2], width), whole-image pixels.

    Raises:
      UserError: the root is not in front of the camera.
    """
    root = np.asarray(root_camera_mm, np.float64)
    if not root[2] > 0:
        raise UserError(f'the root joint {root.tolist()} mm is not in front of the camera')
    corners = np.stack([_BOX_BEFORE_MM, _BOX_AFTER_MM]) + root
    first, last = cameras.project(corners, np.asarray(intrinsics, np.float64))
    return (first + last) / 2, float(last[0] - first[0])


def joints_box(
    joints2d: Real[np.ndarray, 'J 2'], crop_size: tuple[int, int] = CROP_SIZE, margin: float = 1.25
) -> tuple[Float[np.ndarray, ' 2'], float]:
    """Box around 2D joints, for people whose 3D root is not known.

    Args:
      joints2d: joints in whole-image pixels.
      crop_size: (width, height) of the crop; the box takes its aspect ratio.
      margin: size of the box divided by that of the smallest box that holds all joints.

    Returns:
      (centre [2], width), whole-image pixels; the box is at least 2 px wide.

    Raises:
      UserError: a joint is not finite.
    """
    joints2d = np.asarray(joints2d, np.float64)
    if not np.isfinite(joints2d).all():
        raise UserError('a box needs finite 2D joints; give a box or leave the person out')
    lowest, highest = joints2d.min(axis=0), joints2d.max(axis=0)
    extent = highest - lowest
    width = margin * max(extent[0], extent[1] * crop_size[0] / crop_size[1])
    return (lowest + highest) / 2, max(float(width), 2.0)


def crop_image(
    image: UInt8[np.ndarray, 'H W 3'],
    affine: Float[np.ndarray, '2 3'],
    crop_size: tuple[int, int] = CROP_SIZE,
) -> UInt8[np.ndarray, 'crop_height crop_width 3']:
    """Crop of an image: bilinear, zero outside the image."""
    return cv2.warpAffine(
        image, np.asarray(affine, np.float64), tuple(crop_size), flags=cv2.INTER_LINEAR
    )


def apply_affine(
    affine: Float[np.ndarray, '*batch 2 3'], points: Real[np.ndarray, '*points 2']
) -> Float[np.ndarray, '... 2']:
    """Points under affine maps, in the wider of the two dtypes; leading axes broadcast."""
    return points @ affine[..., :2].swapaxes(-1, -2) + affine[..., None, :, 2]


def invert_affine(affine: Float[np.ndarray, '*batch 2 3']) -> Float[np.ndarray, '*batch 2 3']:
    """Inverse of affine maps, from crop pixels to whole-image pixels, in the same dtype.

    Raises:
      numpy.linalg.LinAlgError: a map cannot be inverted.
    """
    inverse = np.linalg.inv(affine[..., :2])
    return np.concatenate([inverse, -inverse @ affine[..., 2:]], axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class BoxCrop:
    """One person's crop of a photograph by an affine map, as published models take it.

    Its frame is the camera's own. The names are those of `viewing_ray.ViewingRayCrop`, so that
    whatever takes the one takes the other.

    Attributes:
      affine: from pixels of the photograph to pixels of the crop.
      crop_size: (width, height) of the crop.
    """

    affine: Float[np.ndarray, '2 3']
    crop_size: tuple[int, int]

    @property
    def rotation(self) -> Float[np.ndarray, '3 3']:
        """From the photograph's camera frame to the crop's: none."""
        return np.eye(3)

    def to_crop(self, points: Real[np.ndarray, '*points 2']) -> Float[np.ndarray, '*points 2']:
        """Pixels of the photograph -> pixels of the crop."""
        return apply_affine(self.affine, np.asarray(points, np.float64))

    def to_photograph(
        self, points: Real[np.ndarray, '*points 2']
    ) -> Float[np.ndarray, '*points 2']:
        """Pixels of the crop -> pixels of the photograph."""
        return apply_affine(invert_affine(self.affine), np.asarray(points, np.float64))

    def crop(
        self, image: UInt8[np.ndarray, 'H W 3']
    ) -> UInt8[np.ndarray, 'crop_height crop_width 3']:
        """The crop of a photograph."""
        return crop_image(image, self.affine, self.crop_size)


def around_points(
    points: Real[np.ndarray, 'P 2'], crop_size: tuple[int, int], margin: float = 1.25
) -> BoxCrop:
    """The affine crop around points of a person, such as 2D joints or the corners of a box.

    The arguments and errors are those of `joints_box`.
    """
    return BoxCrop(box_affine(*joints_box(points, crop_size, margin), crop_size), crop_size)

"""Joints between the pixels of a crop and those of its image: the way back, and movements.

The functions take NumPy and JAX arrays alike, and import NumPy alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from capf_jax.pose.batch import Array, Batch

_STRAIGHT, _SWAPPED = np.array([0, 1]), np.array([1, 0])  # x and y, y and x


def to_image(
    joints_crop: Float[Array, '*batch J 2'], affine: Float[Array, '*batch 2 3']
) -> Float[Array, '*batch J 2']:
    """Joints from pixels of the crop to pixels of the whole image.

    The inverse of the affine map is written out, element by element: a matrix product in reduced
    precision would be pixels off.

    Args:
      joints_crop: joints in pixels of the crop.
      affine: the maps from pixels of the whole image to pixels of the crop.

    Returns:
      The joints in pixels of the whole image.
    """
    shifted = joints_crop - affine[..., None, :, 2]
    # The inverse of the matrix ((a, b), (c, d)) is ((d, -b), (-c, a)) over its determinant.
    same = affine[..., _SWAPPED, _SWAPPED]  # [..., 2]: d, a
    other = affine[..., _STRAIGHT, _SWAPPED]  # [..., 2]: b, c
    determinant = same[..., 0] * same[..., 1] - other[..., 0] * other[..., 1]
    joints = same[..., None, :] * shifted - other[..., None, :] * shifted[..., ::-1]
    return joints / determinant[..., None, None]


def moved(
    batch: Batch,
    movement: Float[Array, 'B J 2'],
    of_frames: Float[Array, 'rows J 2'] | None = None,
) -> Batch:
    """The batch with its 2D joints moved, in the image and in the crop alike.

    The product is written out: a matrix product in reduced precision would be pixels off.

    Args:
      batch: B people.
      movement: of each joint, pixels of the whole image.
      of_frames: the same for the people of all frames, B * F rows, where the batch has windows;
        None where it has none.
    """
    frames = batch.frames
    if frames is not None and of_frames is not None:
        frames = moved(frames, of_frames)
    linear = batch.affine[:, None, :, :2]  # [B, 1, 2, 2]
    in_crop = movement[..., :1] * linear[..., 0] + movement[..., 1:] * linear[..., 1]
    return batch._replace(
        joints2d=batch.joints2d + movement,
        joints2d_crop=batch.joints2d_crop + in_crop,
        frames=frames,
    )

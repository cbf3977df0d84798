"""`to_image`: joints from the pixels of a crop back to those of its image.

The function takes NumPy and JAX arrays alike, and imports NumPy alone.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from capf_jax.pose.batch import Array

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

"""The normalisations of 2D joints, forward and inverse, on NumPy and JAX arrays alike."""

from __future__ import annotations

from jaxtyping import Float, Real

from capf_jax.pose.batch import Array

BOX_EXTENT = 2.0  # of the longer side of the joints' box, normalised by the box
_LEAST_SIDE = 1e-6  # of a box; joints that are all in one place become zeros


def _over_width(image_size: Array) -> tuple[Array, Array]:
    """(w [..., 1, 1], offset [..., 1, 2]) with offset = (1, h/w), as columns of `image_size`."""
    width = image_size[..., None, :1]
    return width, image_size[..., None, :] / width


def normalise_by_image(
    joints2d: Float[Array, '*batch J 2'], image_size: Real[Array, '*batch 2']
) -> Float[Array, '*batch J 2']:
    """x/w*2 - 1 and y/w*2 - h/w, which keep the aspect ratio (docs/method.md, The lifter).

    Args:
      joints2d: joints in pixels of the whole image.
      image_size: (width, height) in pixels; an array of the same kind as the joints.

    Returns:
      The joints with x in [-1, 1] and y in [-h/w, h/w] inside the image.
    """
    width, offset = _over_width(image_size)
    return joints2d / width * 2 - offset


def denormalise_by_image(
    joints2d: Float[Array, '*batch J 2'], image_size: Real[Array, '*batch 2']
) -> Float[Array, '*batch J 2']:
    """The inverse of `normalise_by_image`: joints in pixels of the whole image."""
    width, offset = _over_width(image_size)
    return (joints2d + offset) / 2 * width


def normalise_by_crop(
    joints_crop: Float[Array, '*batch J 2'], crop_size: tuple[int, int]
) -> Float[Array, '*batch J 2']:
    """x/(w/2) - 1 and y/(h/2) - 1 (docs/method.md, The lifter).

    Args:
      joints_crop: joints in pixels of the crop.
      crop_size: (width, height) of the crop, pixels.

    Returns:
      The joints with x and y in [-1, 1] inside the crop.
    """
    return joints_crop / _half(joints_crop, crop_size) - 1


def denormalise_by_crop(
    joints_crop: Float[Array, '*batch J 2'], crop_size: tuple[int, int]
) -> Float[Array, '*batch J 2']:
    """The inverse of `normalise_by_crop`: joints in pixels of the crop."""
    return (joints_crop + 1) * _half(joints_crop, crop_size)


def normalise_by_box(joints2d: Float[Array, '*batch J 2']) -> Float[Array, '*batch J 2']:
    """Joints centred and scaled by their own box, whose longer side becomes `BOX_EXTENT`.

    Joints that are moved or scaled as a whole give the same: pixels of the whole image and pixels
    of a crop, of any camera, may go in alike. This is the joint token of lifters of the frame
    'viewing_ray' (docs/method.md, The lifter).

    Args:
      joints2d: joints in any unit of equal scale in x and y.

    Returns:
      The joints, with x and y in [-BOX_EXTENT / 2, BOX_EXTENT / 2].
    """
    centre, side = joints_extent(joints2d)
    return (joints2d - centre) / side * BOX_EXTENT


def denormalise_by_box(
    joints2d: Float[Array, '*batch J 2'],
    centre: Float[Array, '*batch 1 2'],
    side: Float[Array, '*batch 1 1'],
) -> Float[Array, '*batch J 2']:
    """The inverse of `normalise_by_box`, with the box that `joints_extent` gave."""
    return joints2d / BOX_EXTENT * side + centre


def joints_extent(
    joints2d: Float[Array, '*batch J 2'],
) -> tuple[Float[Array, '*batch 1 2'], Float[Array, '*batch 1 1']]:
    """The centre of the smallest box around joints, and its longer side, in the joints' unit."""
    np_like = joints2d.__array_namespace__()
    lowest = joints2d.min(axis=-2, keepdims=True)
    highest = joints2d.max(axis=-2, keepdims=True)
    side = (highest - lowest).max(axis=-1, keepdims=True)
    return (lowest + highest) / 2, np_like.maximum(side, _LEAST_SIDE)


def _half(like: Array, size: tuple[int, int]) -> Array:
    """Half the size, an array [2] of the same kind and dtype as `like`."""
    return like.__array_namespace__().asarray([size[0] / 2, size[1] / 2], dtype=like.dtype)

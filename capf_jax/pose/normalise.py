"""The two normalisations of 2D joints, forward and inverse, on NumPy and JAX arrays alike."""

from __future__ import annotations

from capf_jax.pose.batch import Array


def _over_width(image_size: Array) -> tuple[Array, Array]:
    """(w [..., 1, 1], offset [..., 1, 2]) with offset = (1, h/w), as columns of `image_size`."""
    width = image_size[..., None, :1]
    return width, image_size[..., None, :] / width


def normalise_by_image(joints2d: Array, image_size: Array) -> Array:
    """x/w*2 - 1, y/w*2 - h/w: the aspect ratio stays (docs/method.md, The lifter).

    Args:
      joints2d: [..., J, 2] pixels of the whole image.
      image_size: [..., 2] (width, height), pixels; an array of the same kind as the joints.

    Returns:
      [..., J, 2]: x in [-1, 1] and y in [-h/w, h/w] inside the image.
    """
    width, offset = _over_width(image_size)
    return joints2d / width * 2 - offset


def denormalise_by_image(joints2d: Array, image_size: Array) -> Array:
    """Pixels of the whole image [..., J, 2] from what `normalise_by_image` gives."""
    width, offset = _over_width(image_size)
    return (joints2d + offset) / 2 * width


def normalise_by_crop(joints_crop: Array, crop_size: tuple[int, int]) -> Array:
    """x/(w/2) - 1, y/(h/2) - 1 (docs/method.md, The lifter).

    Args:
      joints_crop: [..., J, 2] pixels of the crop.
      crop_size: (width, height) of the crop, pixels.

    Returns:
      [..., J, 2] in [-1, 1] inside the crop.
    """
    return joints_crop / _half(joints_crop, crop_size) - 1


def denormalise_by_crop(joints_crop: Array, crop_size: tuple[int, int]) -> Array:
    """Pixels of the crop [..., J, 2] from what `normalise_by_crop` gives."""
    return (joints_crop + 1) * _half(joints_crop, crop_size)


def _half(like: Array, size: tuple[int, int]) -> Array:
    """[2] half the size, an array of the same kind and dtype as `like`."""
    return like.__array_namespace__().asarray([size[0] / 2, size[1] / 2], dtype=like.dtype)

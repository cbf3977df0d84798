"""Checks of the arrays that users hand to the Estimator.

Every mistake is a UserError of one sentence, raised before the arrays come to JAX.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from capf_jax.errors import UserError

# Half widths of the image. A detector may put a joint outside the image, but never as far as this.
FARTHEST = 10.0


def crops(images: Any, size: tuple[int, int] | None) -> np.ndarray:
    """Checks RGB crops, uint8 [B, H, W, 3].

    Args:
      images: the user's crops.
      size: (H, W) that the weights need; None for any.

    Raises:
      UserError: another dtype or shape.
    """
    images = np.asarray(images)
    height, width = size or ('H', 'W')
    fits = images.ndim == 4 and images.shape[3] == 3 and size in (None, images.shape[1:3])
    if images.dtype != np.uint8 or not fits:
        raise UserError(
            f'crops is {_kind(images)}; it must be RGB, uint8 [B, {height}, {width}, 3]'
        )
    return images


def normalised_joints(joints2d: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Checks 2D joints that are normalised by the image, float32 [B, *shape].

    x runs over [-1, 1] from the left to the right edge, and y is in the same unit (docs/method.md,
    The lifter).

    Args:
      joints2d: the user's joints.
      shape: the axes behind the batch's, such as (J, 2) or (F, J, 2).

    Raises:
      UserError: another dtype or shape, numbers that are not finite, or pixels.
    """
    joints2d = _joints(joints2d, shape, 'joints2d')
    farthest = np.abs(joints2d).max(initial=0)
    if farthest > FARTHEST:
        raise UserError(
            f'joints2d reaches {farthest:.4g}, which looks like pixels; normalise it by the image '
            f'of w x h pixels first: x / w * 2 - 1 and y / w * 2 - h / w'
        )
    return joints2d


def crop_joints(joints2d_crop: Any, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Checks 2D joints in pixels of the crop, float32 [B, J, 2].

    Args:
      joints2d_crop: the user's joints.
      shape: (J, 2).
      size: (H, W) of the crops.

    Raises:
      UserError: another dtype or shape, numbers that are not finite, or normalised ones.
    """
    joints2d_crop = _joints(joints2d_crop, shape, 'joints2d_crop')
    farthest = np.abs(joints2d_crop).max(initial=0)
    if 0 < farthest <= 2:  # a whole person within two pixels; zeros may stand for no detection
        raise UserError(
            f'joints2d_crop never leaves [-2, 2], which looks normalised; '
            f'give it in pixels of the {size[1]}x{size[0]} crops'
        )
    if farthest > FARTHEST * max(size):
        raise UserError(
            f'joints2d_crop reaches {farthest:.4g}; give it in pixels of the {size[1]}x{size[0]} '
            f'crops, not of the whole image'
        )
    return joints2d_crop


def same_length(**arrays: np.ndarray) -> None:
    """Checks that all arrays have as many samples.

    Raises:
      UserError: they have not; the sentence counts the samples of each.
    """
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ', '.join(f'{number} of {name}' for name, number in lengths.items())
        raise UserError(f'every person needs one of each, but there are {listed}')


def _joints(joints: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    joints = np.asarray(joints)
    if joints.dtype.kind not in 'fiu' or joints.ndim == 0 or joints.shape[1:] != shape:
        axes = ', '.join(map(str, shape))
        raise UserError(f'{name} is {_kind(joints)}; it must be float32 [B, {axes}]')
    finite = np.isfinite(joints).all(axis=tuple(range(1, joints.ndim)))
    if not finite.all():
        raise UserError(
            f'{name} holds NaN or infinity, first in sample {int(np.argmin(finite))}; '
            f'give every joint a position, a guess where it was not found'
        )
    return joints.astype(np.float32)


def _kind(array: np.ndarray) -> str:
    return f'{array.dtype} [{", ".join(map(str, array.shape))}]'

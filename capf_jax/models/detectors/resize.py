"""Resizing of feature maps: by repeated pixels, and bilinear."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from capf_jax.pose.batch import Array


def upsample_nearest(x: Float[Array, 'B H W C'], factor: int) -> Float[jax.Array, 'B _ _ C']:
    """Maps x to [B, H * factor, W * factor, C] by repeating every pixel."""
    return jnp.repeat(jnp.repeat(x, factor, axis=1), factor, axis=2)


def resize_bilinear(x: Float[Array, 'B H W C'], size: Sequence[int]) -> Float[jax.Array, 'B _ _ C']:
    """Maps x to a (height, width), bilinear, with corner pixels on corner pixels.

    `jax.image.resize` aligns the pixels' outer edges instead. Rows and columns are gathered and
    summed up, since matrix products in reduced precision would round the weights.
    """
    for axis, new in zip((1, 2), size, strict=True):
        before, after, share = neighbours(x.shape[axis], new)
        share = jnp.asarray(share, x.dtype).reshape([-1] + [1] * (3 - axis))
        x = jnp.take(x, before, axis) * (1 - share) + jnp.take(x, after, axis) * share
    return x


def double_bilinear(x: Float[Array, 'B H W C']) -> Float[jax.Array, 'B 2*H 2*W C']:
    """Maps x to twice its size, bilinear, with the outer edges of the pixels on each other.

    Each pixel becomes four, which lie a quarter of it off its centre. Sums take the place of
    matrix products, whose reduced precision would round the weights.
    """
    for axis in (1, 2):
        size = x.shape[axis]
        first, last = (jax.lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, size - 1))
        before = jnp.concatenate([first, jax.lax.slice_in_dim(x, 0, size - 1, axis=axis)], axis)
        after = jnp.concatenate([jax.lax.slice_in_dim(x, 1, size, axis=axis), last], axis)
        pair = jnp.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
        x = pair.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
    return x


def neighbours(
    old: int, new: int
) -> tuple[Int[np.ndarray, ' N'], Int[np.ndarray, ' N'], Float[np.ndarray, ' N']]:
    """Where each of `new` pixels lies among `old` ones; the ends of both rows lie on each other.

    Returns:
      For each of N = `new` pixels the pixel before it and the one after it, both int32, and the
      share of the one after, float64.
    """
    position = np.linspace(0, old - 1, new)
    before = np.minimum(position.astype(np.int32), old - 1)
    return before, np.minimum(before + 1, old - 1), position - before

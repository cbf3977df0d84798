"""Bilinear resizing, and maps of several sizes that count as one."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Pyramid:
    """Maps of several sizes that stand for all of them resized to one and concatenated.

    Attributes:
      maps: of [B, H_l, W_l, C_l].
      size: (H, W) that they are resized to.
    """

    maps: tuple[jax.Array, ...]
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """[B, H, W, C], C the sum of all C_l."""
        return (self.maps[0].shape[0], *self.size, sum(x.shape[-1] for x in self.maps))

    def times(self, kernel: jax.Array) -> jax.Array:
        """The product with a kernel [C, K] at every pixel: [B, H, W, K].

        Every map is resized after its own product, which is equal and, for one of half the size,
        a quarter of the work.
        """
        bounds = np.cumsum([x.shape[-1] for x in self.maps])[:-1]
        parts = zip(self.maps, jnp.split(kernel, bounds), strict=True)
        return sum(resize_bilinear(pointwise(x, part), self.size) for x, part in parts)


def pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The product of x [B, H, W, C] with a kernel [C, K] at every pixel: [B, H, W, K]."""
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], -1)


def resize_bilinear(x: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Maps x [B, H, W, C] to [B, *size, C], bilinear, corner pixels on corner pixels.

    `jax.image.resize` aligns the pixels' outer edges instead. Written as sums of whole rows and
    columns, since matrix products in reduced precision would round the weights.
    """
    for axis, new in zip((1, 2), size, strict=True):
        *outer, old = x.shape[: axis + 1]
        if new == old:
            continue
        position = np.linspace(0, old - 1, new)
        low = np.minimum(position.astype(np.int32), old - 1)
        high = np.minimum(low + 1, old - 1)
        share = (position - low).astype(x.dtype).reshape([-1] + [1] * (3 - axis))
        # Gathered from the first axis: from a later one XLA's CPU transposes what it has gathered.
        flat = x.reshape(-1, *x.shape[axis + 1 :])
        # Of jnp: numpy's would be a constant of the program, as long as the batch.
        starts = old * jnp.arange(np.prod(outer), dtype=jnp.int32)[:, None]
        lows, highs = (
            flat.at[starts + ends]
            .get(mode='promise_in_bounds', wrap_negative_indices=False)
            .reshape(*outer, new, *x.shape[axis + 1 :])
            for ends in (low, high)
        )
        x = lows * (1 - share) + highs * share
    return x

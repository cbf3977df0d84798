"""Bilinear resizing on a CPU, and feature maps of several sizes that count as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from capf_jax.models.detectors.resize import neighbours


@dataclasses.dataclass(frozen=True)
class Pyramid:
    """Maps of several sizes that stand for all of them, resized to one size and concatenated.

    Attributes:
      maps: L maps [B, H_l, W_l, C_l].
      size: (H, W) that they are resized to.
    """

    maps: tuple[jax.Array, ...]
    size: Sequence[int]

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, H, W, C), C the sum of all C_l."""
        return (self.maps[0].shape[0], *self.size, sum(x.shape[-1] for x in self.maps))

    @property
    def dtype(self) -> Any:
        """The maps' type; with it and its shape, a pyramid fits a convolution's signature."""
        return self.maps[0].dtype

    def times(self, kernel: jax.Array) -> jax.Array:
        """The product with a kernel [C, K] at every pixel: [B, H, W, K].

        Every map is resized after its own product, which is equal and, for a map of half the size,
        a quarter of the work.
        """
        bounds = np.cumsum([x.shape[-1] for x in self.maps])[:-1]
        parts = zip(self.maps, jnp.split(kernel, bounds), strict=True)
        resized = (resize_bilinear(pointwise(x, part), self.size) for x, part in parts)
        return cast(jax.Array, sum(resized))  # there is at least one map


def pointwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The product of x [B, H, W, C] with a kernel [C, K] at every pixel: [B, H, W, K]."""
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], kernel.shape[-1])


def resize_bilinear(x: jax.Array, size: Sequence[int]) -> jax.Array:
    """Maps x [B, H, W, C] to [B, *size, C]; the same as `models.detectors.resize`'s.

    Pixels are gathered from the first axis: XLA's CPU transposes what it gathers from a later one.
    """
    for axis, new in zip((1, 2), size, strict=True):
        *outer, old = x.shape[: axis + 1]
        if new == old:
            continue
        before, after, share = neighbours(old, new)
        share = share.astype(x.dtype).reshape([-1] + [1] * (3 - axis))
        flat = x.reshape(-1, *x.shape[axis + 1 :])
        # Indices are worked out in the program: as constants they would be as long as the batch.
        starts = old * jnp.arange(np.prod(outer), dtype=jnp.int32)[:, None]
        low, high = (
            flat.at[starts + pixels]
            .get(mode='promise_in_bounds', wrap_negative_indices=False)
            .reshape(*outer, new, *x.shape[axis + 1 :])
            for pixels in (before, after)
        )
        x = low * (1 - share) + high * share
    return x

"""Bilinear sampling as a TPU runs it fast, in place of the models' own.

A TPU reads a map into its fast memory for each gather, so that one gather brings all four pixels of
a sample. It keeps the last two axes of an array in tiles of 8 x 128 numbers, so that heads and
points, 4 each, stay one axis with the joints until the samples are projected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from capf_jax.models.deformable import DeformableBlock
from capf_jax.models.grid_sample import to_pixels
from capf_jax.models.lifter import Lifter
from capf_jax.models.transformer import dense


def grid_sample(maps: jax.Array, points: jax.Array, padding_mode: str) -> jax.Array:
    """`models.grid_sample.grid_sample` with aligned corners, to the bit.

    Args:
      maps: [B, H, W, C].
      points: [B, N, 2], normalised to the map.
      padding_mode: 'zeros' or 'border'.

    Returns:
      [B, N, C].
    """
    return jax.vmap(lambda one_map, of_map: _sample_map(one_map, of_map, padding_mode))(
        maps, points
    )


def _sample_map(one_map: jax.Array, points: jax.Array, padding_mode: str) -> jax.Array:
    """One map [H, W, C] at points [N, 2] -> [N, C]."""
    height, width, _ = one_map.shape
    x = to_pixels(points[:, 0], width, padding_mode, align_corners=True)
    y = to_pixels(points[:, 1], height, padding_mode, align_corners=True)
    left, top = jnp.floor(x), jnp.floor(y)

    column = jnp.stack([left, left + 1, left, left + 1])
    row = jnp.stack([top, top, top + 1, top + 1])
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = tuple(jnp.where(inside, position, 0).astype(jnp.int32) for position in (row, column))
    pixels = one_map.at[index].get(mode='promise_in_bounds')  # [4, N, C]
    upper_left, upper_right, lower_left, lower_right = jnp.where(inside[..., None], pixels, 0)

    right_share, lower_share = (x - left)[:, None], (y - top)[:, None]
    upper = (1 - right_share) * upper_left + right_share * upper_right
    lower = (1 - right_share) * lower_left + right_share * lower_right
    return ((1 - lower_share) * upper + lower_share * lower).astype(one_map.dtype)


def context(
    plain: Callable[..., Any], lifter: Lifter, maps: Sequence[jax.Array], joints2d_crop: jax.Array
) -> list[jax.Array]:
    """`Lifter.context` by one gather a map."""
    return [grid_sample(one_map, joints2d_crop, 'zeros') for one_map in maps]


def attended(
    plain: Callable[..., Any],
    block: DeformableBlock,
    points: jax.Array,
    weights: jax.Array,
    maps: Sequence[jax.Array],
    channels: int,
) -> jax.Array:
    """`DeformableBlock.attended` by one gather a map; samples have one axis until projected."""
    levels = []
    for level, one_map in enumerate(maps):
        of_level = points[:, :, level]  # [B, J, M, K, 2]
        samples = grid_sample(one_map, of_level.reshape(of_level.shape[0], -1, 2), 'border')
        project = dense(
            one_map.shape[-1],
            channels // block.heads,
            dtype=block.dtype,
            name=f'value_projection_{level}',
        )
        values = project(samples).reshape(*of_level.shape[:-1], -1)  # [B, J, M, K, C / M]
        mixed = jnp.sum(weights[:, :, level, ..., None].astype(values.dtype) * values, axis=-2)
        levels.append(mixed.reshape(*mixed.shape[:2], channels))
    return jnp.stack(levels, axis=2)

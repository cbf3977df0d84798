"""Bilinear sampling of feature maps at normalised points, by `jax.vmap` and gathers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.pose.batch import Array

PADDING_MODES = ('zeros', 'border')
FAR = 1e9  # normalised coordinates are clipped here, far outside of every map


def grid_sample(
    maps: Float[Array, ...],
    points: Float[Array, ...],
    padding_mode: str = 'zeros',
    align_corners: bool = True,
) -> Float[jax.Array, 'B *points C']:
    """Samples every map at its own points, as `torch.nn.functional.grid_sample` does.

    A NaN coordinate gives NaN samples; no point, however far away, reads outside its map.

    Args:
      maps: [B, H, W, C], float32 or bfloat16.
      points: [B, ..., 2], (x, y) normalised to the map: -1 is its left or top end, 1 its right or
        bottom end.
      padding_mode: what lies outside the map: 'zeros', or 'border' for the nearest pixel.
      align_corners: whether -1 and 1 are the centres of the border pixels (True) or their outer
        edges (False).

    Returns:
      Samples in the maps' type; positions and weights are always float32.

    Raises:
      ValueError: for an unknown padding mode, or shapes that do not fit.
    """
    if padding_mode not in PADDING_MODES:
        raise ValueError(f'padding_mode is {padding_mode!r}; it must be one of {PADDING_MODES}')
    if (
        maps.ndim != 4
        or points.ndim < 2
        or (points.shape[0], points.shape[-1]) != (maps.shape[0], 2)
    ):
        raise ValueError(
            f'grid_sample got maps {maps.shape} and points {points.shape}; '
            'they must be [B, H, W, C] and [B, ..., 2]'
        )
    sample = functools.partial(_sample_map, padding_mode=padding_mode, align_corners=align_corners)
    return jax.vmap(sample)(jnp.asarray(maps), jnp.asarray(points))


def _sample_map(
    one_map: jax.Array, points: jax.Array, *, padding_mode: str, align_corners: bool
) -> jax.Array:
    """One map [H, W, C] at points [..., 2] -> [..., C]: the weighted sum of four pixels each."""
    height, width, _ = one_map.shape
    x = to_pixels(points[..., 0], width, padding_mode, align_corners)
    y = to_pixels(points[..., 1], height, padding_mode, align_corners)
    left, top = jnp.floor(x), jnp.floor(y)

    def pixel(column: jax.Array, row: jax.Array) -> jax.Array:
        """The pixels [..., C] at whole positions [...]; zeros outside the map."""
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = tuple(
            jnp.where(inside, position, 0).astype(jnp.int32) for position in (row, column)
        )
        value = one_map.at[index].get(mode='promise_in_bounds')
        return jnp.where(inside[..., None], value, 0)

    # How far the point is from the left and the upper pixel: the share of the other one.
    right_share, lower_share = (x - left)[..., None], (y - top)[..., None]
    upper = (1 - right_share) * pixel(left, top) + right_share * pixel(left + 1, top)
    lower = (1 - right_share) * pixel(left, top + 1) + right_share * pixel(left + 1, top + 1)
    return ((1 - lower_share) * upper + lower_share * lower).astype(one_map.dtype)


def to_pixels(
    coordinate: Float[Array, '*points'], size: int, padding_mode: str, align_corners: bool
) -> Float[jax.Array, '*points']:
    """Normalised coordinates on an axis of `size` pixels -> positions in pixels.

    With 'border', what is outside moves to the nearest pixel, and no longer changes with the
    coordinate; the ends, as in PyTorch, count as outside.
    """
    # XLA may work a position out twice, for the pixel and for its weight, and must round both
    # alike: a point exactly on a pixel would otherwise take the weight of another one. The
    # clipping, which far points need, also keeps the caller's sums from being fused with this one.
    coordinate = jnp.clip(coordinate.astype(jnp.float32), -FAR, FAR)
    unit = (coordinate + 1) / 2
    position = unit * (size - 1) if align_corners else unit * size - 0.5
    if padding_mode == 'border':
        position = jnp.where(position <= 0, 0.0, position)
        position = jnp.where(position >= size - 1, size - 1.0, position)
    return position

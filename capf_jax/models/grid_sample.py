"""Bilinear sampling of feature maps at normalised points, by `jax.vmap` and gathers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

PADDING_MODES = ('zeros', 'border')


def grid_sample(
    maps: jax.Array,
    points: jax.Array,
    padding_mode: str = 'zeros',
    align_corners: bool = True,
) -> jax.Array:
    """Samples every map at its own points.

    A NaN coordinate gives NaN samples; no point, however far away, reads outside its map.

    Args:
      maps: [B, H, W, C], float32 or bfloat16.
      points: [B, ..., 2], (x, y) normalised to the map: -1 is its left or top end, 1 its right or
        bottom end.
      padding_mode: what lies outside the map: 'zeros', or 'border' for the nearest pixel.
      align_corners: whether -1 and 1 are the centres of the border pixels (True) or their outer
        edges (False).

    Returns:
      [B, ..., C] in the maps' type; positions and weights are always float32.

    Raises:
      ValueError: for an unknown padding mode or shapes that do not fit.
    """
    if padding_mode not in PADDING_MODES:
        raise ValueError(f'padding_mode is {padding_mode!r}; it must be one of {PADDING_MODES}')
    if maps.ndim != 4 or points.ndim < 2 or points.shape[-1] != 2 or len(maps) != len(points):
        raise ValueError(
            f'grid_sample got maps {maps.shape} and points {points.shape}; '
            'they must be [B, H, W, C] and [B, ..., 2]'
        )

    def sample(one_map, one_points):
        return _sample_map(one_map, one_points, padding_mode, align_corners)

    samples = jax.vmap(sample)(maps, points.reshape(len(points), -1, 2))
    return samples.reshape(*points.shape[:-1], maps.shape[-1])


def _sample_map(one_map, points, padding_mode, align_corners):
    """One map [H, W, C] at points [N, 2] -> [N, C]."""
    height, width, channels = one_map.shape
    points = points.astype(jnp.float32)
    columns = _neighbours(points[:, 0], width, padding_mode, align_corners)
    rows = _neighbours(points[:, 1], height, padding_mode, align_corners)
    pixels = one_map.reshape(height * width, channels)
    samples = 0.0
    for row, row_weight in rows:
        for column, column_weight in columns:
            # Indices are inside the map by construction, so the gather needs no check of its own.
            corner = pixels.at[row * width + column].get(mode='promise_in_bounds')
            samples += (row_weight * column_weight)[:, None] * corner
    return samples.astype(one_map.dtype)


def _neighbours(points, size, padding_mode, align_corners):
    """The two pixels beside each coordinate of one axis, with their weights.

    Args:
      points: [N] normalised coordinates.
      size: pixels along the axis.

    Returns:
      Two pairs (index [N] int32 within the axis, weight [N] float32). A pixel outside the axis has
      weight 0 under 'zeros'. A NaN coordinate has NaN weights.
    """
    unit = (points + 1) / 2
    position = unit * (size - 1) if align_corners else unit * size - 0.5
    # Outside this interval the sample does not change with the point, so the gradient is 0; the
    # ends are as PyTorch has them. Clipping first also keeps far points in the range of int32.
    if padding_mode == 'border':
        outside = (position <= 0) | (position >= size - 1)
        low, high = 0, size - 1
    else:
        outside = (position < -1) | (position >= size)
        low, high = -1, size
    position = jnp.where(outside, jax.lax.stop_gradient(jnp.clip(position, low, high)), position)
    first = jax.lax.stop_gradient(jnp.floor(position))
    weight = position - first
    first = jnp.where(jnp.isnan(first), 0, first).astype(jnp.int32)
    neighbours = []
    for index, share in ((first, 1 - weight), (first + 1, weight)):
        inside = (index >= 0) & (index < size)
        # NaN must survive: a mask by multiplication keeps it, `where` would hide it.
        neighbours.append((jnp.clip(index, 0, size - 1), share * inside))
    return neighbours

"""Bilinear sampling of feature maps at normalised points, by `jax.vmap` and gathers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

PADDING_MODES = ('zeros', 'border')
FAR = 1e9  # normalised coordinates beyond this are all alike


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

    batch, height, width, channels = maps.shape

    def corners(point):
        return _corners(point, height, width, padding_mode, align_corners)

    index, weights = jax.vmap(jax.vmap(corners))(points.reshape(batch, -1, 2))  # [B, N, 4]
    # The maps of a batch become one list of pixels: a gather with a batch dimension, and still
    # more its gradient, runs several times slower on XLA's CPU.
    index += (height * width) * jnp.arange(batch, dtype=jnp.int32)[:, None, None]
    pixels = jnp.asarray(maps).reshape(-1, channels)
    samples = _weighted_pixels(pixels, index.reshape(-1, 4), weights.reshape(-1, 4))
    return samples.reshape(*points.shape[:-1], channels)


@jax.custom_vjp
def _weighted_pixels(pixels, index, weights):
    """Sums of four weighted pixels: pixels [P, C], index and weights [N, 4] -> [N, C].

    The gradient is written out, since automatic differentiation scatters each corner on its own.
    """
    samples = sum(weights[:, i, None] * _take(pixels, index[:, i]) for i in range(4))
    return samples.astype(pixels.dtype)


def _take(pixels, index):
    # Indices are inside the maps by construction, so the gather needs no check of its own.
    return pixels.at[index].get(mode='promise_in_bounds')


def _weighted_pixels_forward(pixels, index, weights):
    return _weighted_pixels(pixels, index, weights), (pixels, index, weights)


def _weighted_pixels_backward(saved, cotangent):
    # One corner after the other: four at once need buffers so large that the allocator takes
    # them from the system, and faults their pages in, at every call.
    pixels, index, weights = saved
    cotangent = cotangent.astype(jnp.float32)

    def d_weight(index):
        return (cotangent * _take(pixels, index)).sum(axis=-1)

    def add_corner(d_pixels, corner):
        index, weight = corner
        share = weight[:, None] * cotangent
        return d_pixels.at[index].add(share, mode='promise_in_bounds'), None

    d_weights = jax.lax.map(d_weight, index.T).T
    # jit drops this scan where nobody asks for it: the maps of a frozen detector.
    d_pixels = jnp.zeros(pixels.shape, jnp.float32)
    d_pixels, _ = jax.lax.scan(add_corner, d_pixels, (index.T, weights.T))
    return d_pixels.astype(pixels.dtype), None, d_weights


_weighted_pixels.defvjp(_weighted_pixels_forward, _weighted_pixels_backward)


def _corners(point, height, width, padding_mode, align_corners):
    """The four pixels around one point [2] -> index [4] into the map's pixels, weights [4]."""
    point = point.astype(jnp.float32)
    columns, column_weights = _neighbours(point[0], width, padding_mode, align_corners)
    rows, row_weights = _neighbours(point[1], height, padding_mode, align_corners)
    index = rows[:, None] * width + columns
    weights = row_weights[:, None] * column_weights
    return index.reshape(4), weights.reshape(4)


def _neighbours(coordinate, size, padding_mode, align_corners):
    """The two pixels beside a coordinate of one axis, with their weights.

    Args:
      coordinate: [] normalised.
      size: pixels along the axis.
      padding_mode: as in `grid_sample`.
      align_corners: as in `grid_sample`.

    Returns:
      Indices [2] int32 within the axis, weights [2]. A pixel outside the axis has weight 0 under
      'zeros'. A NaN coordinate has NaN weights.
    """
    # XLA may compute a coordinate twice, for the index and for the weight. If the two rounded
    # differently, a point exactly on a pixel would take the weight of another one: what a caller
    # computes under the same jit must not contract with the addition here, and clipping, which is
    # needed for far points anyhow, prevents it.
    coordinate = jnp.clip(coordinate, -FAR, FAR)
    unit = (coordinate + 1) / 2
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
    share = position - first
    index = jnp.where(jnp.isnan(first), 0, first).astype(jnp.int32) + jnp.arange(2)
    inside = (index >= 0) & (index < size)
    # NaN must survive: a mask by multiplication keeps it, `where` would hide it.
    return jnp.clip(index, 0, size - 1), jnp.stack([1 - share, share]) * inside

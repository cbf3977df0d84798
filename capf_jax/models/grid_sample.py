"""Bilinear sampling of feature maps at normalised points, by `jax.vmap` and gathers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

PADDING_MODES = ('zeros', 'border')
FAR = 1e9  # normalised coordinates beyond this are all alike
LANES = 32  # fewest partial sums of a dot product over channels: 16 and 64 were no faster


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

    maps = jnp.asarray(maps)
    samples = _sample(padding_mode, align_corners, maps, points.reshape(len(maps), -1, 2))
    return samples.reshape(*points.shape[:-1], maps.shape[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _sample(padding_mode, align_corners, maps, points):
    """`grid_sample` of maps [B, H, W, C] at points [B, N, 2] -> [B, N, C].

    The gradient is written out. Automatic differentiation scatters each corner on its own, and its
    way back from the corners' weights to the points is a dozen small reductions, whose starting
    and joining of threads costs XLA's CPU more than their arithmetic.
    """
    pixels = maps.reshape(-1, maps.shape[-1])
    index, weights = _corners(points, maps.shape, padding_mode, align_corners)
    samples = sum(weights[:, i, None] * _take(pixels, index[:, i]) for i in range(4))
    return samples.astype(maps.dtype).reshape(*points.shape[:2], maps.shape[-1])


def _sample_forward(padding_mode, align_corners, maps, points):
    return _sample(padding_mode, align_corners, maps, points), (maps, points)


def _sample_backward(padding_mode, align_corners, saved, cotangent):
    maps, points = saved
    pixels = maps.reshape(-1, maps.shape[-1])
    cotangent = cotangent.astype(jnp.float32).reshape(-1, maps.shape[-1])
    index, weights = _corners(points, maps.shape, padding_mode, align_corners)
    d_pixels = _scatter(index, weights, cotangent, len(pixels))

    def slopes_of_one(point):
        """How the four weights change with the point, [4, 2], and which coordinate moves, [2]."""
        slope = jax.jacfwd(
            lambda point: _corners_of_one(point, *maps.shape[1:3], padding_mode, align_corners)[1]
        )(point)
        sides = ((point[0], maps.shape[2]), (point[1], maps.shape[1]))
        still = [_position(*side, padding_mode, align_corners)[1] for side in sides]
        return slope, ~(jnp.stack(still) | jnp.isnan(point))

    # Few numbers that every lane of the products needs: computed once, not once per lane.
    slopes, moves = jax.vmap(jax.vmap(slopes_of_one))(points)
    slopes = slopes.reshape(-1, 4, 2)
    slopes, index = jax.lax.optimization_barrier((slopes, index))
    d_weights = jax.lax.platform_dependent(
        pixels, index, cotangent, cpu=_products_by_lanes, default=_products
    )
    d_points = sum(d_weights[:, i, None] * slopes[:, i] for i in range(4))
    # A coordinate that changes nothing, or is NaN itself, has gradient 0 even where the other one
    # is NaN: what a NaN spoils is the samples, and with them the gradient to the maps.
    d_points = jnp.where(moves, d_points.reshape(points.shape), 0)
    return (
        d_pixels.reshape(maps.shape).astype(maps.dtype),
        d_points.astype(points.dtype),
    )


_sample.defvjp(_sample_forward, _sample_backward)


def _take(pixels, index):
    # Indices are inside the maps by construction, so the gather needs no check of its own.
    return pixels.at[index].get(mode='promise_in_bounds')


def _scatter(index, weights, cotangent, pixels):
    """Gradient to the pixels [P, C]: index and weights [N, 4], cotangent [N, C]."""

    def add_corner(total, corner):
        index, weight = corner
        share = weight[:, None] * cotangent
        return total.at[index].add(share, mode='promise_in_bounds'), None

    # One corner after the other: four at once need buffers so large that the allocator takes
    # them from the system, and faults their pages in, at every call. Scattering windows of 2x2 or
    # 1x2 pixels was slower on a CPU; a product with a matrix of weights was no faster for 8x6 maps.
    # jit drops this scan where nobody asks for it: the maps of a frozen detector.
    total = jnp.zeros((pixels, cotangent.shape[-1]), jnp.float32)
    return jax.lax.scan(add_corner, total, (index.T, weights.T))[0]


def _products(pixels, index, cotangent):
    """Dot products of cotangents [N, C] with pixels [P, C] at index [N, 4] -> [N, 4]."""
    return (cotangent[:, None] * _take(pixels, index)).sum(axis=-1)


def _products_by_lanes(pixels, index, cotangent):
    """`_products` for CPUs.

    XLA's CPU makes one loop of the gathers and the partial sums, which writes neither the gathered
    pixels [N, 4, C] nor their products. A sum over all channels would be a loop of its own, and
    what it needs would be written first.
    """
    channels = pixels.shape[-1]
    pieces = next(n for n in (8, 4, 2, 1) if n == 1 or channels % (n * LANES) == 0)
    lanes = channels // pieces
    pixels = pixels.reshape(-1, lanes)
    parts = cotangent.reshape(-1, pieces, lanes)
    sums = sum(
        parts[:, None, piece] * _take(pixels, index * pieces + piece) for piece in range(pieces)
    )
    # Without the barrier the sum over lanes draws the loop above into its own, lane by lane. As a
    # product it is faster than as a reduction.
    sums = jax.lax.optimization_barrier(sums)
    return jnp.matmul(sums, jnp.ones(lanes), precision='highest')


def _corners(points, shape, padding_mode, align_corners):
    """The four pixels around every point, in the pixels of all maps together.

    One list of pixels: a gather with a batch dimension, and still more its gradient, runs several
    times slower on XLA's CPU.

    Args:
      points: [B, N, 2].
      shape: the maps', (B, H, W, C).
      padding_mode: as in `grid_sample`.
      align_corners: as in `grid_sample`.

    Returns:
      Index [B * N, 4] into B * H * W pixels, weights [B * N, 4].
    """
    batch, height, width, _ = shape

    def corners(point):
        return _corners_of_one(point, height, width, padding_mode, align_corners)

    index, weights = jax.vmap(jax.vmap(corners))(points)
    index += (height * width) * jnp.arange(batch, dtype=jnp.int32)[:, None, None]
    return index.reshape(-1, 4), weights.reshape(-1, 4)


def _corners_of_one(point, height, width, padding_mode, align_corners):
    """The four pixels around one point [2] -> index [4] into its map's pixels, weights [4]."""
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
    position, _ = _position(coordinate, size, padding_mode, align_corners)
    first = jax.lax.stop_gradient(jnp.floor(position))
    share = position - first
    index = jnp.where(jnp.isnan(first), 0, first).astype(jnp.int32) + jnp.arange(2)
    inside = (index >= 0) & (index < size)
    # NaN must survive: a mask by multiplication keeps it, `where` would hide it.
    return jnp.clip(index, 0, size - 1), jnp.stack([1 - share, share]) * inside


def _position(coordinate, size, padding_mode, align_corners):
    """Where a coordinate of one axis lies, in pixels, and whether that is beyond its ends."""
    coordinate = coordinate.astype(jnp.float32)
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
    return position, outside

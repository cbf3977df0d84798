"""Bilinear sampling as `models.grid_sample` does it, with gathers and a gradient for a CPU."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from capf_jax.backends.cpu import tricks
from capf_jax.backends.cpu.channel_sum import channel_sum
from capf_jax.models import grid_sample as plain
from capf_jax.models.grid_sample import FAR

MOST_PIXELS = 2**24  # of a map whose pixels' numbers are exact in float32


def grid_sample(
    maps: jax.Array,
    points: jax.Array,
    padding_mode: str = 'zeros',
    align_corners: bool = True,
) -> jax.Array:
    """`models.grid_sample.grid_sample`, but that a coordinate that is NaN has gradient 0."""
    if not tricks.is_on('sampling') or maps.shape[1] * maps.shape[2] > MOST_PIXELS:
        return plain.grid_sample(maps, points, padding_mode, align_corners)
    maps = jnp.asarray(maps)
    flat = points.reshape(len(maps), -1, 2)
    samples = cast(jax.Array, _sample(padding_mode, align_corners, maps, flat))
    return samples.reshape(*points.shape[:-1], maps.shape[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _sample(padding_mode, align_corners, maps, points):
    """`grid_sample` of maps [B, H, W, C] at points [B, N, 2] -> [B, N, C].

    The gradient is written out. Automatic differentiation scatters each corner on its own, and its
    way back from the corners' weights to the points is a dozen small reductions, whose starting
    and joining of threads takes longer than their arithmetic.
    """
    pixels = maps.reshape(-1, maps.shape[-1])
    corners = _corners(points, maps.shape, padding_mode, align_corners)
    # One row of indices: the copy that XLA makes for an array of them [B, N] would keep the gather
    # out of the loop that sums, in a lifter, which would then write every corner's pixels first.
    first = corners.first.reshape(-1)
    terms = (
        weight.reshape(-1, 1) * _take(pixels, first + offset)
        for offset, weight in zip(corners.offsets, corners.weights, strict=True)
    )
    samples = cast(jax.Array, sum(terms))  # there is at least one corner
    return samples.astype(maps.dtype).reshape(*points.shape[:2], maps.shape[-1])


def _sample_forward(padding_mode, align_corners, maps, points):
    return _sample(padding_mode, align_corners, maps, points), (maps, points)


def _sample_backward(padding_mode, align_corners, saved, cotangent):
    maps, points = saved
    pixels = maps.reshape(-1, maps.shape[-1])
    cotangent = cotangent.astype(jnp.float32)
    corners = _corners(points, maps.shape, padding_mode, align_corners)
    offsets = np.array(corners.offsets, np.int32)
    d_pixels = _scatter_by_maps(
        jnp.zeros(pixels.shape, jnp.float32),
        corners.first,
        offsets,
        jnp.stack(corners.weights, axis=-1),
        cotangent,
    )
    d_weights = _products(pixels, corners.first, offsets, cotangent)
    d_points = [
        sum(d_weights[..., i] * slope for i, slope in enumerate(slopes))
        for slopes in corners.slopes
    ]
    # A coordinate that changes nothing, or is NaN itself, has gradient 0 even where the other one
    # is NaN: what a NaN spoils is the samples, and with them the gradient to the maps.
    d_points = jnp.where(jnp.stack(corners.moves, axis=-1), jnp.stack(d_points, axis=-1), 0)
    return d_pixels.reshape(maps.shape).astype(maps.dtype), d_points.astype(points.dtype)


_sample.defvjp(_sample_forward, _sample_backward)


def _take(pixels, index):
    # Indices are inside the maps by construction, so the gather needs no check of its own.
    return pixels.at[index].get(mode='promise_in_bounds', wrap_negative_indices=False)


def _scatter_by_maps(total, first, offsets, weights, cotangent):
    """Adds weighted cotangents [B, N, C] to the pixels of all maps [P, C], one map after the other.

    It adds to the pixels `first` [B, N] and their neighbours at `offsets` [4]; the weights are
    [B, N, 4]. What is added to all maps at once would need a buffer so large that the allocator
    takes it from the system, and faults its pages in, at every call; one map's stays in the caches.
    `jit` drops the loop where nobody asks for it: the maps of a frozen detector.
    """

    def scatter(total, one_map):
        first, weights, cotangent = one_map
        share = weights[..., None] * cotangent[..., None, :]
        index = first[..., None] + offsets
        total = total.at[index].add(share, mode='promise_in_bounds', wrap_negative_indices=False)
        return total, None

    return jax.lax.scan(scatter, total, (first, weights, cotangent))[0]


def _products(pixels, first, offsets, cotangent):
    """Dot products of cotangents [..., C] with pixels [P, C] -> [..., 4].

    With the pixels `first` [...] and their neighbours at `offsets` [4].
    """
    return channel_sum(cotangent[..., None, :] * _take(pixels, first[..., None] + offsets))


class _Corners(NamedTuple):
    """The four pixels around every point; fewer in a map of one row or column.

    Each array is one number a point, [B, N]: apart, XLA works them out on the way, in the loops
    that gather. It would write what is stacked in loops of their own.

    Attributes:
      first: the number of the upper left pixel among those of all maps together. They are one
        list of pixels, since a gather with a batch dimension, and still more its gradient, is slow.
      offsets: of the four from the first, the same for all points, so that one array of indices
        does for four.
      weights: four arrays.
      slopes: for x and for y, how the four weights change with it.
      moves: for x and for y, whether the sample changes with it.
    """

    first: jax.Array
    offsets: Sequence[int]
    weights: Sequence[jax.Array]
    slopes: tuple[Sequence[jax.Array], Sequence[jax.Array]]
    moves: tuple[jax.Array, jax.Array]


def _corners(points, shape, padding_mode, align_corners):
    """The corners of points [B, N, 2] in maps of a shape (B, H, W, C)."""
    batch, height, width, _ = shape

    def neighbours(point):
        x = _neighbours(point[0], width, padding_mode, align_corners)
        y = _neighbours(point[1], height, padding_mode, align_corners)
        return x, y

    def outer(of_rows, of_columns):
        return [row * column for row in of_rows for column in of_columns]

    x, y = jax.vmap(jax.vmap(neighbours))(points)
    first_of_map = height * width * jnp.arange(batch, dtype=jnp.int32)[:, None]
    # The number becomes an integer here, once, since that is ten instructions: see MOST_PIXELS.
    return _Corners(
        first=first_of_map + (y.first * width + x.first).astype(jnp.int32),
        offsets=[
            row * width + i for row, _ in enumerate(y.weights) for i, _ in enumerate(x.weights)
        ],
        weights=outer(y.weights, x.weights),
        slopes=(outer(y.weights, x.slopes), outer(y.slopes, x.weights)),
        moves=(x.moves, y.moves),
    )


class _Neighbours(NamedTuple):
    """Two pixels side by side on an axis, between or nearest to which a coordinate lies.

    Attributes:
      first: a whole float32, so that the second is within the axis too; 0 for a NaN coordinate.
      weights: of the two, or of the only one; a NaN coordinate has NaN weights.
      slopes: how the weights change with the coordinate, where it moves.
      moves: whether the sample changes with the coordinate at all.
    """

    first: jax.Array
    weights: Sequence[jax.Array]
    slopes: Sequence[jax.Array]
    moves: jax.Array


def _neighbours(coordinate, size, padding_mode, align_corners):
    """The neighbours of a normalised coordinate [] on an axis of `size` pixels."""
    coordinate = coordinate.astype(jnp.float32)
    # XLA may compute a coordinate twice, for the pixel and for its weight. If the two rounded
    # differently, a point exactly on a pixel would take the weight of another one: what a caller
    # computes under the same jit must not contract with the addition here, and clipping, which is
    # needed for far points anyhow, prevents it.
    unit = (_clip(coordinate, -FAR, FAR) + 1) / 2
    position = unit * (size - 1) if align_corners else unit * size - 0.5
    # Outside this interval the sample does not change with the point, so the gradient is 0; the
    # ends are as PyTorch has them.
    if padding_mode == 'border':
        outside = (position <= 0) | (position >= size - 1)
        low, high = 0, size - 1
    else:
        outside = (position < -1) | (position >= size)
        low, high = -1, size
    position = _clip(position, low, high)

    # The comparison is False for NaN, too. What is not between two pixels belongs to the last two.
    inside = jnp.where(position > 0, position, 0)
    first = jnp.floor(_clip(inside, 0, max(0, size - 2)))
    share = position - first  # of the way from the first to the second
    step = ((size - 1) if align_corners else size) / 2  # pixels in a step of 1
    if padding_mode == 'border':
        weights, slopes = [1 - share, share], [-step, step]
    else:  # outside the two, the nearer one fades out and the other one has no part
        before, after = share < 0, share >= 1
        weights = [jnp.maximum(0, 1 - jnp.abs(share - i)) for i in range(2)]
        slopes = [
            jnp.where(before, step, jnp.where(after, 0.0, -step)),
            jnp.where(before, 0.0, jnp.where(after, -step, step)),
        ]
    return _Neighbours(
        first=first,
        weights=weights[:size],
        slopes=slopes[:size],
        moves=~(outside | jnp.isnan(coordinate)),
    )


def _clip(x, low, high):
    """`jnp.clip` by comparisons, NaN for NaN.

    Those are one instruction each. The maximum and minimum that jnp takes are five, since they give
    NaN for a NaN on either side.
    """
    x = jnp.where(x < low, low, x)
    return jnp.where(x > high, high, x)

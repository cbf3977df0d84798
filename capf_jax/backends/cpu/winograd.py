"""Convolutions with fewer multiplications: Winograd's F(4, 3) and F(4, 2), down the rows.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), in one dimension:
four rows of output come from six rows of input by six products instead of twelve; with a kernel of
two rows, from five rows by five instead of eight. Across columns the convolution stays as it is:
transforms in both directions would cost a CPU more in memory traffic than their fewer
multiplications save. Kernels are transformed beforehand, see folding.py.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

ROWS = 4  # rows of output that are computed together, from ROWS + taps - 1 rows of input
# Where it is faster was measured. A transformed kernel is more than twice as large as the kernel,
# which pays only if many pixels use it; with few channels the transforms outweigh the products.
FEWEST_CHANNELS = 16
MOST_CHANNELS = 256
PIXELS_PER_CHANNEL = 0.75
# From so many channels on, the input is copied with zeros around it. The copy costs little beside
# the products, and keeps XLA from working out what gives the input, such as CPN's sum of resized
# maps, once for every row of a tile. Large maps of few channels are cheaper without a copy.
PADDED_CHANNELS = 128

POINTS = (0, 1, -1, 2, -2)  # of interpolation, beside infinity; small ones lose least precision


def matrices(taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The transforms of ROWS + taps - 1 rows of input, of a kernel's `taps` rows and of products.

    With them, output = of_products @ ((of_kernel @ kernel) * (of_input @ input)) is the
    correlation of input and kernel: the transpose of multiplying polynomials by interpolation.

    Returns:
      of_input [N, N] in whole numbers, of_kernel [N, taps] and of_products [ROWS, N], where N is
      ROWS + taps - 1.
    """
    points = np.array(POINTS[: ROWS + taps - 2])

    def values(coefficients: int) -> np.ndarray:
        """Values of 1, z, z**2, ... at the points; at infinity, the last one counts."""
        finite = np.vander(points, coefficients, increasing=True)
        return np.vstack([finite, np.eye(coefficients)[-1]])

    # Lagrange's denominators, which would make fractions of the input's transform.
    scale = [np.prod([p - q for q in points if q != p]) for p in points] + [1]
    of_input = np.linalg.inv(values(ROWS + taps - 1)).T * np.array(scale)[:, None]
    return np.round(of_input), values(taps) / np.array(scale)[:, None], values(ROWS).T


def transformed(kernel: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """The ROWS + taps - 1 kernels [1, taps, C, K] for `convolve` of a kernel [taps, taps, C, K].

    None for a kernel of one pixel or of many, of too few or too many channels, or not float32.
    """
    taps, channels = kernel.shape[1:3]
    fits = taps in (2, 3) and FEWEST_CHANNELS <= channels <= MOST_CHANNELS
    if not fits or kernel.dtype != np.float32:  # fewer digits do not survive the transforms
        return None
    _, of_kernel, _ = matrices(taps)
    kernels = np.tensordot(of_kernel, kernel.astype(np.float64), axes=1).astype(kernel.dtype)
    return tuple(np.array(part[None]) for part in kernels)


def pays(x: jax.Array) -> bool:
    """Whether `convolve` is faster for x [B, H, W, C], where there are transformed kernels."""
    batch, height, width, channels = x.shape
    return x.dtype == jnp.float32 and batch * height * width >= PIXELS_PER_CHANNEL * channels


@functools.partial(jax.jit, static_argnames='padding')  # traced once for all maps of one shape
def convolve(
    x: jax.Array, kernels: Sequence[jax.Array], padding: tuple[tuple[int, int], ...]
) -> jax.Array:
    """Convolution with stride 1 to a map of the same size.

    Args:
      x: [B, H, W, C].
      kernels: ROWS + taps - 1 of [1, taps, C, K], from `transformed`.
      padding: of rows and of columns, before and after, in sum taps - 1 each.

    Returns:
      [B, H, W, K], what the kernel gives without its transformation, but for rounding; a NaN
      spoils whole tiles of ROWS rows.
    """
    batch, height, width, _ = x.shape
    of_input, _, of_products = matrices(kernels[0].shape[1])
    tiles = -(-height // ROWS)
    (above, _), columns = padding
    rows = _rows_of_tiles(x, tiles, range(-above, len(kernels) - above))
    products = [
        jax.lax.conv_general_dilated(
            row, kernel, (1, 1), ((0, 0), columns), dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
        for row, kernel in zip(_combinations(of_input, rows), kernels, strict=True)
    ]
    y = jnp.stack(_combinations(of_products, products), axis=2)  # [B, tiles, ROWS, W, K]
    return y.reshape(batch, tiles * ROWS, width, -1)[:, :height]


def _rows_of_tiles(x: jax.Array, tiles: int, rows: range) -> list[jax.Array]:
    """Each of `rows` of every tile of x [B, H, W, C], with zeros outside the map: [B, tiles, W, C].

    Rows are counted from the first row of a tile, and begin above it, by ROWS at most.
    """
    height, channels = x.shape[1], x.shape[-1]
    above, below = -rows.start, tiles * ROWS - height
    if channels >= PADDED_CHANNELS:
        x = jnp.pad(x, ((0, 0), (above, rows.stop - ROWS + below), (0, 0), (0, 0)))
        end = ROWS * (tiles - 1) + 1
        return [x[:, i : i + end : ROWS] for i in range(len(rows))]
    x = jnp.pad(x, ((0, 0), (0, below), (0, 0), (0, 0)))  # by nothing, where tiles fit the map
    shifted = []
    for i in rows:
        shift, row = divmod(i, ROWS)  # row -1 is in the tile before, row ROWS in the next one
        shifts = [(0, 0, 0), (-shift, shift, 0), (0, 0, 0), (0, 0, 0)]
        shifted.append(jax.lax.pad(x[:, row::ROWS], jnp.zeros((), x.dtype), shifts))
    return shifted


def _combinations(matrix: np.ndarray, terms: Sequence[jax.Array]) -> list[jax.Array]:
    """For every row of the matrix, the sum of the terms with its weights."""
    return [
        cast(  # no row of a transform is all zeros
            jax.Array,
            sum(float(weight) * term for weight, term in zip(row, terms, strict=True) if weight),
        )
        for row in matrix
    ]

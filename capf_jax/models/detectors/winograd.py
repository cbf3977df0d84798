"""3x3 convolutions with half the multiplications, for CPUs: Winograd's F(4, 3), down the rows.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), in one dimension:
four rows of output come from six rows of input by six products instead of twelve. Across columns
the convolution stays as it is: transforms in both directions cost a CPU more in memory traffic
than their fewer multiplications save. Kernels are transformed beforehand, see folding.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

ROWS = 4  # of the output that are made together, from ROWS + 2 of the input
# Where it is faster, as measured on a CPU. A transformed kernel is twice as large as the kernel,
# which pays only if many pixels use it; with few channels the transforms outweigh the products.
FEWEST_CHANNELS = 24
MOST_CHANNELS = 256
PIXELS_PER_CHANNEL = 2

# output = OUTPUT @ ((KERNEL @ kernel) * (INPUT @ input)), by interpolation at the points 0, 1, -1,
# 2, -2 and infinity.
INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
OUTPUT = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)


def transformed(kernel: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """The ROWS + 2 kernels [1, 3, C, K] that stand for a kernel [3, 3, C, K] here.

    None for a kernel of another size, or for which it would not pay.
    """
    if kernel.shape[:2] != (3, 3) or not FEWEST_CHANNELS <= kernel.shape[2] <= MOST_CHANNELS:
        return None
    kernels = np.tensordot(KERNEL, kernel.astype(np.float64), axes=1).astype(kernel.dtype)
    return tuple(np.array(part[None]) for part in kernels)


def pays(x: jax.Array) -> bool:
    """Whether it is faster for an input [B, H, W, C] whose kernel has been transformed."""
    batch, height, width, channels = x.shape
    return x.dtype == jnp.float32 and batch * height * width >= PIXELS_PER_CHANNEL * channels


def convolve(x: jax.Array, kernels: Sequence[jax.Array]) -> jax.Array:
    """Convolution with stride 1 and padding 1.

    Args:
      x: [B, H, W, C].
      kernels: ROWS + 2 of [1, 3, C, K], from `transformed`.

    Returns:
      [B, H, W, K], what the kernel before its transformation gives, but for rounding.
    """
    batch, height, width, _ = x.shape
    tiles = -(-height // ROWS)
    padded = jnp.pad(x, ((0, 0), (1, tiles * ROWS - height + 1), (1, 1), (0, 0)))
    rows = [padded[:, i : i + ROWS * (tiles - 1) + 1 : ROWS] for i in range(ROWS + 2)]
    products = [
        jax.lax.conv_general_dilated(
            row, kernel, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
        for row, kernel in zip(_combinations(INPUT, rows), kernels, strict=True)
    ]
    y = jnp.stack(_combinations(OUTPUT, products), axis=2)  # [B, tiles, ROWS, W, K]
    return y.reshape(batch, tiles * ROWS, width, -1)[:, :height]


def _combinations(matrix: np.ndarray, terms: Sequence[jax.Array]) -> list[jax.Array]:
    """For every row of the matrix, the sum of the terms with its weights."""
    return [
        sum(float(weight) * term for weight, term in zip(row, terms, strict=True) if weight)
        for row in matrix
    ]

"""`Detection`: what every 2D detector gives for a batch of crops."""

from __future__ import annotations

from typing import NamedTuple

import jax


class Detection(NamedTuple):
    """Feature maps and heatmaps of B crops of [H, W] pixels.

    Attributes:
      maps: L maps [B, H / s, W / s, C], with strides s and channels C as in the catalog, in the
        detector's compute type.
      heatmaps: [B, H / 4, W / 4, J] float32, one for each joint; None from a network without a
        head.
    """

    maps: tuple[jax.Array, ...]
    heatmaps: jax.Array | None

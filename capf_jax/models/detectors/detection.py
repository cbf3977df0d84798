"""`Detection`: what every 2D detector gives for a batch of crops."""

from __future__ import annotations

from typing import NamedTuple

import jax
from jaxtyping import Float


class Detection(NamedTuple):
    """Feature maps and heatmaps of B crops of [H, W] pixels.

    `heatmaps.joints_of` makes joints of it.

    Attributes:
      maps: L maps [B, H / s, W / s, C], with strides s and channels C as in the catalog, in the
        detector's compute type.
      heatmaps: of H / 4 by W / 4 pixels, float32, one for each joint; None from a network without a
        head.
      offsets: of a detector that refines its joints, from each of its heatmaps' pixels to the joint
        near it, heatmap pixels (x, y), float32; None from all others.
      guesses: of such a detector, where it expects the joints of the one person in the middle,
        heatmap pixels (x, y), float32; None from all others.
    """

    maps: tuple[Float[jax.Array, 'B _ _ _'], ...]
    heatmaps: Float[jax.Array, 'B _ _ J'] | None
    offsets: Float[jax.Array, 'B _ _ J 2'] | None = None
    guesses: Float[jax.Array, 'B J 2'] | None = None

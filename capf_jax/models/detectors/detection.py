"""`Detection`: what every 2D detector gives for a batch of crops, and its heatmaps' last layer."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.pose.batch import Array

# What a joint's heatmap is: a Gaussian of height 1, as published detectors learn by mean squared
# error, or a probability over the pixels, which cross-entropy teaches in far fewer steps.
HEATMAPS = ('gaussian', 'probability')


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


def heatmap_head(
    x: Float[Array, 'B H W C'], num_joints: int, heatmaps: str
) -> Float[jax.Array, 'B H W J']:
    """The heatmaps of a map, by a 1x1 convolution in the calling module, under the name 'head'.

    It computes in float32: rounded to fewer digits, the pixels around a peak are alike.

    Args:
      x: the map at stride 4.
      num_joints: heatmaps J.
      heatmaps: what they are, one of HEATMAPS.
    """
    maps = nn.Conv(num_joints, (1, 1), dtype=jnp.float32, name='head')(x)
    return nn.softmax(maps, axis=(1, 2)) if heatmaps == 'probability' else maps

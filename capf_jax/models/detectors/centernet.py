"""What the MoveNets share behind their backbone: a feature pyramid, and CenterNet's heads.

Lin et al., "Feature Pyramid Networks for Object Detection" (CVPR 2017), and Zhou et al., "Objects
as Points" (2019), wired as the published weights need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.detectors.mobilenet import Conv, DepthwiseConv
from capf_jax.models.detectors.resize import double_bilinear
from capf_jax.pose.batch import Array

LATERAL_CHANNELS = (64, 64, 32, 24)  # of the pyramid's levels of stride 32, 16, 8 and 4
SMOOTH_CHANNELS = (32, 24, 24)  # of what leaves the levels of stride 16, 8 and 4
HEAD_CHANNELS = 96


class SeparableConv(nn.Module):
    """A 3x3 convolution of every channel by itself, a 1x1 convolution, and a ReLU.

    Attributes:
      channels: output channels.
      dtype: compute type; parameters are float32.
    """

    channels: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C']) -> Float[jax.Array, 'B H W _']:
        """Maps x to [B, H, W, channels]."""
        x = DepthwiseConv(use_bias=False, dtype=self.dtype, name='depthwise')(x)
        return nn.relu(Conv(self.channels, (1, 1), dtype=self.dtype, name='pointwise')(x))


class FeaturePyramid(nn.Module):
    """Every finer map of a backbone gets what the coarser ones know.

    Attributes:
      dtype: compute type; parameters are float32.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features: Sequence[Float[Array, 'B _ _ _']]) -> Float[jax.Array, 'B _ _ 24']:
        """Maps the backbone's maps of stride 32, 16, 8 and 4, in this order, to one of stride 4."""
        x = self._lateral(0, features[0])
        for level, feature in enumerate(features[1:], start=1):
            x = double_bilinear(x) + self._lateral(level, feature)
            channels = SMOOTH_CHANNELS[level - 1]
            x = SeparableConv(channels, self.dtype, name=f'smooth{32 >> level}')(x)
        return x

    def _lateral(self, level: int, feature: jax.Array) -> jax.Array:
        channels = LATERAL_CHANNELS[level]
        conv = Conv(channels, (1, 1), dtype=self.dtype, name=f'lateral{32 >> level}')
        return conv(feature)


class Head(nn.Module):
    """One head of CenterNet: some numbers for every pixel of the pyramid's map.

    Attributes:
      channels: the numbers.
      dtype: compute type of all but the last convolution, which gives float32, since the pixels
        around a peak are alike after rounding to fewer digits. Parameters are float32.
    """

    channels: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C']) -> Float[jax.Array, 'B H W _']:
        """Maps x to [B, H, W, channels], float32."""
        x = SeparableConv(HEAD_CHANNELS, self.dtype, name='hidden')(x)
        return Conv(self.channels, (1, 1), dtype=jnp.float32, name='output')(x)


def vectors(numbers: Float[Array, 'B H W N']) -> Float[jax.Array, 'B H W _ 2']:
    """A head's numbers as vectors (x, y); the published heads give y before x for each joint."""
    return numbers.reshape(*numbers.shape[:3], -1, 2)[..., ::-1]

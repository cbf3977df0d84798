"""MobileNetV2, the backbone of the MoveNets, with its BatchNorms folded into the convolutions.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), Table 2.
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.pose.batch import Array

STEM_CHANNELS = 32  # before they are multiplied by the width
TOP_CHANNELS = 1280  # of the last layer, at every width
# A stage: expansion of its blocks, output channels at width 1, blocks, stride of the first.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)

# Flax traces the first values of kernels whenever a network is applied, to compare shapes. Uniform
# ones are traced in a third of the time that its normal ones take: 0.5 s of a fresh process.
Conv = functools.partial(nn.Conv, kernel_init=nn.initializers.lecun_uniform())


def scaled_channels(channels: int, width: float) -> int:
    """The channels of a layer in a network of another width: the nearest multiple of 8.

    A network never loses more than a tenth of a layer's channels by rounding.
    """
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded


class DepthwiseConv(nn.Module):
    """A 3x3 convolution of every channel with a kernel of its own.

    Rows and columns of zeros are added as TensorFlow adds them: at stride 2, to maps of an even
    size, behind the last row and column alone.

    Attributes:
      stride: input pixels per output pixel.
      use_bias: whether a bias is added.
      dtype: compute type; parameters are float32.
    """

    stride: int = 1
    use_bias: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C']) -> Float[jax.Array, 'B _ _ C']:
        """Maps x to [B, H / stride, W / stride, C]."""
        channels = x.shape[-1]
        shape = (3, 3, 1, channels)
        kernel = self.param('kernel', nn.initializers.he_uniform(), shape, jnp.float32)
        y = self.convolve(jnp.asarray(x, self.dtype), kernel.astype(self.dtype))
        if not self.use_bias:
            return y
        bias = self.param('bias', nn.initializers.zeros, (channels,), jnp.float32)
        return y + bias.astype(self.dtype)

    def convolve(
        self, x: Float[Array, 'B H W C'], kernel: Float[Array, '3 3 1 C']
    ) -> Float[jax.Array, 'B _ _ C']:
        """The convolution alone."""
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (self.stride, self.stride),
            'SAME',
            dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
            feature_group_count=x.shape[-1],
        )


class InvertedResidual(nn.Module):
    """A block whose inner layer is wider than its ends, which alone are summed.

    Attributes:
      channels: output channels.
      stride: of the inner layer.
      expansion: inner channels over input channels; 1 for a block without the first convolution.
      dtype: compute type; parameters are float32.
    """

    channels: int
    stride: int
    expansion: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C']) -> Float[jax.Array, 'B _ _ _']:
        """Maps x to [B, H / stride, W / stride, channels]."""
        inner = x
        if self.expansion > 1:
            width = self.expansion * x.shape[-1]
            inner = nn.relu6(Conv(width, (1, 1), dtype=self.dtype, name='expand')(x))
        inner = nn.relu6(DepthwiseConv(self.stride, dtype=self.dtype, name='depthwise')(inner))
        y = Conv(self.channels, (1, 1), dtype=self.dtype, name='project')(inner)
        return x + y if self.stride == 1 and x.shape[-1] == self.channels else y


class MobileNetV2(nn.Module):
    """The network up to its last convolution.

    Attributes:
      width: factor of all channels but the last layer's.
      dtype: compute type; parameters are float32.
    """

    width: float
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, images: Float[Array, 'B H W 3']
    ) -> tuple[list[Float[jax.Array, 'B _ _ _']], Float[jax.Array, 'B H/32 W/32 1280']]:
        """Maps normalised images, H and W multiples of 32, to the stages' outputs and the last."""
        stem = scaled_channels(STEM_CHANNELS, self.width)
        x = nn.relu6(Conv(stem, (3, 3), (2, 2), dtype=self.dtype, name='stem')(images))
        outputs = []
        for stage, (expansion, channels, blocks, stride) in enumerate(STAGES):
            for block in range(blocks):
                x = InvertedResidual(
                    scaled_channels(channels, self.width),
                    stride if block == 0 else 1,
                    expansion,
                    dtype=self.dtype,
                    name=f'stage{stage}_block{block}',
                )(x)
            outputs.append(x)
        top = nn.relu6(Conv(TOP_CHANNELS, (1, 1), dtype=self.dtype, name='top')(x))
        return outputs, top

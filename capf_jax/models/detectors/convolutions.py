"""Blocks that several 2D detectors share: convolutions with BatchNorm, and residual blocks."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.pose.batch import Array

EPSILON = 1e-5  # of every BatchNorm, added to the variance
MOMENTUM = 0.9  # of every BatchNorm's running statistics; PyTorch calls it 0.1
EXPANSION = 4  # a bottleneck's output channels over its inner channels


class ConvNorm(nn.Module):
    """Convolution without bias, then BatchNorm.

    The padding is PyTorch's, kernel // 2 on every side. 'SAME' would pad a convolution of stride 2
    on one side only, and so shift its output by half a pixel.

    Attributes:
      channels: output channels.
      kernel: width and height of the kernel, odd.
      stride: input pixels per output pixel.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C'], train: bool) -> Float[jax.Array, 'B _ _ _']:
        """Maps x to [B, H / stride, W / stride, channels]."""
        x = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            self.stride,
            padding=self.kernel // 2,
            use_bias=False,
            dtype=self.dtype,
            name='conv',
        )(x)
        return batch_norm(train, self.axis_name, self.dtype)(x)


class DeconvNorm(nn.Module):
    """Transposed 4x4 convolution of stride 2 without bias, then BatchNorm.

    PyTorch's padding of 1 is one of 2 here, around the input with zeros between its pixels. The
    kernel [4, 4, in, out] is that of the convolution over this input: PyTorch's [in, out, 4, 4]
    turned by half a circle.

    Attributes:
      channels: output channels.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    channels: int
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C'], train: bool) -> Float[jax.Array, 'B 2*H 2*W _']:
        """Maps x to [B, 2 * H, 2 * W, channels]."""
        x = nn.ConvTranspose(
            self.channels,
            (4, 4),
            (2, 2),
            padding=((2, 2), (2, 2)),
            use_bias=False,
            dtype=self.dtype,
            name='conv',
        )(x)
        return batch_norm(train, self.axis_name, self.dtype)(x)


def batch_norm(train: bool, axis_name: str | None, dtype: Any) -> nn.BatchNorm:
    """The BatchNorm of all detectors, in the calling module, under the name 'norm'."""
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=MOMENTUM,
        epsilon=EPSILON,
        axis_name=axis_name,
        dtype=dtype,
        name='norm',
    )


class Bottleneck(nn.Module):
    """Residual block of three convolutions, 1x1, 3x3 and 1x1, with fewer channels inside.

    Attributes:
      channels: of the 3x3 convolution.
      stride: of the 3x3 convolution.
      project: whether the shortcut has a 1x1 convolution even where the shapes agree.
      expansion: output channels over `channels`.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    channels: int
    stride: int = 1
    project: bool = False
    expansion: int = EXPANSION
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C'], train: bool) -> Float[jax.Array, 'B _ _ _']:
        """Maps x to [B, H / stride, W / stride, expansion * channels]."""
        width = self.channels * self.expansion
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
        y = nn.relu(ConvNorm(self.channels, kernel=1, name='conv1', **shared)(x, train))
        y = nn.relu(ConvNorm(self.channels, stride=self.stride, name='conv2', **shared)(y, train))
        y = ConvNorm(width, kernel=1, name='conv3', **shared)(y, train)
        if self.project or self.stride > 1 or x.shape[-1] != width:
            projection = ConvNorm(width, 1, self.stride, name='projection', **shared)
            x = projection(x, train)
        return nn.relu(x + y)


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions.

    Attributes:
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C'], train: bool) -> Float[jax.Array, 'B H W C']:
        """Adds what the two convolutions give to x."""
        channels, shared = x.shape[-1], {'axis_name': self.axis_name, 'dtype': self.dtype}
        y = nn.relu(ConvNorm(channels, name='conv1', **shared)(x, train))
        y = ConvNorm(channels, name='conv2', **shared)(y, train)
        return nn.relu(x + y)

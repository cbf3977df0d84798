"""Layers that several 2D detectors share, and what a detector gives."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

EPSILON = 1e-5  # of every BatchNorm, added to the variance
EXPANSION = 4  # a bottleneck's output channels over its inner channels


class Detection(NamedTuple):
    """What a detector says about a crop."""

    maps: tuple[jax.Array, ...]  # L maps [B, H/s, W/s, C_l], strides s as in the catalog
    heatmaps: jax.Array | None  # [B, H/4, W/4, J], one a joint; None from a classifier


class ConvNorm(nn.Module):
    """Convolution without bias, then BatchNorm. Padding is PyTorch's: kernel // 2 on every side.

    'SAME' would pad a stride-2 convolution of an even size on one side only, half a pixel off.
    Where its variables are folded (see folding.py) there is no 'norm' and the convolution has a
    bias; that is decided by the variables alone.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    axis_name: str | None = None  # mapped axis over which training shares BatchNorm statistics

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H / stride, W / stride, channels]."""
        folded = is_folded(self, train)
        x = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            self.stride,
            padding=self.kernel // 2,
            use_bias=folded,
            name='conv',
        )(x)
        return x if folded else batch_norm(train, self.axis_name)(x)


class DeconvNorm(nn.Module):
    """Transposed 4x4 convolution of stride 2 and padding 1, without bias, then BatchNorm.

    The kernel [4, 4, in, out] is that of the convolution over the input with zeros between its
    pixels: PyTorch's [in, out, 4, 4] turned by half a circle. It folds as ConvNorm does.
    """

    channels: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, 2 * H, 2 * W, channels]."""
        folded = is_folded(self, train)
        x = nn.ConvTranspose(
            self.channels,
            (4, 4),
            (2, 2),
            padding=((2, 2), (2, 2)),
            use_bias=folded,
            name='conv',
        )(x)
        return x if folded else batch_norm(train, self.axis_name)(x)


def is_folded(module: nn.Module, train: bool) -> bool:
    """Whether the variables of a module with 'conv' and 'norm' have the norm folded into the conv.

    Raises:
      ValueError: they have, and `train` asks for the statistics that are gone.
    """
    folded = not module.is_initializing() and not module.has_variable('params', 'norm')
    if folded and train:
        raise ValueError(
            f'{"/".join(module.path)} has its BatchNorm folded away and cannot be trained; '
            f'train with the unfolded variables'
        )
    return folded


def batch_norm(train: bool, axis_name: str | None) -> nn.BatchNorm:
    """The BatchNorm of all detectors, named 'norm'; momentum is 1 - PyTorch's default."""
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=EPSILON,
        axis_name=axis_name,
        name='norm',
    )


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 with four times as many channels outside as inside."""

    channels: int
    stride: int = 1  # of the 3x3 convolution
    project: bool = False  # a 1x1 convolution in the shortcut even where the shapes agree
    expansion: int = EXPANSION
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H / stride, W / stride, expansion * channels]."""
        width, shared = self.channels * self.expansion, {'axis_name': self.axis_name}
        y = nn.relu(ConvNorm(self.channels, kernel=1, name='conv1', **shared)(x, train))
        y = nn.relu(ConvNorm(self.channels, stride=self.stride, name='conv2', **shared)(y, train))
        y = ConvNorm(width, kernel=1, name='conv3', **shared)(y, train)
        if self.project or self.stride > 1 or x.shape[-1] != width:
            projection = ConvNorm(width, 1, self.stride, name='projection', **shared)
            x = projection(x, train)
        return relu_of_sum(x, y)


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to the same shape."""
        channels, shared = x.shape[-1], {'axis_name': self.axis_name}
        y = nn.relu(ConvNorm(channels, name='conv1', **shared)(x, train))
        return relu_of_sum(x, ConvNorm(channels, name='conv2', **shared)(y, train))


def relu_of_sum(x: jax.Array, y: jax.Array) -> jax.Array:
    """relu(x + y), as max(x, -y) + y, of two arrays of one shape.

    On a CPU, XLA works a relu out anew for each of its readers, since it takes one array and costs
    little; in a chain of residual blocks every block would so sum up all before it. A sum of two
    arrays is worked out once: HRNet-W32 takes 0.66 of the time and 0.15 of the time to compile.
    """
    return jnp.maximum(x, -y) + y


def upsample_nearest(x: jax.Array, factor: int) -> jax.Array:
    """Maps x [B, H, W, C] to [B, H * factor, W * factor, C] by repeating every pixel."""
    b, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (b, h, factor, w, factor, c))
    return x.reshape(b, h * factor, w * factor, c)

"""Layers that several 2D detectors share, and what a detector gives."""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.backends.cpu import winograd
from capf_jax.models.detectors.resize import Pyramid, pointwise

EPSILON = 1e-5  # of every BatchNorm, added to the variance
EXPANSION = 4  # a bottleneck's output channels over its inner channels
TRANSFORMED = 'transformed'  # beside a folded kernel: the same for winograd.convolve, on a CPU


class Detection(NamedTuple):
    """What a detector says about a crop."""

    maps: tuple[jax.Array, ...]  # L maps [B, H/s, W/s, C_l], strides s as in the catalog
    heatmaps: jax.Array | None  # [B, H/4, W/4, J], one a joint; None from a classifier


class ConvNorm(nn.Module):
    """Convolution without bias, then BatchNorm. Padding is PyTorch's: kernel // 2 on every side.

    'SAME' would pad a stride-2 convolution of an even size on one side only, half a pixel off.
    Where its variables are folded (see folding.py) there is no 'norm' and the convolution has a
    bias and perhaps TRANSFORMED kernels; that is decided by the variables alone.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    axis_name: str | None = None  # mapped axis over which training shares BatchNorm statistics

    @nn.compact
    def __call__(self, x: jax.Array | Pyramid, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H / stride, W / stride, channels]."""
        folded = is_folded(self, train)
        x = Conv(self.channels, self.kernel, self.stride, use_bias=folded, name='conv')(x)
        return x if folded else batch_norm(train, self.axis_name)(x)


class Conv(nn.Module):
    """Convolution with PyTorch's padding, kernel // 2 on every side.

    Attributes:
      channels: output channels.
      kernel: width and height of the kernel, odd.
      stride: of the output's pixels in the input.
      use_bias: whether a bias is added.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array | Pyramid) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H / stride, W / stride, channels].

        Raises:
          ValueError: x is a Pyramid and this not a 1x1 convolution of stride 1.
        """
        shape = (self.kernel, self.kernel, x.shape[-1], self.channels)
        kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
        if isinstance(x, Pyramid):
            if (self.kernel, self.stride) != (1, 1):
                raise ValueError('maps of several sizes need a 1x1 convolution of stride 1')
            y = x.times(kernel[0, 0])
        else:
            y = self._convolved(*nn.dtypes.promote_dtype(x, kernel))
        if self.use_bias:
            y = y + self.param('bias', nn.initializers.zeros, (self.channels,))
        return y

    def _convolved(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        if self.kernel == 1:  # a matrix product, which XLA's CPU runs up to twice as fast
            return pointwise(x[:, :: self.stride, :: self.stride], kernel[0, 0])
        padding = ((self.kernel // 2, self.kernel // 2),) * 2
        if self.stride == 1 and self.has_variable('params', TRANSFORMED) and winograd.pays(x):
            return winograd.convolve(x, self.get_variable('params', TRANSFORMED), padding)
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (self.stride, self.stride),
            padding,
            dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        )


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
        x = Deconv(self.channels, use_bias=folded, name='conv')(x)
        return x if folded else batch_norm(train, self.axis_name)(x)


class Deconv(nn.Module):
    """Transposed 4x4 convolution of stride 2 and padding 1, see DeconvNorm.

    Attributes:
      channels: output channels.
      use_bias: whether a bias is added.
    """

    channels: int
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps x [B, H, W, C] to [B, 2 * H, 2 * W, channels]."""
        initial = nn.initializers.lecun_normal()
        kernel = self.param('kernel', initial, (4, 4, x.shape[-1], self.channels))
        x, kernel = nn.dtypes.promote_dtype(x, kernel)
        if self.has_variable('params', TRANSFORMED) and winograd.pays(x):
            kernels = self.get_variable('params', TRANSFORMED)
            y = _of_parities(
                lambda row, column, padding: winograd.convolve(x, kernels[row][column], padding)
            )
        else:
            y = jax.lax.platform_dependent(
                x, kernel, cpu=_deconvolve_by_parity, default=_deconvolve
            )
        if self.use_bias:
            y = y + self.param('bias', nn.initializers.zeros, (self.channels,))
        return y


def _deconvolve(x, kernel):
    return jax.lax.conv_transpose(x, kernel, (2, 2), ((2, 2), (2, 2)))


def _deconvolve_by_parity(x, kernel):
    """`_deconvolve` without the zeros: output pixels of each parity are a 2x2 convolution.

    Also known as its sub-pixel or polyphase form.
    """

    def convolve(row, column, padding):
        dimensions = ('NHWC', 'HWIO', 'NHWC')
        part = kernel[row::2, column::2]
        return jax.lax.conv_general_dilated(x, part, (1, 1), padding, dimension_numbers=dimensions)

    return _of_parities(convolve)


def _of_parities(convolve):
    """[B, 2 * H, 2 * W, K] from convolve(row's parity, column's parity, padding) [B, H, W, K]."""
    parts = [[convolve(i, j, ((1 - i, i), (1 - j, j))) for j in range(2)] for i in range(2)]
    batch, height, width, channels = parts[0][0].shape
    y = jnp.stack([jnp.stack(row, axis=3) for row in parts], axis=2)
    return y.reshape(batch, 2 * height, 2 * width, channels)


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
    def __call__(self, x: jax.Array | Pyramid, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H / stride, W / stride, expansion * channels].

        A Pyramid needs `project` and stride 1.
        """
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


def max_pool(x: jax.Array) -> jax.Array:
    """Maximum over 3x3 pixels, with stride 2 and padding 1: [B, H, W, C] to [B, H / 2, W / 2, C].

    H and W are even. As maxima of whole rows and columns, a loop that a CPU runs in a fraction of
    a window reduction's time.
    """
    for axis in (1, 2):
        first = jnp.full_like(jax.lax.slice_in_dim(x, 0, 1, axis=axis), -jnp.inf)
        x = jnp.concatenate([first, x], axis)
        before, middle, after = (
            jax.lax.slice_in_dim(x, i, x.shape[axis] - 2 + i, stride=2, axis=axis) for i in range(3)
        )
        x = jnp.maximum(jnp.maximum(before, middle), after)
    return x


def upsample_nearest(x: jax.Array, factor: int) -> jax.Array:
    """Maps x [B, H, W, C] to [B, H * factor, W * factor, C] by repeating every pixel."""
    b, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (b, h, factor, w, factor, c))
    return x.reshape(b, h * factor, w * factor, c)

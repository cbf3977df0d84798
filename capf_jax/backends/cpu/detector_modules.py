"""The detectors' methods as a CPU runs them fast; each is equal to the one that it replaces.

See `replacements.py` for what a replacement is called with. Those of ConvNorm and DeconvNorm use
the collection 'cpu' of folding.py where the variables have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.backends.cpu import tricks, winograd
from capf_jax.backends.cpu.chunks import in_chunks
from capf_jax.backends.cpu.folding import COLLECTION
from capf_jax.backends.cpu.pyramids import Pyramid, resize_bilinear
from capf_jax.models.detectors.convolutions import BasicBlock, Bottleneck, ConvNorm, DeconvNorm
from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.hrnet import Fusion, HRNet
from capf_jax.models.detectors.mobilenet import DepthwiseConv
from capf_jax.models.detectors.movenet import MoveNet
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from capf_jax.models.detectors.vitpose import ViTPose

Plain = Callable[..., Any]
DIMENSIONS = ('NHWC', 'HWIO', 'NHWC')


def conv_norm(plain: Plain, module: ConvNorm, x: jax.Array | Pyramid, train: bool) -> jax.Array:
    """Without training, one convolution with the BatchNorm folded into it."""
    if train or not module.has_variable(COLLECTION, 'kernel'):
        return plain(x, train)
    bias = module.get_variable(COLLECTION, 'bias').astype(module.dtype)
    return _folded_convolution(module, x) + bias


def _folded_convolution(module: ConvNorm, x: jax.Array | Pyramid) -> jax.Array:
    kernel = module.get_variable(COLLECTION, 'kernel').astype(module.dtype)
    if isinstance(x, Pyramid):
        return x.times(kernel[0, 0])
    x = x.astype(module.dtype)
    padding = ((module.kernel // 2, module.kernel // 2),) * 2
    if module.stride == 1 and _has_transformed(module) and winograd.pays(x):
        return winograd.convolve(x, module.get_variable(COLLECTION, 'transformed'), padding)
    strides = (module.stride, module.stride)
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=DIMENSIONS)


def deconv_norm(plain: Plain, module: DeconvNorm, x: jax.Array, train: bool) -> jax.Array:
    """Without training, one transposed convolution with the BatchNorm folded into it."""
    if train or not module.has_variable(COLLECTION, 'kernel'):
        return plain(x, train)
    kernel, bias = (
        module.get_variable(COLLECTION, name).astype(module.dtype) for name in ('kernel', 'bias')
    )
    x = x.astype(module.dtype)
    if _has_transformed(module) and winograd.pays(x) and tricks.is_on('deconvolution'):
        kernels = module.get_variable(COLLECTION, 'transformed')
        y = _of_parities(
            lambda row, column, padding: winograd.convolve(x, kernels[row][column], padding)
        )
    else:
        y = _deconvolution(x, kernel)
    return y + bias


def _has_transformed(module: nn.Module) -> bool:
    return module.has_variable(COLLECTION, 'transformed') and tricks.is_on('winograd')


def convolution(plain: Plain, module: nn.Conv, x: jax.Array | Pyramid) -> jax.Array:
    """Of a Pyramid, the product of each map before it is resized; others stay as they are."""
    if not isinstance(x, Pyramid):
        return plain(x)
    shape = (1, 1, x.shape[-1], module.features)
    kernel = module.param('kernel', module.kernel_init, shape, module.param_dtype)
    y = x.times(kernel.astype(module.dtype)[0, 0])
    if module.use_bias:
        bias = module.param('bias', module.bias_init, (module.features,), module.param_dtype)
        y = y + bias.astype(module.dtype)
    return y


def depthwise(plain: Plain, module: DepthwiseConv, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The convolution as nine products of a shifted map with one number a channel, summed up.

    XLA's CPU runs a convolution of many groups as a loop over single numbers.
    """
    if not tricks.is_on('depthwise'):
        return plain(x, kernel)
    stride, sizes = module.stride, [-(-size // module.stride) for size in x.shape[1:3]]
    padding = [(0, 0)]
    for size, new in zip(x.shape[1:3], sizes, strict=True):
        missing = max((new - 1) * stride + 3 - size, 0)
        padding.append((missing // 2, missing - missing // 2))
    x = jnp.pad(x, [*padding, (0, 0)])
    # The last pixels that a step of the kernel reads; behind them lies nothing that counts.
    height, width = ((new - 1) * stride + 1 for new in sizes)
    products = [
        x[:, i : i + height : stride, j : j + width : stride] * kernel[i, j, 0]
        for i in range(3)
        for j in range(3)
    ]
    return cast(jax.Array, sum(products[1:], products[0]))


def transposed_convolution(plain: Plain, module: nn.ConvTranspose, x: jax.Array) -> jax.Array:
    """That of every DeconvNorm, without the zeros between the pixels."""
    if not tricks.is_on('deconvolution'):
        return plain(x)
    kernel_size = cast(tuple[int, int], module.kernel_size)  # DeconvNorm gives a pair
    shape = (*kernel_size, x.shape[-1], module.features)
    kernel = module.param('kernel', module.kernel_init, shape, module.param_dtype)
    return _deconvolution(x.astype(module.dtype), kernel.astype(module.dtype))


def _deconvolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Transposed convolution of x [B, H, W, C] with a kernel [4, 4, C, K]: [B, 2 * H, 2 * W, K]."""
    if not tricks.is_on('deconvolution'):
        return jax.lax.conv_transpose(x, kernel, (2, 2), ((2, 2), (2, 2)))

    def convolve(row: int, column: int, padding: tuple[tuple[int, int], ...]) -> jax.Array:
        part = kernel[row::2, column::2]
        return jax.lax.conv_general_dilated(x, part, (1, 1), padding, dimension_numbers=DIMENSIONS)

    return _of_parities(convolve)


def _of_parities(convolve: Callable[..., jax.Array]) -> jax.Array:
    """The output [B, 2 * H, 2 * W, K] of a transposed convolution of stride 2.

    Its pixels of each parity of row and column are a convolution with a quarter of the kernel.

    Args:
      convolve: (parity of the row, of the column, padding) -> [B, H, W, K].
    """
    parts = [[convolve(i, j, ((1 - i, i), (1 - j, j))) for j in range(2)] for i in range(2)]
    batch, height, width, channels = parts[0][0].shape
    y = jnp.stack([jnp.stack(row, axis=3) for row in parts], axis=2)
    return y.reshape(batch, 2 * height, 2 * width, channels)


def basic_block(plain: Plain, module: BasicBlock, x: jax.Array, train: bool) -> jax.Array:
    """The block with its last sum in another form, see `relu_of_sum`."""
    if not tricks.is_on('relu_of_sum'):
        return plain(x, train)
    channels, shared = x.shape[-1], {'axis_name': module.axis_name, 'dtype': module.dtype}
    y = nn.relu(ConvNorm(channels, name='conv1', **shared)(x, train))
    return relu_of_sum(x, ConvNorm(channels, name='conv2', **shared)(y, train))


def bottleneck(plain: Plain, module: Bottleneck, x: jax.Array | Pyramid, train: bool) -> jax.Array:
    """The block with its last sum in another form, see `relu_of_sum`."""
    if not tricks.is_on('relu_of_sum'):
        return plain(x, train)
    width = module.channels * module.expansion
    shared = {'axis_name': module.axis_name, 'dtype': module.dtype}
    y = nn.relu(ConvNorm(module.channels, kernel=1, name='conv1', **shared)(x, train))
    y = nn.relu(ConvNorm(module.channels, stride=module.stride, name='conv2', **shared)(y, train))
    y = ConvNorm(width, kernel=1, name='conv3', **shared)(y, train)
    if module.project or module.stride > 1 or x.shape[-1] != width:
        x = ConvNorm(width, 1, module.stride, name='projection', **shared)(x, train)
    return relu_of_sum(cast(jax.Array, x), y)  # CPN projects every pyramid


def fusion(
    plain: Plain, module: Fusion, branches: Sequence[jax.Array], train: bool
) -> list[jax.Array]:
    """The fusion with its sums in another form, see `relu_of_sum`."""
    if not tricks.is_on('relu_of_sum'):
        return plain(branches, train)
    fused = []
    for i in range(module.outputs):
        others = [module._resized(branches, j, i, train) for j in range(len(branches)) if j != i]
        total = cast(jax.Array, sum(others[1:], others[0]))
        fused.append(relu_of_sum(branches[i], total))
    return fused


def relu_of_sum(x: jax.Array, y: jax.Array) -> jax.Array:
    """relu(x + y), as max(x, -y) + y, of two arrays of one shape.

    XLA's CPU makes a relu part of all that read it, since it takes one array and costs little, and
    so works out the sum inside in each of them; in a chain of residual blocks every block would sum
    up all before it. A sum of two arrays is worked out once.
    """
    return jnp.maximum(x, -y) + y


def global_net(
    plain: Plain, module: CPN, stages: Sequence[jax.Array], train: bool
) -> list[jax.Array]:
    """CPN's features, each enlarged after its 1x1 convolution: equal, with a quarter of the work.

    Training takes the statistics of the large map, and so the plain way.
    """
    if train or not tricks.is_on('pyramid'):
        return plain(stages, train)
    features: list[jax.Array] = []
    for k, stage in enumerate(reversed(stages)):
        x = nn.relu(module._conv_norm(f'lateral{k}')(stage, train))
        if features:
            coarse = module._conv_norm(f'upsample{k}')(features[-1], train)
            x = x + resize_bilinear(coarse, x.shape[1:3])
        features.append(x)
    return features


def refine_net(plain: Plain, module: CPN, features: Sequence[jax.Array], train: bool) -> Detection:
    """CPN's maps, multiplied by the last bottleneck's kernels before they are resized."""
    if not tricks.is_on('pyramid'):
        return plain(features, train)
    size, refined = features[-1].shape[1:3], []
    for k, x in enumerate(features):
        for block in range(len(features) - 1 - k):
            x = module._bottleneck(f'refine{k}_block{block}')(x, train)
        refined.append(x)
    x = module._bottleneck('refine_block')(Pyramid(tuple(refined), size), train)
    maps = tuple(resize_bilinear(x, size) for x in refined)
    return Detection(maps, module._head(x, train))


REPLACEMENTS: dict[tuple[type[nn.Module], str], Callable[..., Any]] = {
    (ConvNorm, '__call__'): conv_norm,
    (DeconvNorm, '__call__'): deconv_norm,
    (nn.Conv, '__call__'): convolution,
    (DepthwiseConv, 'convolve'): depthwise,
    (nn.ConvTranspose, '__call__'): transposed_convolution,
    (BasicBlock, '__call__'): basic_block,
    (Bottleneck, '__call__'): bottleneck,
    (Fusion, '__call__'): fusion,
    (CPN, '_global_net'): global_net,
    (CPN, '_refine_net'): refine_net,
    **{
        (detector, '__call__'): in_chunks
        for detector in (HRNet, ResNet, SimpleBaseline, CPN, ViTPose, MoveNet)
    },
}

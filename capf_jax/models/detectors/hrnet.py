"""HRNet, the 2D detector whose feature maps are the context: branches of four resolutions, fused.

Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation" (CVPR 2019),
wired as the published COCO weights need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

STRIDE = 4  # crop pixels per pixel of the finest map
# What a joint's heatmap is: a Gaussian of height 1, as published detectors learn by mean squared
# error, or a probability over the pixels, which cross-entropy teaches in far fewer steps.
HEATMAPS = ('gaussian', 'probability')
EXPANSION = 4  # a bottleneck's output channels over its inner channels
IMAGE_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in [0, 1]
IMAGE_DEVIATION = (0.229, 0.224, 0.225)


class Detection(NamedTuple):
    """What a detector says about a crop."""

    maps: tuple[jax.Array, ...]  # L maps [B, H/s, W/s, C_l], strides s = 4, 8, 16, 32
    heatmaps: jax.Array  # [B, H/4, W/4, J], one a joint


def normalise_images(images: jax.Array) -> jax.Array:
    """Images uint8 [B, H, W, 3], RGB -> float32 of about zero mean and unit variance."""
    scaled = images.astype(jnp.float32) / 255
    return (scaled - jnp.asarray(IMAGE_MEAN)) / jnp.asarray(IMAGE_DEVIATION)


class ConvNorm(nn.Module):
    """Convolution without bias, then BatchNorm. Padding is PyTorch's: kernel // 2 on every side.

    'SAME' would pad a stride-2 convolution of an even size on one side only, half a pixel off.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H / stride, W / stride, channels]."""
        x = nn.Conv(
            self.channels,
            (self.kernel, self.kernel),
            self.stride,
            padding=self.kernel // 2,
            use_bias=False,
            name='conv',
        )(x)
        return nn.BatchNorm(
            use_running_average=not train,
            momentum=0.9,
            epsilon=1e-5,
            axis_name=self.axis_name,
            name='norm',
        )(x)


class Bottleneck(nn.Module):
    """Residual block 1x1, 3x3, 1x1 with four times as many channels outside as inside."""

    channels: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to [B, H, W, 4 * channels]."""
        width, shared = self.channels * EXPANSION, {'axis_name': self.axis_name}
        y = nn.relu(ConvNorm(self.channels, kernel=1, name='conv1', **shared)(x, train))
        y = nn.relu(ConvNorm(self.channels, name='conv2', **shared)(y, train))
        y = ConvNorm(width, kernel=1, name='conv3', **shared)(y, train)
        if x.shape[-1] != width:
            x = ConvNorm(width, kernel=1, name='projection', **shared)(x, train)
        return nn.relu(x + y)


class BasicBlock(nn.Module):
    """Residual block of two 3x3 convolutions."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps x [B, H, W, C] to the same shape."""
        channels, shared = x.shape[-1], {'axis_name': self.axis_name}
        y = nn.relu(ConvNorm(channels, name='conv1', **shared)(x, train))
        return nn.relu(x + ConvNorm(channels, name='conv2', **shared)(y, train))


class Branches(nn.Module):
    """First half of a module: a chain of basic blocks on every branch."""

    blocks: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, branches: Sequence[jax.Array], train: bool) -> list[jax.Array]:
        """Maps every branch [B, H_i, W_i, C_i] to the same shape."""
        branches = list(branches)
        for i, _ in enumerate(branches):
            for k in range(self.blocks):
                block = BasicBlock(axis_name=self.axis_name, name=f'branch{i}_block{k}')
                branches[i] = block(branches[i], train)
        return branches


class Fusion(nn.Module):
    """Second half of a module: every output sums all branches, brought to its resolution."""

    outputs: int  # the finest `outputs` branches are made
    axis_name: str | None = None

    @nn.compact
    def __call__(self, branches: Sequence[jax.Array], train: bool) -> list[jax.Array]:
        """Maps branches [B, H_i, W_i, C_i] to the first `outputs` of the same shapes."""
        fused = []
        for i in range(self.outputs):
            total = self._resized(branches, 0, i, train)
            for j in range(1, len(branches)):
                total = total + self._resized(branches, j, i, train)
            fused.append(nn.relu(total))
        return fused

    def _resized(self, branches: Sequence[jax.Array], j: int, i: int, train: bool) -> jax.Array:
        """Branch j with the shape of branch i, before the sum."""
        x, shared = branches[j], {'axis_name': self.axis_name}
        channels = branches[i].shape[-1]
        if j > i:
            x = ConvNorm(channels, kernel=1, name=f'from{j}_to{i}', **shared)(x, train)
            return upsample_nearest(x, 2 ** (j - i))
        for k in range(i - j):
            last = k == i - j - 1
            width = channels if last else x.shape[-1]
            x = ConvNorm(width, stride=2, name=f'from{j}_to{i}_{k}', **shared)(x, train)
            x = x if last else nn.relu(x)
        return x


def upsample_nearest(x: jax.Array, factor: int) -> jax.Array:
    """Maps x [B, H, W, C] to [B, H * factor, W * factor, C] by repeating every pixel."""
    b, h, w, c = x.shape
    x = jnp.broadcast_to(x[:, :, None, :, None], (b, h, factor, w, factor, c))
    return x.reshape(b, h * factor, w * factor, c)


class HRNet(nn.Module):
    """High-resolution network with a heatmap head. Defaults are HRNet-W32 as published.

    Collections: 'params' and 'batch_stats'.
    """

    num_joints: int
    width: int = 32  # channels of the finest branch; branch i has width * 2**i
    stem_channels: int = 64
    bottlenecks: int = 4
    modules: tuple[int, int, int] = (1, 4, 3)  # of the stages with 2, 3 and 4 branches
    blocks: int = 4
    heatmaps: str = 'gaussian'  # what they are trained to be, see HEATMAPS
    axis_name: str | None = None  # mapped axis over which training shares BatchNorm statistics

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> Detection:
        """Maps normalised images [B, H, W, 3], H and W multiples of 32, to a Detection.

        The finest of the four maps is the network's output. The others are taken after the
        branches of the first module of the last stage, before its fusion: an aliasing quirk of
        the code that the published lifters were trained with.

        Raises:
          ValueError: the image's sides are not multiples of 32.
        """
        height, width = images.shape[1:3]
        if height % 32 or width % 32:
            raise ValueError(
                f'HRNet needs crops with sides that are multiples of 32, not {height}x{width}; '
                f"change the data's image size"
            )
        shared = {'axis_name': self.axis_name}
        x = images
        for k in range(2):
            stem = ConvNorm(self.stem_channels, stride=2, name=f'stem{k}', **shared)
            x = nn.relu(stem(x, train))
        for k in range(self.bottlenecks):
            x = Bottleneck(self.stem_channels, name=f'bottleneck{k}', **shared)(x, train)

        branches, maps = [x], ()
        for stage, modules in enumerate(self.modules, start=2):
            branches = self._transition(branches, stage, train)
            for m in range(modules):
                last = stage == 4 and m == modules - 1
                name = f'stage{stage}_module{m}'
                branches = Branches(self.blocks, name=f'{name}_branches', **shared)(branches, train)
                if stage == 4 and m == 0:
                    maps = tuple(branches[1:])
                outputs = 1 if last else len(branches)
                branches = Fusion(outputs, name=f'{name}_fusion', **shared)(branches, train)
        finest = branches[0]
        heatmaps = nn.Conv(self.num_joints, (1, 1), name='head')(finest)
        if self.heatmaps == 'probability':
            heatmaps = nn.softmax(heatmaps, axis=(1, 2))
        return Detection((finest, *maps), heatmaps)

    def _transition(self, branches: list[jax.Array], stage: int, train: bool) -> list[jax.Array]:
        """Adds a branch of half the resolution, made from the coarsest; fits the first's width."""
        shared = {'axis_name': self.axis_name}
        coarsest, made = branches[-1], list(branches)
        if stage == 2:
            made[0] = nn.relu(ConvNorm(self.width, name='transition2_0', **shared)(made[0], train))
        new = ConvNorm(
            self.width * 2 ** (stage - 1),
            stride=2,
            name=f'transition{stage}_{stage - 1}',
            **shared,
        )
        return [*made, nn.relu(new(coarsest, train))]


def random_variables(model: HRNet, key: jax.Array) -> dict[str, Any]:
    """Variables to start training from: He's normal kernels, a head of nearly zero.

    One draw serves all kernels: compiling a random generator for each, as `model.init` does,
    takes longer than compiling the network. A small head gives first heatmaps near zero, which
    most of a target is.
    """
    shapes = jax.eval_shape(model.init, key, jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32))
    leaves, structure = jax.tree.flatten_with_path(shapes)
    size = sum(leaf.size for path, leaf in leaves if path[-1].key == 'kernel')
    random, used, filled = jax.random.normal(key, (size,)), 0, []
    for path, leaf in leaves:
        if path[-1].key == 'kernel':
            fan_in = leaf.size // leaf.shape[-1]
            deviation = 0.001 if path[-2].key == 'head' else (2 / fan_in) ** 0.5
            part = random[used : used + leaf.size].reshape(leaf.shape)
            filled.append(deviation * part)
            used += leaf.size
        else:
            start = jnp.ones if path[-1].key in ('scale', 'var') else jnp.zeros
            filled.append(start(leaf.shape, leaf.dtype))
    return jax.tree.unflatten(structure, filled)


def hrnet_from_config(detector: Any, num_joints: int, axis_name: str | None = None) -> HRNet:
    """The HRNet that `config.model.detector` describes.

    Raises:
      ValueError: `modules` does not name three stages, or `heatmaps` is unknown.
    """
    if detector.heatmaps not in HEATMAPS:
        raise ValueError(
            f'model.detector.heatmaps is {detector.heatmaps!r}; choose one of {", ".join(HEATMAPS)}'
        )
    if len(detector.modules) != 3 or min(detector.modules) < 1:
        raise ValueError(
            f'model.detector.modules is {tuple(detector.modules)}; give three numbers of at least '
            f'1, the modules of the stages with 2, 3 and 4 branches'
        )
    return HRNet(
        num_joints=num_joints,
        width=detector.width,
        stem_channels=detector.stem_channels,
        bottlenecks=detector.bottlenecks,
        modules=tuple(detector.modules),
        blocks=detector.blocks,
        heatmaps=detector.heatmaps,
        axis_name=axis_name,
    )

"""HRNet, the 2D detector whose feature maps are the context: branches of four resolutions, fused.

Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation" (CVPR 2019),
wired as the published COCO weights need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.models.detectors.convolutions import BasicBlock, Bottleneck, ConvNorm
from capf_jax.models.detectors.detection import Detection, heatmap_head
from capf_jax.models.detectors.resize import upsample_nearest
from capf_jax.pose.batch import Array

STRIDE = 32  # crop pixels per pixel of the coarsest map


class Branches(nn.Module):
    """First half of a module: a chain of basic blocks on every branch.

    Attributes:
      blocks: basic blocks on each branch.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    blocks: int
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, branches: Sequence[Float[Array, 'B _ _ _']], train: bool
    ) -> list[Float[jax.Array, 'B _ _ _']]:
        """Maps every branch [B, H_i, W_i, C_i] to the same shape."""
        branches = list(branches)
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
        for i, _ in enumerate(branches):
            for k in range(self.blocks):
                block = BasicBlock(name=f'branch{i}_block{k}', **shared)
                branches[i] = block(branches[i], train)
        return branches


class Fusion(nn.Module):
    """Second half of a module: every output sums all branches, brought to its resolution.

    Attributes:
      outputs: number of output branches, the finest first.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    outputs: int
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, branches: Sequence[Float[Array, 'B _ _ _']], train: bool
    ) -> list[Float[jax.Array, 'B _ _ _']]:
        """Maps branches [B, H_i, W_i, C_i] to the first `outputs` of the same shapes."""
        return [
            nn.relu(sum(self._resized(branches, j, i, train) for j in range(len(branches))))
            for i in range(self.outputs)
        ]

    def _resized(self, branches: Sequence[Array], j: int, i: int, train: bool) -> Array:
        """Branch j [B, H_j, W_j, C_j] with the shape of branch i, before the sum."""
        x, shared = branches[j], {'axis_name': self.axis_name, 'dtype': self.dtype}
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


class HRNet(nn.Module):
    """High-resolution network, with a heatmap head or without. Defaults are the published W32's.

    Collections: 'params' and 'batch_stats'.

    Attributes:
      num_joints: heatmaps J.
      width: channels of the finest branch; branch i has width * 2**i.
      stem_channels: channels of the stem; the bottlenecks give four times as many.
      bottlenecks: bottlenecks after the stem.
      modules: modules of the stages with 2, 3 and 4 branches.
      blocks: basic blocks of each branch of each module.
      heatmaps: one of `detection.HEATMAPS`; None for a network without a head.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters, statistics and heatmaps are float32.
    """

    num_joints: int
    width: int = 32
    stem_channels: int = 64
    bottlenecks: int = 4
    modules: tuple[int, int, int] = (1, 4, 3)
    blocks: int = 4
    heatmaps: str | None = 'gaussian'
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3'], *, train: bool = False) -> Detection:
        """Maps normalised images, H and W multiples of 32, to a Detection.

        The finest of the four maps is the network's output. The others are taken after the
        branches of the first module of the last stage, before its fusion: the published code
        gives these, by a variable that it uses twice, and the published lifters learnt from them.

        Raises:
          UserError: the image's sides are not multiples of 32.
        """
        height, width = images.shape[1:3]
        if height % STRIDE or width % STRIDE:
            raise UserError(
                f'HRNet needs crops with sides that are multiples of {STRIDE}, not '
                f"{height}x{width}; change the data's image size"
            )
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
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
        if self.heatmaps is None:
            return Detection((finest, *maps), None)
        return Detection((finest, *maps), heatmap_head(finest, self.num_joints, self.heatmaps))

    def _transition(self, branches: list[jax.Array], stage: int, train: bool) -> list[jax.Array]:
        """Adds a branch of half the coarsest resolution; at stage 2 also fits the first one."""
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
        coarsest = branches[-1]
        if stage == 2:  # the bottlenecks' output is the first branch, and the source of the second
            first = ConvNorm(self.width, name='transition2_0', **shared)
            branches = [nn.relu(first(coarsest, train))]
        halved = ConvNorm(
            self.width * 2 ** (stage - 1),
            stride=2,
            name=f'transition{stage}_{stage - 1}',
            **shared,
        )
        return [*branches, nn.relu(halved(coarsest, train))]

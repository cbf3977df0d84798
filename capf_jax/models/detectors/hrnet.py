"""HRNet, the 2D detector whose feature maps are the context: branches of four resolutions, fused.

Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation" (CVPR 2019),
wired as the published COCO weights need it.
"""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax

from capf_jax.models.detectors.convolutions import (
    BasicBlock,
    Bottleneck,
    ConvNorm,
    Detection,
    relu_of_sum,
    upsample_nearest,
)

# What a joint's heatmap is: a Gaussian of height 1, as published detectors learn by mean squared
# error, or a probability over the pixels, which cross-entropy teaches in far fewer steps.
HEATMAPS = ('gaussian', 'probability')


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
            others = [self._resized(branches, j, i, train) for j in range(len(branches)) if j != i]
            fused.append(relu_of_sum(branches[i], sum(others[1:], others[0])))
        return fused

    def _resized(self, branches: Sequence[jax.Array], j: int, i: int, train: bool) -> jax.Array:
        """Branch j with the shape of another branch i, before the sum."""
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


class HRNet(nn.Module):
    """High-resolution network, with a heatmap head or without. Defaults are the published W32's.

    Collections: 'params' and 'batch_stats'.
    """

    num_joints: int
    width: int = 32  # channels of the finest branch; branch i has width * 2**i
    stem_channels: int = 64
    bottlenecks: int = 4
    modules: tuple[int, int, int] = (1, 4, 3)  # of the stages with 2, 3 and 4 branches
    blocks: int = 4
    heatmaps: str | None = 'gaussian'  # what they are trained to be, see HEATMAPS; None: no head
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
        if self.heatmaps is None:
            return Detection((finest, *maps), None)
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

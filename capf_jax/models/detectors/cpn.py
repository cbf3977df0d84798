"""CPN, the cascaded pyramid network: a global net over ResNet-50's stages, refined into heatmaps.

Chen et al., "Cascaded Pyramid Network for Multi-Person Pose Estimation" (CVPR 2018), wired as the
published COCO weights need it. The heatmap heads of its global net, which only training needs,
are left out.
"""

from __future__ import annotations

import flax.linen as nn
import jax

from capf_jax.models.detectors.convolutions import Bottleneck, ConvNorm, Detection
from capf_jax.models.detectors.resize import Pyramid, resize_bilinear
from capf_jax.models.detectors.resnet import BLOCKS, WIDTH, ResNet

EXPANSION = 2  # of the refine net's bottlenecks


class CPN(nn.Module):
    """Cascaded pyramid network on ResNet-50.

    Collections: 'params' and 'batch_stats'.

    Attributes:
      num_joints: heatmaps J.
      blocks: bottlenecks of each of the ResNet's stages.
      width: channels of the ResNet's stem.
      channels: of the global net and of each map.
      axis_name: mapped axis over which training shares BatchNorm statistics.
    """

    num_joints: int = 17
    blocks: tuple[int, ...] = BLOCKS
    width: int = WIDTH
    channels: int = 256
    axis_name: str | None = None

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool = False) -> Detection:
        """Maps normalised images [B, H, W, 3], H and W multiples of 32, to a Detection.

        Its maps are the refine net's, all at stride 4, made from stages of stride 32, 16, 8, 4.
        """
        shared = {'axis_name': self.axis_name}
        resnet = ResNet(blocks=self.blocks, width=self.width, name='resnet', **shared)
        stages = resnet(images, train=train).maps
        pyramid = self._global_net(stages, train)
        size, refined = stages[0].shape[1:3], []
        for k, x in enumerate(pyramid):
            for block in range(len(pyramid) - 1 - k):
                x = self._bottleneck(f'refine{k}_block{block}')(x, train)
            refined.append(x)
        x = self._bottleneck('refine_block')(Pyramid(tuple(refined), size), train)
        heatmaps = ConvNorm(self.num_joints, name='head', **shared)(x, train)
        return Detection(tuple(resize_bilinear(x, size) for x in refined), heatmaps)

    def _global_net(self, stages: tuple[jax.Array, ...], train: bool) -> list[jax.Array]:
        """Features [B, H_l, W_l, channels] of every stage, coarsest first, each with the last's."""
        shared, features = {'axis_name': self.axis_name}, []
        for k, stage in enumerate(reversed(stages)):
            lateral = ConvNorm(self.channels, kernel=1, name=f'lateral{k}', **shared)
            x = nn.relu(lateral(stage, train))
            if features:
                up = ConvNorm(self.channels, kernel=1, name=f'upsample{k}', **shared)
                coarse, size = features[-1], x.shape[1:3]
                # Equal, with a quarter of the work; training takes statistics of the large map.
                x = x + (
                    up(resize_bilinear(coarse, size), train)
                    if train
                    else resize_bilinear(up(coarse, train), size)
                )
            features.append(x)
        return features

    def _bottleneck(self, name: str) -> Bottleneck:
        return Bottleneck(
            self.channels // EXPANSION,
            expansion=EXPANSION,
            project=True,
            axis_name=self.axis_name,
            name=name,
        )

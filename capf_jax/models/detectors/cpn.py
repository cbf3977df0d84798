"""CPN, the cascaded pyramid network: a global net over ResNet-50's stages, refined into heatmaps.

Chen et al., "Cascaded Pyramid Network for Multi-Person Pose Estimation" (CVPR 2018), wired as the
published COCO weights need it. The heatmap heads of its global net, which only training needs,
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.detectors.convolutions import Bottleneck, ConvNorm
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.resize import resize_bilinear
from capf_jax.models.detectors.resnet import BLOCKS, WIDTH, ResNet
from capf_jax.pose.batch import Array

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
      dtype: compute type; parameters, statistics and heatmaps are float32.
    """

    num_joints: int = 17
    blocks: tuple[int, ...] = BLOCKS
    width: int = WIDTH
    channels: int = 256
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3'], *, train: bool = False) -> Detection:
        """Maps normalised images, H and W multiples of 32, to a Detection.

        Its maps are the refine net's, all at stride 4, from stages of stride 32, 16, 8 and 4.
        """
        resnet = ResNet(
            blocks=self.blocks,
            width=self.width,
            axis_name=self.axis_name,
            dtype=self.dtype,
            name='resnet',
        )
        stages = resnet(images, train=train).maps
        return self._refine_net(self._global_net(stages, train), train)

    def _global_net(self, stages: Sequence[jax.Array], train: bool) -> list[jax.Array]:
        """Features of every stage, each with those of the coarser ones.

        Args:
          stages: the ResNet's maps [B, H_l, W_l, C_l], finest first.
          train: whether BatchNorm takes the batch's statistics.

        Returns:
          L features [B, H_l, W_l, channels], coarsest first.
        """
        features = []
        for k, stage in enumerate(reversed(stages)):
            x = nn.relu(self._conv_norm(f'lateral{k}')(stage, train))
            if features:
                coarse = resize_bilinear(features[-1], x.shape[1:3])
                x = x + self._conv_norm(f'upsample{k}')(coarse, train)
            features.append(x)
        return features

    def _refine_net(self, features: Sequence[jax.Array], train: bool) -> Detection:
        """Maps and heatmaps from features [B, H_l, W_l, channels], coarsest first."""
        size, maps = features[-1].shape[1:3], []
        for k, x in enumerate(features):
            for block in range(len(features) - 1 - k):
                x = self._bottleneck(f'refine{k}_block{block}')(x, train)
            maps.append(resize_bilinear(x, size))
        x = self._bottleneck('refine_block')(jnp.concatenate(maps, axis=-1), train)
        return Detection(tuple(maps), self._head(x, train))

    def _head(self, x: jax.Array, train: bool) -> jax.Array:
        """Heatmaps [B, H, W, J] from the maps refined together [B, H, W, channels].

        The head computes in float32: rounded to fewer digits, the pixels around a peak are alike.
        """
        head = ConvNorm(self.num_joints, axis_name=self.axis_name, dtype=jnp.float32, name='head')
        return head(x, train)

    def _conv_norm(self, name: str) -> ConvNorm:
        """A 1x1 convolution to `channels`, with BatchNorm."""
        return ConvNorm(
            self.channels, kernel=1, axis_name=self.axis_name, dtype=self.dtype, name=name
        )

    def _bottleneck(self, name: str) -> Bottleneck:
        """A bottleneck of the refine net, which gives `channels`."""
        return Bottleneck(
            self.channels // EXPANSION,
            expansion=EXPANSION,
            project=True,
            axis_name=self.axis_name,
            dtype=self.dtype,
            name=name,
        )

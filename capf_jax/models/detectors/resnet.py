"""ResNet-50, the backbone of SimpleBaseline and CPN, and by itself a detector without heatmaps.

He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), wired as torchvision's
published ImageNet weights need it: the stride of a stage is on the 3x3 of its first block.
"""

from __future__ import annotations

from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.models.detectors.convolutions import Bottleneck, ConvNorm
from capf_jax.models.detectors.detection import Detection
from capf_jax.pose.batch import Array

BLOCKS = (3, 4, 6, 3)  # bottlenecks of ResNet-50's stages
WIDTH = 64  # of the stem and of the first stage's 3x3 convolutions; doubles with every stage
STRIDE = 32  # crop pixels per pixel of the coarsest map


class ResNet(nn.Module):
    """ResNet-50 without its classifier.

    Collections: 'params' and 'batch_stats'.

    Attributes:
      blocks: bottlenecks of each stage.
      width: channels of the stem; stage k (from 0) gives 4 * width * 2**k.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters and statistics are float32.
    """

    blocks: tuple[int, ...] = BLOCKS
    width: int = WIDTH
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3'], *, train: bool = False) -> Detection:
        """Maps normalised images, H and W multiples of 32, to a Detection.

        Its maps are the stages', strides 4, 8, 16 and 32; it has no heatmaps.

        Raises:
          UserError: the image's sides are not multiples of 32.
        """
        height, width = images.shape[1:3]
        if height % STRIDE or width % STRIDE:
            raise UserError(
                f'ResNet needs crops with sides that are multiples of {STRIDE}, not '
                f"{height}x{width}; change the data's image size"
            )
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
        x, maps = self._stem(images, train), []
        for stage, blocks in enumerate(self.blocks):
            for k in range(blocks):
                block = Bottleneck(
                    self.width * 2**stage,
                    stride=2 if k == 0 and stage > 0 else 1,
                    project=k == 0,
                    name=f'stage{stage + 1}_block{k}',
                    **shared,
                )
                x = block(x, train)
            maps.append(x)
        return Detection(tuple(maps), None)

    def _stem(self, images: Array, train: bool) -> jax.Array:
        """Maps images [B, H, W, 3] to [B, H / 4, W / 4, width]."""
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
        x = ConvNorm(self.width, kernel=7, stride=2, name='stem', **shared)(images, train)
        padding = cast(Any, ((1, 1), (1, 1)))  # Flax's annotation knows names of paddings alone
        return nn.max_pool(nn.relu(x), (3, 3), (2, 2), padding=padding)

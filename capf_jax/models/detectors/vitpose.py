"""ViTPose: a plain vision transformer and two transposed convolutions.

Xu et al., "ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation" (NeurIPS 2022),
wired as the published COCO weights need it.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.models.detectors.convolutions import DeconvNorm
from capf_jax.models.detectors.detection import Detection, heatmap_head
from capf_jax.models.transformer import LayerNorm, TransformerBlock
from capf_jax.pose.batch import Array

PATCH = 16  # width and height of a token's patch, crop pixels
PATCH_PADDING = 2  # PyTorch's, on every side; the patches start 2 pixels outside the crop
MLP_RATIO = 4


class ViTPose(nn.Module):
    """Vision transformer with a heatmap head. Defaults are ViTPose-B as published.

    Collections: 'params' and 'batch_stats'. The position embedding fits one crop size, that of
    the images at initialisation.

    Attributes:
      num_joints: heatmaps J.
      dimension: channels of a token.
      depth: transformer blocks.
      heads: attention heads of each.
      channels: of the transposed convolutions.
      heatmaps: what they are, one of `detection.HEATMAPS`.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters, statistics and heatmaps are float32.
    """

    num_joints: int = 17
    dimension: int = 768
    depth: int = 12
    heads: int = 12
    channels: int = 256
    heatmaps: str = 'gaussian'
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3'], *, train: bool = False) -> Detection:
        """Maps normalised images, H and W multiples of 16, to a Detection.

        The paper takes a single scale of this detector (Table 7). Its maps here are the two
        transposed convolutions' and the tokens, strides 4, 8 and 16.

        Raises:
          UserError: the image's sides are not multiples of 16, or not those of the position
            embedding.
        """
        height, width = images.shape[1:3]
        if height % PATCH or width % PATCH:
            raise UserError(
                f'ViTPose needs crops with sides that are multiples of {PATCH}, not '
                f"{height}x{width}; change the data's image size"
            )
        tokens = self._tokens(images)
        maps, x = [tokens], tokens
        for k in range(2):
            deconv = DeconvNorm(self.channels, self.axis_name, self.dtype, name=f'deconv{k}')
            x = nn.relu(deconv(x, train))
            maps.append(x)
        return Detection(tuple(reversed(maps)), heatmap_head(x, self.num_joints, self.heatmaps))

    def _tokens(self, images: Array) -> jax.Array:
        """The transformer's output [B, H / 16, W / 16, dimension]."""
        patches = nn.Conv(
            self.dimension,
            (PATCH, PATCH),
            PATCH,
            padding=PATCH_PADDING,
            dtype=self.dtype,
            name='patch_embedding',
        )(images)
        batch, height, width, channels = patches.shape
        x = patches.reshape(batch, height * width, channels)  # [B, N, C]
        if self.has_variable('params', 'position_embedding'):
            known = self.get_variable('params', 'position_embedding').shape[1] - 1
            if known != height * width:
                raise UserError(
                    f'the position embedding of this ViTPose is for crops of {known} patches of '
                    f'{PATCH}x{PATCH}, 192 in published files, and these have {height}x{width}; '
                    f"change the data's image size to 256x192"
                )
        # Published embeddings have a first slot for a class token. There is no such token: its
        # embedding is added to all the others.
        position = self.param(
            'position_embedding',
            nn.initializers.truncated_normal(0.02),
            (1, 1 + height * width, channels),
        )
        x = x + (position[:, 1:] + position[:, :1]).astype(x.dtype)
        for k in range(self.depth):
            x = TransformerBlock(self.heads, MLP_RATIO, dtype=self.dtype, name=f'block{k}')(x)
        return LayerNorm(epsilon=1e-6, dtype=self.dtype, name='norm')(x).reshape(patches.shape)

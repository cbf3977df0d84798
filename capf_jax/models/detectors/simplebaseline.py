"""SimpleBaseline: ResNet-50, three transposed convolutions, heatmaps.

Xiao et al., "Simple Baselines for Human Pose Estimation and Tracking" (ECCV 2018), wired as the
published COCO weights need it.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import unknown
from capf_jax.models.detectors.convolutions import DeconvNorm
from capf_jax.models.detectors.detection import Detection, heatmap_head
from capf_jax.models.detectors.resnet import BLOCKS, WIDTH, ResNet
from capf_jax.pose.batch import Array

MAPS = {
    'stages': "those of the ResNet's four stages, strides 4, 8, 16 and 32",
    'deconvolutions': 'those after each transposed convolution, strides 4, 8 and 16',
}


class SimpleBaseline(nn.Module):
    """ResNet-50 with a heatmap head of transposed convolutions.

    Collections: 'params' and 'batch_stats'.

    Attributes:
      num_joints: heatmaps J.
      blocks: bottlenecks of each of the ResNet's stages.
      width: channels of the ResNet's stem.
      channels: of the transposed convolutions.
      maps: which maps it gives, a name of MAPS.
      heatmaps: what they are, one of `detection.HEATMAPS`.
      axis_name: mapped axis over which training shares BatchNorm statistics.
      dtype: compute type; parameters, statistics and heatmaps are float32.
    """

    num_joints: int = 17
    blocks: tuple[int, ...] = BLOCKS
    width: int = WIDTH
    channels: int = 256
    maps: str = 'stages'
    heatmaps: str = 'gaussian'
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3'], *, train: bool = False) -> Detection:
        """Maps normalised images, H and W multiples of 32, to a Detection.

        The paper compares this detector (Table 5) without saying which maps it took. Those of the
        published code are the transposed convolutions'.

        Raises:
          UserError: there are no maps of the name `maps`.
        """
        if self.maps not in MAPS:
            raise unknown('maps', self.maps, MAPS)
        shared = {'axis_name': self.axis_name, 'dtype': self.dtype}
        resnet = ResNet(blocks=self.blocks, width=self.width, name='resnet', **shared)
        stages, deconvolutions = resnet(images, train=train).maps, ()
        x = stages[-1]
        for k in range(3):
            x = nn.relu(DeconvNorm(self.channels, name=f'deconv{k}', **shared)(x, train))
            deconvolutions = (x, *deconvolutions)
        heatmaps = heatmap_head(x, self.num_joints, self.heatmaps)
        return Detection(stages if self.maps == 'stages' else deconvolutions, heatmaps)

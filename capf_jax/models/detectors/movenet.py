"""MoveNet Thunder: one person's 17 joints, found from the person's centre.

Google's network has no paper; its structure is that of the published graph, and of the models in
mobilenet.py and centernet.py. MobileNetV2 of width 1.75, a feature pyramid, and four heads at
stride 4.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.detectors.centernet import FeaturePyramid, Head, vectors
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import NEARNESS
from capf_jax.models.detectors.mobilenet import MobileNetV2
from capf_jax.pose.batch import Array


class MoveNet(nn.Module):
    """The network, with the part of its decoding that chooses the person.

    Collections: 'params' alone, since the published BatchNorms are folded into convolutions.

    Attributes:
      num_joints: heatmaps J.
      width: factor of the backbone's channels.
      axis_name: unused, since there are no BatchNorms; every detector has it.
      dtype: compute type; parameters, heatmaps, offsets and guesses are float32.
    """

    num_joints: int = 17
    width: float = 1.75
    axis_name: str | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3'], *, train: bool = False) -> Detection:
        """Maps normalised images, H and W multiples of 32, to a Detection.

        Its maps are the pyramid's, of stride 4, and the last outputs of the backbone's stages of
        stride 8, 16 and 32.
        """
        del train  # Nothing here behaves differently in training.
        stages, top = MobileNetV2(self.width, self.dtype, name='backbone')(images)
        pyramid = FeaturePyramid(self.dtype, name='pyramid')
        finest = pyramid((top, stages[3], stages[2], stages[1]))

        def head(name: str, channels: int) -> jax.Array:
            return Head(channels, self.dtype, name=name)(finest)

        regression = vectors(head('regression', 2 * self.num_joints))
        return Detection(
            maps=(finest, stages[2], stages[4], stages[6]),
            heatmaps=nn.sigmoid(head('heatmaps', self.num_joints)),
            offsets=vectors(head('offsets', 2 * self.num_joints)),
            guesses=guesses(nn.sigmoid(head('centre', 1))[..., 0], regression),
        )


def guesses(
    centres: Float[Array, 'B H W'], regression: Float[Array, 'B H W J 2']
) -> Float[jax.Array, 'B J 2']:
    """A first guess of the joints of one person, heatmap pixels (x, y).

    Args:
      centres: how likely a person's centre is at each pixel; the one nearest to the middle counts
        most.
      regression: from a person's centre to the person's joints, heatmap pixels.
    """
    batch, height, width, joints, _ = regression.shape
    rows, columns = jnp.arange(height)[:, None] - height / 2, jnp.arange(width) - width / 2
    distance = jnp.sqrt(jnp.square(rows) + jnp.square(columns))
    weighted = (centres / (distance + NEARNESS)).reshape(batch, height * width)
    best = jnp.argmax(weighted, axis=1)  # [B]
    flat = regression.reshape(batch, height * width, joints, 2)
    joints_of_best = jnp.take_along_axis(flat, best[:, None, None, None], axis=1)[:, 0]
    centre = jnp.stack([best % width, best // width], axis=-1)
    return centre[:, None] + joints_of_best

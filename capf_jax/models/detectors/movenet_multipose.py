"""MoveNet MultiPose: up to six people in a picture, each with a box and 17 joints.

Google's network has no paper; its structure and its decoding are those of the published graph. It
shares the parts of MoveNet Thunder (movenet.py), at a width of 1.5 and with two more heads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.detectors.centernet import FeaturePyramid, Head, vectors
from capf_jax.models.detectors.heatmaps import STRIDE
from capf_jax.models.detectors.mobilenet import MobileNetV2
from capf_jax.pose.batch import Array

MOST_PEOPLE = 6
MULTIPLE = 32  # the sides of its pictures are multiples of this
NEIGHBOURS = 5  # side of the square whose highest centre alone may be a person, heatmap pixels
# Variance of the Gaussian around a joint's first guess, over the map's shorter side.
SPREAD = 0.15
LEAST_CONFIDENCE = 0.127  # of a joint that counts in its person's score


class PictureMaps(NamedTuple):
    """What the heads give for B pictures of [H, W] pixels, at stride 4, float32.

    Vectors are (x, y), in pixels of these maps.

    Attributes:
      centres: how likely the centre of a person is there.
      box_sizes: width and height of a person whose centre is there.
      box_offsets: from each pixel to the person's centre near it.
      heatmaps: how likely each joint is there, of anyone.
      offsets: from each pixel to the joint near it.
      regression: from a person's centre to the person's joints.
    """

    centres: Float[jax.Array, 'B H/4 W/4']
    box_sizes: Float[jax.Array, 'B H/4 W/4 2']
    box_offsets: Float[jax.Array, 'B H/4 W/4 2']
    heatmaps: Float[jax.Array, 'B H/4 W/4 J']
    offsets: Float[jax.Array, 'B H/4 W/4 J 2']
    regression: Float[jax.Array, 'B H/4 W/4 J 2']


class PictureDetection(NamedTuple):
    """The N = 6 likeliest people of one picture, the likeliest centre first.

    Attributes:
      boxes: x and y of the top left corner, width and height, pixels.
      scores: 0 to 1, of the centre times the mean confidence of the joints; 0 of no person.
      joints: pixels (x, y).
      confidence: of the joints, 0 to 1.
    """

    boxes: Float[jax.Array, 'N 4']
    scores: Float[jax.Array, ' N']
    joints: Float[jax.Array, 'N J 2']
    confidence: Float[jax.Array, 'N J']


class MoveNetMultiPose(nn.Module):
    """The network up to its heads; `people_of` decodes what they give.

    Collections: 'params' alone, since the published BatchNorms are folded into convolutions.

    Attributes:
      num_joints: heatmaps J.
      width: factor of the backbone's channels.
      dtype: compute type; parameters and what the heads give are float32.
    """

    num_joints: int = 17
    width: float = 1.5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, images: Float[Array, 'B H W 3']) -> PictureMaps:
        """Maps pictures, normalised as for MoveNet, H and W multiples of 32, to maps."""
        stages, top = MobileNetV2(self.width, self.dtype, name='backbone')(images)
        pyramid = FeaturePyramid(self.dtype, name='pyramid')
        finest = pyramid((top, stages[3], stages[2], stages[1]))

        def head(name: str, channels: int) -> jax.Array:
            return Head(channels, self.dtype, name=name)(finest)

        return PictureMaps(
            centres=nn.sigmoid(head('centre', 1))[..., 0],
            box_sizes=vectors(head('box_sizes', 2))[..., 0, :],
            box_offsets=vectors(head('box_offsets', 2))[..., 0, :],
            heatmaps=nn.sigmoid(head('heatmaps', self.num_joints)),
            offsets=vectors(head('offsets', 2 * self.num_joints)),
            regression=vectors(head('regression', 2 * self.num_joints)),
        )


def people_of(maps: PictureMaps) -> PictureDetection:
    """The likeliest people of one picture, as the published graph decodes them.

    Each is at a peak of the centres. A joint is at the best pixel inside the person's box, by its
    heatmap and by the distance from where the person's centre expects it.

    Args:
      maps: of one picture, without the batch's axis.
    """
    height, width, joints = maps.heatmaps.shape
    window = (NEIGHBOURS, NEIGHBOURS)
    highest = jax.lax.reduce_window(maps.centres, -jnp.inf, jax.lax.max, window, (1, 1), 'SAME')
    peaks = jnp.where(maps.centres == highest, maps.centres, 0.0).reshape(-1)
    likeliness, place = jax.lax.top_k(peaks, MOST_PEOPLE)
    row, column = place // width, place % width
    centre = jnp.stack([column, row], axis=-1).astype(jnp.float32)  # [N, 2]

    size = jnp.maximum(maps.box_sizes[row, column], 0.0)
    middle, last = centre + maps.box_offsets[row, column], jnp.array([width, height])
    first_corner = jnp.clip(middle - size / 2, 0, last)
    last_corner = jnp.clip(middle + size / 2, 0, last)

    guess = centre[:, None] + maps.regression[row, column]  # [N, J, 2]
    rows, columns = jnp.arange(height)[:, None, None, None], jnp.arange(width)[:, None, None]
    distance2 = jnp.square(columns - guess[..., 0]) + jnp.square(rows - guess[..., 1])
    near = jnp.exp(-distance2 / (2 * SPREAD * min(height, width)))  # [H, W, N, J]
    inside = (
        (columns >= first_corner[:, :1])
        & (columns < last_corner[:, :1])
        & (rows >= first_corner[:, 1:])
        & (rows < last_corner[:, 1:])
    )
    weighted = maps.heatmaps[:, :, None] * near * inside
    flat = weighted.reshape(height * width, MOST_PEOPLE, joints)
    best = jnp.argmax(flat, axis=0)  # [N, J]
    joint = jnp.arange(joints)
    # The graph takes the pixel's best value of all people: where two people share a joint's pixel,
    # it is the value of the one who is nearer.
    confidence = flat.max(axis=1)[best, joint]
    pixel = jnp.stack([best % width, best // width], axis=-1)
    offset = maps.offsets.reshape(height * width, joints, 2)[best, joint]

    counts = confidence > LEAST_CONFIDENCE
    mean = jnp.where(counts, confidence, 0.0).sum(axis=-1) / jnp.maximum(counts.sum(axis=-1), 1)
    corners = jnp.concatenate([first_corner, last_corner - first_corner], axis=-1)
    return PictureDetection(
        boxes=corners * STRIDE,
        scores=likeliness * mean,
        joints=(pixel + offset) * STRIDE,
        confidence=confidence,
    )

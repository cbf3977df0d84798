"""A second look at the lifter's 2D joints in the frozen detector's heatmaps, against bad 2D input.

This is no part of the paper. Its lifter believes the 2D joints that it gets. The detector, which
runs for its maps anyway, has an opinion of its own about where each joint is: how far that is from
the input, and how sure the detector is, tell the lifter which joints to doubt.
`config.model.lifter.robust` lists the means that are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.pose.batch import Array

NOISE, CONFIDENCE, WANDER, READING = MEANS = ('noise', 'confidence', 'wander', 'reading')
NEAR = 0.05  # distance, normalised by the crop, over which trust in an input joint fades
UNIT, FARTHEST = 0.1, 5.0  # of the offsets that the lifter gets: their unit, and most units


class SecondReading(NamedTuple):
    """What the detector's heatmaps say of the lifter's 2D joints.

    Attributes:
      offsets: from the input joints to the detector's, in units of `UNIT` normalised by the crop.
      confidence: the detector's, of its own joints.
      agreement: 1 where both are in one place, 0 where they are far apart.
    """

    offsets: Float[jax.Array, 'B J 2']
    confidence: Float[jax.Array, 'B J']
    agreement: Float[jax.Array, 'B J']

    @property
    def doubt(self) -> Float[jax.Array, 'B J']:
        """1 where the detector does not stand behind an input joint, 0 where it does."""
        return 1 - jnp.clip(self.confidence, 0, 1) * self.agreement

    def inputs(self, robust: Sequence[str]) -> list[Float[jax.Array, 'B J 2']]:
        """The numbers that go into the joint token, two for each of `READING` and `CONFIDENCE`."""
        numbers = []
        if READING in robust:
            numbers.append(self.offsets)
        if CONFIDENCE in robust:
            numbers.append(jnp.stack([self.confidence, self.agreement], axis=-1))
        return numbers


def second_reading(
    joints2d_crop: Float[Array, 'B J 2'],
    detector_joints: Float[Array, 'B J 2'],
    confidence: Float[Array, 'B J'],
) -> SecondReading:
    """Compares the input with the detector's joints.

    Args:
      joints2d_crop: the lifter's 2D input, normalised by the crop.
      detector_joints: the same joints as the detector finds them, normalised by the crop.
      confidence: of the detector's joints.
    """
    offsets = detector_joints - joints2d_crop
    agreement = jnp.exp(-jnp.square(offsets).sum(-1) / (2 * NEAR**2))
    return SecondReading(jnp.clip(offsets / UNIT, -FARTHEST, FARTHEST), confidence, agreement)


def needs_heatmaps(robust: Sequence[str]) -> bool:
    """Whether any of these means looks at the detector's heatmaps."""
    return bool({CONFIDENCE, WANDER, READING} & {*robust})


def joint_numbers(robust: Sequence[str]) -> int:
    """How many numbers these means add to the two of each 2D joint."""
    return 2 * (READING in robust) + 2 * (CONFIDENCE in robust)

"""Noise and swaps on the 2D joints that a lifter trains on, so that it learns to survive bad ones.

The noise of a training sample depends on its place in the whole batch, and not on how many devices
share the batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float, UInt32

from capf_jax.pose.affine import moved
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.pose.skeletons import Skeleton

IMAGE = 1000.0  # pixels, the width of the image that the noise is stated for


@dataclasses.dataclass(frozen=True)
class JointNoise:
    """How much the 2D joints of training samples are disturbed.

    Attributes:
      largest: pixels of an image of the width `IMAGE`. Each sample draws a standard deviation
        between 0 and this, so that clean joints are among those that are learnt from.
      swap: chance that a sample has the two joints of a left and right pair change places. One pair
        is drawn; the joints of its limb that lie farther from the trunk come along.
    """

    largest: float
    swap: float

    def apply(self, key: UInt32[Array, 2], batch: Batch, skeleton: Skeleton) -> Batch:
        """The batch with disturbed `joints2d` and `joints2d_crop`, inside the axis `AXIS`.

        Args:
          key: of this step, the same on all shards.
          batch: this shard's B people.
          skeleton: says which joints are pairs and limbs.
        """
        size = batch.valid.shape[0]
        places = jax.lax.axis_index(AXIS) * size + jnp.arange(size)
        draw = jax.vmap(self._sample(key, skeleton))
        movement = draw(places, batch.joints2d, batch.image_size[:, 0] / IMAGE)
        return moved(batch, movement)

    def _sample(
        self, key: UInt32[Array, 2], skeleton: Skeleton
    ) -> Callable[[Array, Array, Array], Float[jax.Array, 'J 2']]:
        """(place in the whole batch, joints2d [J, 2], pixels a pixel of `IMAGE`) -> movement."""
        limbs = jnp.array(_swaps(skeleton))  # [pairs, J] the joint that takes each joint's place

        def movement(place: Array, joints2d: Array, scale: Array) -> Float[jax.Array, 'J 2']:
            keys = jax.random.split(jax.random.fold_in(key, place), 4)
            sigma = self.largest * jax.random.uniform(keys[0]) * scale
            noise = sigma * jax.random.normal(keys[1], joints2d.shape)
            if not len(limbs):
                return noise
            other = joints2d[limbs[jax.random.randint(keys[2], (), 0, len(limbs))]]
            swaps = jax.random.uniform(keys[3]) < self.swap
            return noise + jnp.where(swaps, other - joints2d, 0)

        return movement


def _swaps(skeleton: Skeleton) -> list[list[int]]:
    """For each pair: the order of the joints in which the pair and what hangs on it are swapped."""
    children: dict[int, list[int]] = {joint: [] for joint in range(len(skeleton))}
    for parent, child in skeleton.bones:
        children[parent].append(child)

    def limb(joint: int) -> list[int]:
        return [joint, *(farther for child in children[joint] for farther in limb(child))]

    orders = []
    for joint, other in enumerate(skeleton.flip):
        if joint < other:
            order = list(range(len(skeleton)))
            for part in {*limb(joint), *limb(other)}:
                order[part] = skeleton.flip[part]
            orders.append(order)
    return orders

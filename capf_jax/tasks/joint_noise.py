"""Noise and swaps on the 2D joints that a lifter trains on, so that it learns to survive bad ones.

The noise of a training sample depends on its place in the whole batch, and not on how many devices
share the batch.
"""

from __future__ import annotations

import dataclasses

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

        The frames of a window share its standard deviation, and each has noise and a swap of its
        own. These are the same wherever the frame stands in this window: the person of the window
        is one of its frames, and a window at the end of a video has its last frame several times.

        Args:
          key: of this step, the same on all shards.
          batch: this shard's B people.
          skeleton: says which joints are pairs and limbs.
        """
        size = batch.valid.shape[0]
        places = jax.lax.axis_index(AXIS) * size + jnp.arange(size)
        keys = jax.vmap(lambda place: jax.random.split(jax.random.fold_in(key, place), 4))(places)
        sigma, keys = self.largest * jax.vmap(jax.random.uniform)(keys[:, 0]), keys[:, 1:]
        movement = self._movement(keys, sigma, batch, skeleton)
        if batch.frames is None:
            return moved(batch, movement)
        frames = len(batch.frames.valid) // size

        def of_rows(values: Array) -> jax.Array:
            """[B, ...] -> [B * F, ...]."""
            return jnp.repeat(values, frames, axis=0)

        further = jax.vmap(jax.vmap(jax.random.fold_in, (0, None)))
        row_keys = further(of_rows(keys), batch.frames.index)
        of_frames = self._movement(row_keys, of_rows(sigma), batch.frames, skeleton)
        is_person = batch.frames.index == of_rows(batch.index)
        of_frames = jnp.where(is_person[:, None, None], of_rows(movement), of_frames)
        return moved(batch, movement, of_frames)

    def _movement(
        self,
        keys: UInt32[Array, 'B 3 2'],
        sigma: Float[Array, ' B'],
        batch: Batch,
        skeleton: Skeleton,
    ) -> Float[jax.Array, 'B J 2']:
        """How far each joint moves, pixels of the whole image; sigma is in those of `IMAGE`."""
        limbs = jnp.array(_swaps(skeleton))  # [pairs, J] the joint that takes each joint's place

        def of_person(keys: Array, sigma: Array, joints2d: Array) -> jax.Array:
            noise = sigma * jax.random.normal(keys[0], joints2d.shape)
            if not len(limbs):
                return noise
            other = joints2d[limbs[jax.random.randint(keys[1], (), 0, len(limbs))]]
            swaps = jax.random.uniform(keys[2]) < self.swap
            return noise + jnp.where(swaps, other - joints2d, 0)

        pixels = sigma * (batch.image_size[:, 0] / IMAGE)
        return jax.vmap(of_person)(keys, pixels, batch.joints2d)


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

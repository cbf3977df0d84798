"""Augmentation while a detector's network learns: mirrored, turned, moved and tinted crops."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Float, Shaped, UInt8, UInt32
from ml_collections import ConfigDict

from capf_jax.models.grid_sample import grid_sample
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.flip import flip_batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.tasks.task import TrainState, random_of_sample, step_keys


def augmented(
    state: TrainState,
    batch: Batch,
    joint_set: Skeleton,
    detection: ConfigDict,
    flip_probability: float,
) -> tuple[Float[jax.Array, 'B H W 3'], Float[jax.Array, 'B J 2']]:
    """The crops and true 2D joints of a training step, mirrored by chance and augmented.

    Runs inside the axis `AXIS`.

    Args:
      state: whose step and key decide what is drawn.
      batch: on this shard.
      joint_set: the joints, of which some change sides in a mirrored crop.
      detection: `config.detection`.
      flip_probability: chance that a sample is mirrored.

    Returns:
      As `augment`.
    """
    key_flip, key_augment = step_keys(state, 2)
    chance = random_of_sample(key_flip, batch.valid.shape[0])
    batch = flip_batch(batch, chance < flip_probability, joint_set)
    return augment(key_augment, batch.images, batch.joints2d_crop_truth, detection)


def augment(
    key: UInt32[Array, 2],
    images: UInt8[Array, 'B H W 3'],
    joints: Float[Array, 'B J 2'],
    detection: ConfigDict,
) -> tuple[Float[jax.Array, 'B H W 3'], Float[jax.Array, 'B J 2']]:
    """Rotates, scales, shifts and tints crops, each on its own, with their joints.

    Runs inside the axis `AXIS`; a sample's fate depends on its place in the whole batch alone.

    Args:
      key: of this step.
      images: [B, H, W, 3] uint8.
      joints: [B, J, 2] crop pixels.
      detection: `config.detection`.

    Returns:
      Crops [B, H, W, 3] float32 in 0..255, black beyond the crop's border, and joints [B, J, 2].
    """
    size = images.shape[0]
    keys = jax.random.split(key, 7)
    random = jnp.stack([2 * random_of_sample(k, size) - 1 for k in keys], axis=-1)  # [B, 7], -1..1
    angle = jnp.deg2rad(detection.max_rotation * random[:, 0])
    zoom = 1 + detection.max_scale * random[:, 1]
    shift = detection.max_shift * random[:, 2:4] * images.shape[2]
    images, joints = transform(images, joints, angle, zoom, shift)
    gain = 1 + detection.max_gain * random[:, None, None, 4:7]
    return jnp.clip(images * gain, 0, 255), joints


def transform(
    images: Shaped[Array, 'B H W 3'],
    joints: Float[Array, 'B J 2'],
    angle: Float[Array, ' B'],
    zoom: Float[Array, ' B'],
    shift: Float[Array, 'B 2'],
) -> tuple[Float[jax.Array, 'B H W 3'], Float[jax.Array, 'B J 2']]:
    """Turns crops and their joints about the crop's middle, enlarges them, and moves them.

    Args:
      images: [B, H, W, 3]; joints: [B, J, 2] crop pixels.
      angle: [B] radians, clockwise as seen, since y points down.
      zoom: [B] above 1 makes the person larger.
      shift: [B, 2] crop pixels, after the rest.

    Returns:
      Crops [B, H, W, 3] float32, bilinear, zero outside, and joints [B, J, 2].
    """
    height, width = images.shape[1:3]
    middle = jnp.array([width - 1, height - 1]) / 2
    columns, rows = jnp.meshgrid(jnp.arange(width), jnp.arange(height))
    pixels = jnp.stack([columns, rows], axis=-1).reshape(1, -1, 2)
    sources = _rotate(pixels - middle - shift[:, None], -angle) / zoom[:, None, None]
    sources = sources.reshape(-1, height, width, 2) / middle  # normalised by the crop
    moved = grid_sample(images.astype(jnp.float32), sources, 'zeros')
    joints = _rotate(joints - middle, angle) * zoom[:, None, None] + middle + shift[:, None]
    return moved, joints


def _rotate(points: Array, angle: Array) -> jax.Array:
    """Points [B, N, 2] about the origin by [B] radians, written out to stay in full precision."""
    cosine, sine = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
    x, y = points[..., 0], points[..., 1]
    return jnp.stack([cosine * x - sine * y, sine * x + cosine * y], axis=-1)

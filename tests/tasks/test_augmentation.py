"""Augmentation moves joints with their pixels, and each person in another way."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.models.detectors.heatmaps import heatmaps_to_joints, target_heatmaps
from capf_jax.pose.batch import AXIS
from capf_jax.tasks import augmentation
from tests import tiny

SIZE = 2


def one_shard(function):
    """Runs a function inside the steps' axis, on one shard."""
    return jax.jit(
        lambda *args: jax.tree.map(
            lambda x: x[0],
            jax.vmap(lambda _: function(*args), axis_name=AXIS)(jnp.zeros(1)),
        )
    )


def dots(joints, height=64, width=48):
    """Crops [B, H, W, 3] with a soft dot at the first joint of each person."""
    maps = target_heatmaps(jnp.asarray(joints[:, :1]) * 4, (height, width), 2.0)
    return (255 * jnp.broadcast_to(maps, (*maps.shape[:3], 3))).astype(jnp.uint8)


def dot_positions(images):
    """[B, 2] crop pixels of the brightest spot, better than a pixel."""
    return heatmaps_to_joints(images[..., :1], subpixel=True)[0][:, 0] / 4


@pytest.mark.parametrize(
    ('angle', 'zoom', 'shift'),
    [(0.0, 1.0, (0, 0)), (0.5, 1.0, (0, 0)), (0.0, 1.2, (0, 0)), (0.0, 1.0, (4, -7)),
     (-0.4, 0.8, (3, 2))],
)  # fmt: skip
def test_joints_move_with_their_pixels(angle, zoom, shift):
    joints = np.array([[[20.0, 30.0]], [[30.0, 22.0]]], np.float32)
    images, moved = jax.jit(augmentation.transform)(
        dots(joints),
        joints,
        jnp.full(SIZE, angle),
        jnp.full(SIZE, zoom),
        jnp.tile(jnp.array(shift, jnp.float32), (SIZE, 1)),
    )
    # 0.1 px: the dot is stored in whole grey levels and resampled bilinearly
    np.testing.assert_allclose(dot_positions(images), moved[:, 0], atol=0.1)


def test_rotation_is_clockwise_as_seen():
    joints = np.array([[[40.0, 31.5]], [[40.0, 31.5]]], np.float32)  # right of the middle
    _, moved = augmentation.transform(
        jnp.zeros((SIZE, 64, 48, 3)),
        joints,
        jnp.full(SIZE, jnp.pi / 2),
        jnp.ones(SIZE),
        jnp.zeros((SIZE, 2)),
    )
    np.testing.assert_allclose(moved[:, 0], [[23.5, 48.0]] * SIZE, atol=1e-4)  # below it


def test_no_augmentation_leaves_joints_and_colours():
    detection = tiny.config().detection
    detection.update(max_rotation=0.0, max_scale=0.0, max_shift=0.0, max_gain=0.0)
    joints = tiny.batch(SIZE).joints2d_crop_truth
    images = np.full((SIZE, tiny.HEIGHT, tiny.WIDTH, 3), (10, 100, 200), np.uint8)
    run = one_shard(functools.partial(augmentation.augment, detection=detection))
    same_images, same_joints = run(jax.random.key(0), images, joints)
    np.testing.assert_allclose(same_images, images, atol=0.02)
    np.testing.assert_allclose(same_joints, joints, atol=1e-4)


def test_people_are_augmented_each_differently():
    batch = tiny.batch(SIZE)
    same = jnp.tile(batch.joints2d_crop_truth[:1], (SIZE, 1, 1))
    run = one_shard(functools.partial(augmentation.augment, detection=tiny.config().detection))
    _, joints = run(jax.random.key(0), batch.images, same)
    assert np.abs(joints[0] - joints[1]).max() > 0.1

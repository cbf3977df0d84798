"""A mirrored batch is what a camera would see in a mirror, and mirrors back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.pose import crops, flip, normalise
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import H36M17

CROP = (24, 32)


@pytest.fixture
def batch():
    """Three people whose crop joints follow from the whole image's by their affine map."""
    rng = np.random.default_rng(0)
    affine = np.stack([crops.box_affine(rng.uniform(0, 900, 2), 400, CROP) for _ in range(3)])
    affine[1, :, :2] += rng.normal(0, 0.01, (2, 2))  # maps may turn and shear
    truth = rng.uniform(0, 1000, (3, 17, 2))
    joints = truth + rng.normal(0, 5, truth.shape)
    batch = Batch(
        images=rng.integers(0, 256, (3, *CROP[::-1], 3), dtype=np.uint8),
        joints2d=joints,
        joints2d_crop=crops.apply_affine(affine, joints),
        joints2d_crop_truth=crops.apply_affine(affine, truth),
        image_size=np.array([[1000, 1002], [1920, 1080], [640, 480]]),
        affine=affine,
        joints3d=rng.normal(0, 0.4, (3, 17, 3)),
        valid=np.ones(3, bool),
        index=np.arange(3, dtype=np.int32),
        contexts=rng.normal(size=(3, 2, 17, 5)),
        context_joints=rng.uniform(0, 24, (3, 2, 17, 2)),
        label=np.arange(3, dtype=np.int32),
    )
    return jax.tree.map(lambda a: np.float32(a) if a.dtype in (float, np.int64) else a, batch)


def _assert_close(one, other):
    for name, first, second in zip(Batch._fields[:-1], one[:-1], other[:-1], strict=True):
        np.testing.assert_allclose(first, second, atol=1e-3, err_msg=name)


def test_twice_is_the_identity(batch):
    flipped = np.ones(3, bool)
    twice = flip.flip_batch(flip.flip_batch(batch, flipped, H36M17), flipped, H36M17)
    _assert_close(twice, batch)


def test_only_the_chosen_are_mirrored(batch):
    mirrored = flip.flip_batch(batch, np.array([False, True, False]), H36M17)
    for name, before, after in zip(Batch._fields[:-1], batch[:-1], mirrored[:-1], strict=True):
        np.testing.assert_array_equal(before[::2], after[::2], err_msg=name)
    assert (mirrored.joints3d[1] != batch.joints3d[1]).any()


def test_jit_on_jax_arrays_gives_the_same(batch):
    flipped = np.array([True, False, True])
    result = jax.jit(lambda b, f: flip.flip_batch(b, f, H36M17))(
        jax.tree.map(jnp.asarray, batch), jnp.asarray(flipped)
    )
    _assert_close(result, flip.flip_batch(batch, flipped, H36M17))


def test_affine_still_maps_the_image_to_the_crop(batch):
    mirrored = flip.flip_batch(batch, np.ones(3, bool), H36M17)
    result = crops.apply_affine(mirrored.affine, mirrored.joints2d)
    np.testing.assert_allclose(result, mirrored.joints2d_crop, atol=1e-3)


def test_pixel_under_a_crop_joint_goes_with_it(batch):
    joint = np.float32([3, 5])
    batch = batch._replace(joints2d_crop=np.broadcast_to(joint, (3, 17, 2)).copy())
    mirrored = flip.flip_batch(batch, np.ones(3, bool), H36M17)
    x, y = mirrored.joints2d_crop[0, 0].astype(int)
    np.testing.assert_array_equal(mirrored.images[:, y, x], batch.images[:, 5, 3])


def test_normalised_x_is_negated_and_sides_swapped(batch):
    mirrored = flip.flip_batch(batch, np.ones(3, bool), H36M17)
    before = normalise.normalise_by_image(batch.joints2d, batch.image_size)
    after = normalise.normalise_by_image(mirrored.joints2d, batch.image_size)
    left, right = H36M17.index('left_wrist'), H36M17.index('right_wrist')
    np.testing.assert_allclose(after[:, left], before[:, right] * [-1, 1], atol=1e-5)


def test_features_of_the_plain_and_the_mirrored_crop_change_places(batch):
    mirrored = flip.flip_batch(batch, np.array([True, False, True]), H36M17)
    np.testing.assert_array_equal(mirrored.contexts[0], batch.contexts[0, ::-1])
    np.testing.assert_array_equal(mirrored.context_joints[2], batch.context_joints[2, ::-1])
    np.testing.assert_array_equal(mirrored.contexts[1], batch.contexts[1])


def test_pose_is_mirrored_with_sides_swapped(batch):
    pose = batch.joints3d
    left, right = H36M17.index('left_knee'), H36M17.index('right_knee')
    result = flip.flip_pose(pose, H36M17)
    np.testing.assert_array_equal(result[:, left], pose[:, right] * np.float32([-1, 1, 1]))


def test_the_frames_of_a_window_are_mirrored_with_their_target(batch):
    rows = np.repeat(np.arange(3), 2)  # each person stands in a window of two frames
    frames = Batch(*(None if leaf is None else leaf[rows] for leaf in batch))
    flipped = np.array([True, False, True])
    mirrored = flip.flip_batch(batch._replace(frames=frames), flipped, H36M17)
    for name, target, others in zip(Batch._fields, mirrored, mirrored.frames, strict=True):
        if others is not None:
            np.testing.assert_array_equal(others, target[rows], err_msg=name)

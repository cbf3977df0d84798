"""Noise and swaps on the 2D joints of training samples."""

import jax
import numpy as np
import pytest

from capf_jax.pose.batch import AXIS
from capf_jax.pose.crops import apply_affine
from capf_jax.pose.skeletons import H36M17
from capf_jax.tasks.joint_noise import JointNoise
from tests import tiny

KEY = jax.random.PRNGKey(0)


def disturbed(noise, batch, shards=1):
    cut = jax.tree.map(lambda a: a.reshape(shards, -1, *a.shape[1:]), batch)
    apply = jax.vmap(lambda part: noise.apply(KEY, part, H36M17), axis_name=AXIS)
    return jax.tree.map(lambda a: np.asarray(a).reshape(-1, *a.shape[2:]), apply(cut))


@pytest.fixture(scope='module')
def batch():
    return tiny.batch(64)


def test_the_noise_is_in_pixels_of_a_1000_px_image(batch):
    large = batch._replace(image_size=2 * batch.image_size)
    noise = JointNoise(8.0, 0.0)
    small_move = disturbed(noise, batch).joints2d - batch.joints2d
    large_move = disturbed(noise, large).joints2d - batch.joints2d
    np.testing.assert_allclose(large_move, 2 * small_move, atol=1e-2)
    # The mean square of a sigma that is uniform up to 8 is a third of 64.
    assert np.square(small_move).mean() == pytest.approx(64 / 3, rel=0.2)


def test_joints_of_the_crop_move_along(batch):
    moved = disturbed(JointNoise(8.0, 0.5), batch)
    np.testing.assert_allclose(
        moved.joints2d_crop, apply_affine(batch.affine, moved.joints2d), atol=2e-3
    )


def test_the_noise_of_a_sample_does_not_depend_on_the_number_of_devices(batch):
    one, four = (disturbed(JointNoise(8.0, 0.5), batch, shards) for shards in (1, 4))
    np.testing.assert_allclose(one.joints2d, four.joints2d, atol=1e-3)


def test_a_swap_exchanges_a_pair_with_what_hangs_on_it(batch):
    moved = disturbed(JointNoise(0.0, 1.0), batch).joints2d
    names, limbs = H36M17.joints, set()
    for before, after in zip(batch.joints2d, moved, strict=True):
        changed = np.flatnonzero(np.abs(after - before).max(-1) > 1e-3)
        swapped = [H36M17.flip[joint] for joint in changed]
        np.testing.assert_allclose(after[changed], before[swapped], atol=1e-3)
        limbs.add(frozenset(names[joint].split('_')[1] for joint in changed))
    assert {frozenset({'hip', 'knee', 'ankle'}), frozenset({'wrist'})} <= limbs


def test_clean_settings_change_nothing(batch):
    np.testing.assert_array_equal(disturbed(JointNoise(0, 0), batch).joints2d, batch.joints2d)


def test_a_frame_of_a_window_moves_alike_wherever_it_stands_in_it(batch):
    # Windows of samples 0 and 1; the first one repeats its first frame, as at the start of a video.
    rows = np.array([0, 0, 1, 0, 1, 2])
    frames = jax.tree.map(lambda array: array[rows], batch)
    windows = jax.tree.map(lambda array: array[:2], batch)._replace(frames=frames)
    moved = disturbed(JointNoise(8.0, 0.5), windows)
    moves = (moved.frames.joints2d - frames.joints2d).reshape(2, 3, -1)
    np.testing.assert_array_equal(moved.frames.joints2d[[1, 4]], moved.joints2d)
    np.testing.assert_array_equal(moves[0, 0], moves[0, 1])
    assert np.abs(moves[0, 2] - moves[0, 1]).max() > 1e-3  # neighbours have noise of their own
    assert np.abs(moves[1, 0] - moves[0, 0]).max() > 1e-3  # and so has another window
    in_crop = apply_affine(frames.affine, moved.frames.joints2d)
    np.testing.assert_allclose(moved.frames.joints2d_crop, in_crop, atol=2e-3)

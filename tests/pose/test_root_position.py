"""Root position: exact joints give the exact place, outliers hardly move it."""

import numpy as np
import pytest

from capf_jax.pose import cameras, root_position

K = np.array([1000.0, 1020.0, 640.0, 360.0])


def people(number=20, seed=0):
    """Poses [N, 17, 3] about their roots, and roots [N, 3] all over a room, metres."""
    random = np.random.default_rng(seed)
    poses = random.normal(size=(number, 17, 3)) * [0.25, 0.5, 0.25]
    poses -= poses[:, :1]
    roots = random.uniform([-2, -1, 2], [2, 1, 12], (number, 3))
    roots[:, :2] *= roots[:, 2:] / 6
    return poses, roots


def test_exact_joints_give_the_place():
    poses, roots = people()
    joints = cameras.project(poses + roots[:, None], K)
    np.testing.assert_allclose(root_position.root_position(poses, joints, K), roots, atol=1e-6)


def test_outliers_hardly_move_it():
    poses, roots = people()
    joints = cameras.project(poses + roots[:, None], K)
    extent = np.linalg.norm(np.ptp(joints, axis=1), axis=-1)
    joints[:, 16, 0] += 0.5 * extent  # a wrist found on another person
    places = root_position.root_position(poses, joints, K)
    off = np.linalg.norm(places - roots, axis=-1) / roots[:, 2]
    assert np.median(off) < 0.005


def test_joints_without_confidence_do_not_count():
    poses, roots = people()
    joints = cameras.project(poses + roots[:, None], K)
    joints[:, 3:6] = np.nan
    joints[:, 7] = 0
    confidence = np.ones(joints.shape[:2])
    confidence[:, [3, 4, 5, 7]] = 0
    places = root_position.root_position(poses, joints, K, confidence)
    np.testing.assert_allclose(places, roots, atol=1e-6)


def test_a_pose_twice_as_large_stands_twice_as_far():
    poses, roots = people(1)
    joints = cameras.project(poses + roots[:, None], K)
    np.testing.assert_allclose(
        root_position.root_position(2 * poses, joints, K), 2 * roots, atol=1e-6
    )


def test_noise_is_shared_out():
    poses, roots = people(200)
    joints = cameras.project(poses + roots[:, None], K)
    joints += np.random.default_rng(1).normal(size=joints.shape)
    places = root_position.root_position(poses, joints, K)
    off = np.linalg.norm(places - roots, axis=-1) / roots[:, 2]
    assert np.median(off) < 0.01


@pytest.mark.parametrize('joints', [np.zeros((1, 17, 2)), np.full((1, 17, 2), np.nan)])
def test_nothing_is_known_of_joints_in_one_point(joints):
    assert np.isnan(root_position.root_position(people(1)[0], joints, K)).all()


def test_a_pose_that_cannot_fit_stays_in_front():
    poses, _ = people(3)
    joints = np.random.default_rng(2).uniform(0, 700, (3, 17, 2))
    places = root_position.root_position(poses, joints, K)
    assert np.isfinite(places).all()
    assert ((poses + places[:, None])[..., 2] > 0).all()


def test_nobody_is_nobody():
    empty = root_position.root_position(np.zeros((0, 17, 3)), np.zeros((0, 17, 2)), K)
    assert empty.shape == (0, 3)

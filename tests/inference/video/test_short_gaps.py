"""Short gaps are filled with a guess that says that it is one; long ones stay."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from capf_jax.inference.video import constant_bones, short_gaps
from capf_jax.pose import skeletons
from tests.inference.tracks_samples import STANDING, tracks


def bones(pose):
    """The length of the bone to each joint, metres."""
    return np.linalg.norm(pose - pose[..., list(skeletons.H36M17.parents), :], axis=-1)


def test_a_short_gap_is_filled_in_a_straight_line():
    # The second person is away from frames 5 to 8 of a straight walk, half a second.
    before = tracks()
    after = short_gaps.filled(before)
    assert after.valid[1].all()
    walk = before.root[1, 4] + np.linspace(0, 1, 6)[:, None] * (
        before.root[1, 9] - before.root[1, 4]
    )
    np.testing.assert_allclose(after.root[1, 4:10], walk)
    assert np.isfinite(after.joints3d).all()
    assert not after.sure[1, 5:9].any()


def test_bones_keep_their_lengths_in_a_gap():
    # The second person turns by 120 degrees about the vertical meanwhile.
    before = tracks()
    joints3d = before.joints3d.copy()
    turn = Rotation.from_euler('y', 120, degrees=True).as_matrix()
    joints3d[1, 9:] = before.root[1, 9:, None] + STANDING @ turn.T
    after = short_gaps.filled(dataclasses.replace(before, joints3d=joints3d))
    np.testing.assert_allclose(
        bones(after.joints3d[1]), np.broadcast_to(bones(STANDING), (20, 17)), atol=1e-9
    )


def test_a_bone_that_points_the_other_way_behind_the_gap_turns():
    pose = STANDING.copy()
    hand = skeletons.H36M17.index('left_wrist')
    pose[hand] = 2 * pose[skeletons.H36M17.parents[hand]] - pose[hand]
    share = np.linspace(0, 1, 5)
    between = constant_bones.poses_between(STANDING, pose, share, skeletons.H36M17)
    np.testing.assert_allclose(between[[0, -1]], [STANDING, pose], atol=1e-12)
    np.testing.assert_allclose(bones(between), np.broadcast_to(bones(STANDING), (5, 17)))


def test_a_bone_without_a_length_stays_without():
    pose = STANDING.copy()
    pose[skeletons.H36M17.index('head')] = pose[skeletons.H36M17.index('nose')]
    between = constant_bones.poses_between(pose, pose, np.array([0.5]), skeletons.H36M17)
    np.testing.assert_allclose(between[0], pose)


def test_what_was_seen_stays():
    before = tracks()
    after = short_gaps.filled(before)
    for name in ('joints3d', 'joints2d', 'boxes', 'root'):
        np.testing.assert_array_equal(
            getattr(after, name)[before.valid], getattr(before, name)[before.valid]
        )
    # In frame 12 only the pose has no meaning.
    np.testing.assert_array_equal(after.joints2d[1, 12], before.joints2d[1, 12])
    np.testing.assert_array_equal(after.confidence, before.confidence)


def test_a_long_gap_stays():
    after = short_gaps.filled(tracks(), 0.3)
    assert not after.valid[1, 5:9].any()
    assert after.valid[1, 12]


def test_nobody_is_added_before_coming_or_after_leaving():
    before = tracks()
    valid = before.valid.copy()
    valid[0, :3] = valid[0, -3:] = False
    after = short_gaps.filled(tracks(valid=valid), 10.0)
    assert not after.valid[0, [0, 1, 2, -3, -2, -1]].any()

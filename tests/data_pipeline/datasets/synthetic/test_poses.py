"""Sampled poses keep to the limits of the human body and vary as recorded ones do."""

import math

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import joint_limits, kinematics, poses

PARENT, CHILD = (list(side) for side in zip(*H36M17.bones, strict=True))


def draw(seed: int, count: int, activity: str | None = None) -> list[kinematics.Pose]:
    rng = np.random.default_rng(seed)
    return [
        poses.sample_pose(
            rng, activity or poses.sample_activity(rng), poses.sample_proportions(rng)
        )
        for _ in range(count)
    ]


@pytest.fixture(scope='module')
def people() -> np.ndarray:
    return np.stack([pose.joints for pose in draw(0, 1200)])


def body(seed: int = 0) -> kinematics.BodyProportions:
    return poses.sample_proportions(np.random.default_rng(seed))


def bend(joints: np.ndarray, a: int, b: int, c: int) -> np.ndarray:
    """Degrees by which the joints b are bent, [N]."""
    u, v = joints[:, b] - joints[:, a], joints[:, c] - joints[:, b]
    cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_shares_sum_to_one():
    assert math.isclose(sum(poses.ACTIVITIES.values()), 1.0)


def test_proportions_follow_human_anthropometry():
    rng = np.random.default_rng(1)
    bodies = [poses.sample_proportions(rng) for _ in range(500)]
    lengths = np.stack([b.bone_lengths for b in bodies])
    stature = np.array([b.stature for b in bodies])
    assert 1500 <= stature.min() < 1600
    assert 1850 < stature.max() <= 1950
    share = lengths[:, H36M17.index('left_knee')] / stature
    assert 0.23 < share.min() < share.max() < 0.29
    assert 0.02 < share.std() / share.mean() < 0.05  # People differ in more than size.
    assert np.corrcoef(lengths[:, H36M17.index('left_wrist')], stature)[0, 1] > 0.6


def test_left_and_right_bones_are_equal():
    lengths = body().bone_lengths
    assert np.array_equal(lengths[list(H36M17.left)], lengths[list(H36M17.right)])


def test_bones_have_the_lengths_of_the_body():
    rng, proportions = np.random.default_rng(2), body()
    for activity in poses.ACTIVITIES:
        joints = poses.sample_pose(rng, activity, proportions).joints
        lengths = np.linalg.norm(joints[CHILD] - joints[PARENT], axis=1)
        np.testing.assert_allclose(lengths, proportions.bone_lengths[CHILD], atol=0.01)


def test_people_who_stand_are_as_tall_as_their_stature():
    ratios = []
    for seed in range(40):
        pose = posed(proportions=body(seed))
        ratios.append(pose.joints[H36M17.index('head'), 2] / body(seed).stature)
    assert np.mean(ratios) == pytest.approx(0.985, abs=0.015)  # The joint is below the hair.
    assert np.std(ratios) < 0.025


@pytest.mark.parametrize('activity', poses.ACTIVITIES)
def test_poses_keep_to_joint_limits_and_to_themselves(activity):
    assert {poses.violation(pose) for pose in draw(4, 25, activity)} == {None}


def test_people_rest_on_the_floor(people):
    clearance = people[..., 2] - joint_limits.CLEARANCE
    np.testing.assert_allclose(clearance.min(1), 0.0, atol=0.01)
    np.testing.assert_allclose(people[:, 0, :2], 0.0, atol=1e-3)


def test_the_same_seed_gives_the_same_poses():
    assert all(
        np.array_equal(a.joints, b.joints) for a, b in zip(draw(5, 20), draw(5, 20), strict=True)
    )


def test_left_and_right_do_the_same_on_average(people):
    knee = bend(people, 1, 2, 3).mean() - bend(people, 4, 5, 6).mean()
    elbow = bend(people, 14, 15, 16).mean() - bend(people, 11, 12, 13).mean()
    assert abs(knee) < 4.0
    assert abs(elbow) < 6.0


def test_depth_is_ambiguous(people):
    """For a camera along y, hands are nearer than the pelvis as often as they are farther."""
    assert abs((people[:, [13, 16], 1] > 0).mean() - 0.5) < 0.04


def test_ranges_are_those_of_motion_capture(people):
    """The bounds are near the 5 and 95 % points of 12,056 CMU poses (knee 19-113, elbow 31-128)."""
    knee = np.concatenate([bend(people, 1, 2, 3), bend(people, 4, 5, 6)])
    elbow = np.concatenate([bend(people, 14, 15, 16), bend(people, 11, 12, 13)])
    assert np.percentile(knee, 5) < 20.0
    assert 90.0 < np.percentile(knee, 95) < 135.0
    assert np.percentile(elbow, 5) < 31.0
    assert 115.0 < np.percentile(elbow, 95) < 150.0
    trunk = people[:, 8] - people[:, 0]
    tilt = np.degrees(np.arccos(trunk[:, 2] / np.linalg.norm(trunk, axis=1)))
    assert 5.0 < np.median(tilt) < 14.0


def test_face_and_feet_point_to_the_front_of_a_walker():
    for pose in draw(6, 30, 'walking'):
        assert pose.forward @ pose.face > 0.2
        assert (pose.feet @ pose.forward > 0.0).all()
        left = pose.joints[H36M17.index('left_hip')] - pose.joints[H36M17.index('right_hip')]
        assert np.cross(left / np.linalg.norm(left), (0, 0, 1)) @ pose.forward > 0.9


def test_feet_are_flat_when_standing():
    assert max(abs(pose.feet[:, 2]).max() for pose in draw(7, 20, 'standing')) < 0.05


def test_mirror_twice_is_the_identity():
    (pose,) = draw(8, 1)
    again = poses.mirror(poses.mirror(pose))
    for name in ('joints', 'pelvis', 'chest', 'head', 'feet', 'support'):
        np.testing.assert_array_equal(getattr(again, name), getattr(pose, name))


def test_axes_are_right_handed_after_a_mirror():
    for pose in draw(9, 10):
        for axes in (pose.pelvis, pose.chest, pose.head):
            np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
            assert np.linalg.det(axes) > 0


@pytest.mark.parametrize('side', [0, 1])
def test_leg_angles_are_measured_as_they_were_set(side):
    figure = kinematics.Figure(body(), kinematics.rotation(10.0, 5.0, 20.0))
    figure.set_trunk()
    figure.set_leg(0, 0.0, 0.0, 0.0, 5.0)
    figure.set_leg(1, 0.0, 0.0, 0.0, 5.0)
    figure.set_leg(side, 50.0, 20.0, 30.0, 70.0)
    measured = joint_limits.leg_angles(poses.settle(figure, ()), side)
    np.testing.assert_allclose(measured, (50.0, 20.0, 30.0, 70.0), atol=1e-6)


def posed(arm=(0, 12, 0, 20), leg=(0, 3, 5, 5), neck=0.0, proportions=None) -> kinematics.Pose:
    """An upright pose with these angles of the right arm and of the right leg."""
    figure = kinematics.Figure(proportions or body(), np.eye(3))
    figure.set_trunk(neck=(neck, 0.0, 0.0))
    figure.set_arm(0, *arm)
    figure.set_arm(1, 0.0, 12.0, 0.0, 20.0)
    figure.set_leg(0, *leg)
    figure.set_leg(1, 0.0, 3.0, 5.0, 5.0)
    return poses.settle(figure, kinematics.ANKLE)


@pytest.mark.parametrize(
    ('pose', 'reason'),
    [
        (posed(), None),
        (posed(arm=(-120, 10, 0, 20)), 'shoulder elevation'),
        (posed(arm=(0, 12, 0, 170)), 'elbow'),
        (posed(leg=(-50, 0, 0, 20)), 'hip flexion'),
        (posed(leg=(0, -45, 0, 5)), 'hip abduction'),
        (posed(leg=(20, 0, -80, 90)), 'hip turn'),
        (posed(neck=80.0), 'neck flexion'),
        (posed(arm=(0, 10, -80, 80)), 'trunk'),
        (posed(leg=(0, -15, 0, 5)), 'limbs'),
    ],
)
def test_impossible_poses_are_named(pose, reason):
    assert poses.violation(pose) == reason


def test_someone_far_off_the_feet_falls():
    figure = kinematics.Figure(body(), kinematics.rotation(45.0))
    figure.set_trunk()
    for side in (0, 1):
        figure.set_leg(side, 0.0, 3.0, 5.0, 5.0)
        figure.set_arm(side, 0.0, 12.0, 0.0, 20.0)
    assert joint_limits.imbalance(poses.settle(figure, kinematics.ANKLE)) > 300.0


def test_unknown_activity_is_an_error():
    with pytest.raises(UserError, match="nearest is 'lying'"):
        poses.sample_pose(np.random.default_rng(0), 'flying', body())

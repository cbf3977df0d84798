"""Motion is smooth, keeps bones and the weight-bearing foot, and follows what was recorded."""

import numpy as np
import pytest
from scipy import interpolate

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import articulation, motion, poses, recorded_motion
from data_pipeline.datasets.synthetic.joint_limits import CLEARANCE
from data_pipeline.datasets.synthetic.kinematics import ANKLE
from data_pipeline.datasets.synthetic.motion_capture import MotionCapture

PROPORTIONS = poses.sample_proportions(np.random.default_rng(5))
FPS = 25.0


def moving(activity, seed=0, frames=50):
    return motion.sample_motion(np.random.default_rng(seed), PROPORTIONS, frames, FPS, activity)


def lengths(joints):
    return np.stack(
        [np.linalg.norm(joints[..., a, :] - joints[..., b, :], axis=-1) for a, b in H36M17.bones]
    )


@pytest.fixture(scope='module')
def motions():
    """One motion of each activity."""
    return {activity: moving(activity) for activity in poses.ACTIVITIES}


def test_bones_keep_their_lengths(motions):
    for activity, one in motions.items():
        spread = np.ptp(lengths(one.joints), axis=1)
        assert spread.max() < 1e-2, activity  # mm


def test_people_move_as_fast_as_people(motions):
    for activity, one in motions.items():
        velocity = np.diff(one.joints, axis=0) * FPS / 1000
        acceleration = np.diff(velocity, axis=0) * FPS
        assert np.linalg.norm(velocity, axis=-1).max() < 10, activity
        assert np.linalg.norm(acceleration, axis=-1).max() < 150, activity
        assert np.linalg.norm(velocity, axis=-1).max() > 0.1, activity


def test_nobody_sinks_into_the_floor_or_hovers(motions):
    for activity, one in motions.items():
        lowest = (one.joints[..., 2] - CLEARANCE).min(1)
        assert lowest.min() > -25, activity
        assert lowest.max() < 60, activity


def test_the_foot_with_the_weight_stays_where_it_is():
    joints = moving('walking', frames=100).joints
    ankles = joints[:, list(ANKLE)]
    steps = np.linalg.norm(np.diff(ankles[..., :2], axis=0), axis=-1)
    height = (ankles[1:, :, 2] + ankles[:-1, :, 2]) / 2
    standing = steps[np.arange(len(steps)), height.argmin(1)]
    other = steps[np.arange(len(steps)), height.argmax(1)]
    assert np.median(standing) < 0.25 * np.median(other)


def test_a_walk_gets_on():
    joints = moving('walking', frames=100).joints
    way = np.linalg.norm(np.diff(joints[:, 0, :2], axis=0), axis=-1).sum() / 1000
    assert 0.4 < way / 4.0 < 2.5  # metres a second


def test_who_sits_keeps_the_seat(motions):
    assert np.ptp(motions['sitting'].joints[:, 0], axis=0).max() < 1e-6


def test_the_same_numbers_give_the_same_motion():
    np.testing.assert_array_equal(moving('reaching').joints, moving('reaching').joints)


def test_an_articulation_gives_its_pose_back():
    pose = poses.possible_pose(np.random.default_rng(0), 'crouching', PROPORTIONS)
    one = articulation.of_pose(pose)
    joints, axes, feet = articulation.place(
        one.parts[None], one.directions[None], articulation.bone_lengths(pose)
    )
    np.testing.assert_allclose(joints[0], pose.joints - pose.joints[0], atol=1e-3)
    np.testing.assert_allclose(axes[0], np.stack([pose.pelvis, pose.chest, pose.head]), atol=1e-6)
    np.testing.assert_allclose(feet[0], pose.feet, atol=1e-6)


def test_vectors_and_rotations_are_inverse():
    vectors = np.random.default_rng(0).normal(0, 0.8, (50, 3))
    result = articulation.vectors_of(articulation.rotations(vectors))
    np.testing.assert_allclose(result, vectors, atol=1e-6)


def test_shortest_turns_lead_to_the_end():
    start, end = np.random.default_rng(0).normal(size=(2, 50, 3))
    start, end = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (start, end))
    turns = articulation.rotations(articulation.shortest_turns(start, end))
    np.testing.assert_allclose(np.einsum('nab,nb->na', turns, start), end, atol=1e-9)


# --- recordings


def recorded(rate=10.0, count=30, step=100.0):
    """A recording of a pose that is carried along x, `step` mm from pose to pose."""
    pose = poses.possible_pose(np.random.default_rng(0), 'standing', PROPORTIONS).joints
    joints = pose + np.arange(count)[:, None, None] * np.array([step, 0, 0])
    return MotionCapture(joints.astype(np.float32), np.full(count, 'one'), {'one': rate})


def sampled(capture, frames=25, fps=FPS):
    recordings = recorded_motion.recordings_of([capture])
    return recorded_motion.sample(np.random.default_rng(0), recordings, PROPORTIONS, frames, fps)


def test_a_recording_is_played_at_its_own_speed():
    one = sampled(recorded())
    speed = np.linalg.norm(np.diff(one.joints[:, 0], axis=0), axis=-1) * FPS
    np.testing.assert_allclose(speed, 1000, rtol=0.01)  # mm a second
    assert (one.activity, one.flies) == ('one', True)


def test_the_curve_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=(9, 4))
    times = np.linspace(0, 8, 50)
    expected = interpolate.Akima1DInterpolator(np.arange(9), values, method='makima')(times)
    np.testing.assert_allclose(recorded_motion.curve(values, times), expected, atol=1e-9)


def test_a_recording_gets_the_bones_of_the_person():
    expected = PROPORTIONS.bone_lengths[[child for _, child in H36M17.bones]]
    np.testing.assert_allclose(lengths(sampled(recorded()).joints)[:, 3], expected, rtol=1e-4)


def test_a_recording_is_cut_where_poses_are_missing():
    capture = recorded()
    capture.joints[12:] += np.float32([5000, 0, 0])
    pieces = recorded_motion.recordings_of([capture])
    assert [len(piece.joints) for piece in pieces] == [12, 18]


def test_two_poses_between_gaps_make_no_curve():
    capture = recorded()
    capture.joints[12:] += np.float32([5000, 0, 0])
    capture.joints[14:] += np.float32([5000, 0, 0])
    pieces = recorded_motion.recordings_of([capture])
    assert [len(piece.joints) for piece in pieces] == [12, 16]


def test_a_recording_without_a_rate_is_refused():
    capture = recorded()
    with pytest.raises(UserError, match='how many poses a second'):
        recorded_motion.recordings_of([MotionCapture(capture.joints, capture.clips)])


def test_a_recording_that_is_too_short_is_refused():
    with pytest.raises(UserError, match=r'last 4\.00 s, .* lasts 2\.90 s: lower'):
        sampled(recorded(), frames=101)

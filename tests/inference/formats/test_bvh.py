"""BVH files, read by the library bvhio and by the reader of motion capture, which is other code."""

import dataclasses
import warnings

import numpy as np
import pytest

from capf_jax.inference.formats import bvh
from capf_jax.pose import skeletons
from data_pipeline.datasets.synthetic import bvh_format
from tests.inference.formats.moving import Y_UP, moving, with_gap

with warnings.catch_warnings():
    # It imports a library of its own by an older name.
    warnings.simplefilter('ignore', PendingDeprecationWarning)
    import bvhio


def read(path, skeleton=skeletons.H36M17):
    """[T, J, 3] metres of the joints after forward kinematics by this repository's own reader."""
    header, _, motion = path.read_text().partition('MOTION')
    joints = bvh_format.read_hierarchy(header)
    values, _ = bvh_format.read_motion(motion, sum(len(joint.channels) for joint in joints))
    places, _ = bvh_format.place_joints(joints, values)
    names = [joint.name for joint in joints]
    return places[:, [names.index(joint) for joint in skeleton.joints]]


def test_bvhio_finds_the_joints_where_they_are(tmp_path):
    one = moving(length=3)
    bvh.write(tmp_path / 'a.bvh', one, None)
    root = bvhio.readAsHierarchy(str(tmp_path / 'a.bvh'))
    for frame in range(3):
        root.loadPose(frame)
        for joint, name in enumerate(skeletons.H36M17.joints):
            place = np.array(root.filter(name, isEqual=True)[0].PositionWorld)
            np.testing.assert_allclose(place, one.joints3d[0, frame, joint] * Y_UP, atol=1e-5)


def test_bvhio_reads_frames_and_rate(tmp_path):
    bvh.write(tmp_path / 'a.bvh', moving(length=3), None)
    content = bvhio.readAsBvh(str(tmp_path / 'a.bvh'))
    assert content.FrameCount == 3
    assert content.FrameTime == pytest.approx(0.1)


@pytest.mark.parametrize('skeleton', skeletons.SKELETONS.values(), ids=lambda one: one.name)
def test_every_skeleton_keeps_its_joints(tmp_path, skeleton):
    one = moving(skeleton.name)
    bvh.write(tmp_path / 'a.bvh', one, None)
    joints = read(tmp_path / 'a.bvh', skeleton)
    np.testing.assert_allclose(joints, one.joints3d[0] * Y_UP, atol=1e-5)


def test_where_bones_change_their_lengths_joints_are_off_by_no_more_than_these(tmp_path):
    one = moving()
    skeleton, random = skeletons.H36M17, np.random.default_rng(5)
    noisy = one.joints3d + 0.02 * random.normal(size=one.joints3d.shape)
    bvh.write(tmp_path / 'a.bvh', dataclasses.replace(one, joints3d=noisy), None)
    error = np.linalg.norm(read(tmp_path / 'a.bvh') - noisy[0] * Y_UP, axis=-1)
    steps = np.linalg.norm(noisy[0] - noisy[0][:, list(skeleton.parents)], axis=-1)
    bound = np.abs(steps - np.median(steps, axis=0))
    for parent, child in skeleton.bones:  # Parents stand before their children in this skeleton.
        bound[:, child] += bound[:, parent]
    assert (error <= bound + 1e-5).all()
    assert error.max() > 0.01


def test_a_bone_that_turns_right_round_keeps_its_joint(tmp_path):
    # In the rest pose the shank points down; here it points up, where there is no shortest way.
    one = moving(length=2)
    joints = one.joints3d.copy()
    knee, ankle = (skeletons.H36M17.index(f'left_{name}') for name in ('knee', 'ankle'))
    thigh = joints[0, :, knee] - joints[0, :, skeletons.H36M17.index('left_hip')]
    joints[0, :, ankle] = joints[0, :, knee] - thigh
    bvh.write(tmp_path / 'a.bvh', dataclasses.replace(one, joints3d=joints), None)
    np.testing.assert_allclose(read(tmp_path / 'a.bvh'), joints[0] * Y_UP, atol=1e-5)


def test_a_gap_is_crossed_evenly_and_poses_are_held_at_both_ends(tmp_path):
    still = moving()
    still = dataclasses.replace(still, joints3d=np.repeat(still.joints3d[:, :1], 12, axis=1))
    shifts = np.arange(12)[None, :, None, None] * np.array([0.1, 0, 0])
    one = dataclasses.replace(still, joints3d=still.joints3d + shifts)
    one = with_gap(with_gap(one, 0, 2), 4, 7)
    bvh.write(tmp_path / 'a.bvh', one, None)
    root = read(tmp_path / 'a.bvh')[:, 0, 0]
    start = still.joints3d[0, 0, 0, 0]
    expected = start + 0.1 * np.maximum(np.arange(12), 2)
    np.testing.assert_allclose(root, expected, atol=1e-5)


def test_uneven_times_become_even(tmp_path):
    one = moving(length=4)
    joints = np.repeat(one.joints3d[:, :1], 4, axis=1)
    times = np.array([0.0, 0.1, 0.2, 0.6])
    joints = joints + times[None, :, None, None] * np.array([1.0, 0, 0])
    bvh.write(tmp_path / 'a.bvh', dataclasses.replace(one, joints3d=joints, times=times), None)
    steps = np.diff(read(tmp_path / 'a.bvh')[:, 0, 0])
    np.testing.assert_allclose(steps, 0.2, atol=1e-5)


def test_a_photograph_is_one_frame(tmp_path):
    one = moving(length=1)
    bvh.write(tmp_path / 'a.bvh', one, None)
    np.testing.assert_allclose(read(tmp_path / 'a.bvh'), one.joints3d[0] * Y_UP, atol=1e-5)

"""Motion-capture files are read, divided into splits and fitted to bodies, or are refused."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import motion_capture, poses

PARENT, CHILD = (list(side) for side in zip(*H36M17.bones, strict=True))

# The figure has y up and faces z. Its thigh is 4 and its shank 5 units long, and the neck is 5
# units above the pelvis.
LIMB = """
JOINT {side}UpLeg {{ OFFSET {x} 0 0 CHANNELS 3 Zrotation Yrotation Xrotation
 JOINT {side}Leg {{ OFFSET 0 -4 0 CHANNELS 3 Zrotation Yrotation Xrotation
  JOINT {side}Foot {{ OFFSET 0 -5 0 CHANNELS 3 Zrotation Yrotation Xrotation
   End Site {{ OFFSET 0 0 1 }} }} }} }}
"""
ARM = """
JOINT {side}Shoulder {{ OFFSET {x} 0 0 CHANNELS 3 Zrotation Yrotation Xrotation
 JOINT {side}Arm {{ OFFSET {x} 0 0 CHANNELS 3 Zrotation Yrotation Xrotation
  JOINT {side}ForeArm {{ OFFSET 0 -3 0 CHANNELS 3 Zrotation Yrotation Xrotation
   JOINT {side}Hand {{ OFFSET 0 -2 0 CHANNELS 3 Zrotation Yrotation Xrotation
    End Site {{ OFFSET 0 -1 0 }} }} }} }} }}
"""
HIERARCHY = (
    'HIERARCHY ROOT Hips { OFFSET 0 0 0 CHANNELS 6 Xposition Yposition Zposition'
    ' Zrotation Yrotation Xrotation'
    + LIMB.format(side='Left', x=1)
    + LIMB.format(side='Right', x=-1)
    + 'JOINT Neck { OFFSET 0 5 0 CHANNELS 3 Zrotation Yrotation Xrotation'
    + ' JOINT Head { OFFSET 0 1 0 CHANNELS 3 Zrotation Yrotation Xrotation'
    + ' End Site { OFFSET 0 1.5 0 } }'
    + ARM.format(side='Left', x=1)
    + ARM.format(side='Right', x=-1)
    + '} }'
)
CHANNELS = 6 + 3 * 16
LEFT_KNEE_X = 6 + 3 + 2  # The channel of the X rotation of LeftLeg.
UNIT = 890.0 / 9.0  # Millimetres of a unit, since legs are scaled to 890 mm.


def bvh_text(frames: list[list[float]], seconds: float = 0.1) -> str:
    lines = [' '.join(map(str, frame)) for frame in frames]
    return f'{HIERARCHY}\nMOTION\nFrames: {len(frames)}\nFrame Time: {seconds}\n' + '\n'.join(lines)


def frame(**values: float) -> list[float]:
    channels = [0.0] * CHANNELS
    channels[1] = 9.0
    for name, value in values.items():
        channels[{'knee': LEFT_KNEE_X, 'x': 0, 'turn': 4}[name]] = value
    return channels


def body():
    return poses.sample_proportions(np.random.default_rng(0))


def joint(pose: np.ndarray, name: str) -> np.ndarray:
    return pose[H36M17.index(name)]


@pytest.fixture
def npz(tmp_path):
    rng = np.random.default_rng(0)
    joints = np.stack(
        [poses.sample_pose(rng, poses.sample_activity(rng), body()).joints for _ in range(40)]
    )
    arrays = {
        'pose_rel_dmm': np.round((joints - joints[:, :1]) * 10).astype(np.int16),
        'root_mm': np.round(joints[:, 0]).astype(np.int32),
        'clip': np.arange(40, dtype=np.uint16) // 4,
        'clip_names': np.array([f'01_{k:02d}' for k in range(10)]),
    }
    np.savez(tmp_path / 'poses.npz', **arrays)
    return tmp_path / 'poses.npz', arrays, joints


def test_npz_restores_the_world(npz):
    path, _, joints = npz
    loaded = motion_capture.load(path).joints
    assert loaded.dtype == np.float32
    np.testing.assert_allclose(loaded, joints, atol=0.6)


def test_bvh_at_rest_stands_upright_with_z_up(tmp_path):
    (tmp_path / 'rest.bvh').write_text(bvh_text([frame()]))
    (pose,) = motion_capture.load(tmp_path / 'rest.bvh').joints
    np.testing.assert_allclose(joint(pose, 'left_hip'), np.array([1, 0, 9]) * UNIT, rtol=1e-5)
    np.testing.assert_allclose(joint(pose, 'right_ankle'), np.array([-1, 0, 0]) * UNIT, atol=1e-3)
    np.testing.assert_allclose(joint(pose, 'left_wrist'), np.array([2, 0, 9]) * UNIT, rtol=1e-5)
    np.testing.assert_allclose(joint(pose, 'spine'), np.array([0, 0, 9 + 0.476 * 5]) * UNIT)
    assert joint(pose, 'nose')[1] < -50  # The file's z axis is the world's -y axis.
    assert joint(pose, 'head')[2] > joint(pose, 'nose')[2]


def test_bvh_rotations_are_applied(tmp_path):
    (tmp_path / 'bend.bvh').write_text(bvh_text([frame(knee=90.0, x=2.0)]))
    (pose,) = motion_capture.load(tmp_path / 'bend.bvh').joints
    # The shank points down and turns about +x to -z in the file, which is behind the figure.
    np.testing.assert_allclose(
        joint(pose, 'left_ankle'), np.array([3, 5, 5]) * UNIT, rtol=1e-5, atol=1e-3
    )


def test_bvh_is_thinned_to_ten_poses_a_second(tmp_path):
    (tmp_path / 'fast.bvh').write_text(bvh_text([frame()] * 25, seconds=1 / 120))
    assert len(motion_capture.load(tmp_path / 'fast.bvh').joints) == 3


def test_bvh_tells_how_many_poses_a_second_were_read(tmp_path):
    (tmp_path / 'fast.bvh').write_text(bvh_text([frame()] * 25, seconds=1 / 120))
    capture = motion_capture.load(tmp_path / 'fast.bvh', rate=60.0)
    assert len(capture.joints) == 13
    assert capture.rates['fast'] == pytest.approx(60.0)


@pytest.mark.parametrize(
    ('fps', 'rates'), [(25.0, [25.0] * 10), (np.arange(1.0, 11.0), list(np.arange(1.0, 11.0)))]
)
def test_npz_has_one_rate_or_one_for_each_recording(npz, fps, rates):
    path, arrays, _ = npz
    np.savez(path, **arrays, fps=np.float32(fps))
    assert list(motion_capture.load(path).rates.values()) == rates


@pytest.mark.parametrize('fps', [0.0, np.nan, np.ones(3)])
def test_npz_with_senseless_rates_is_refused(npz, fps):
    path, arrays, _ = npz
    np.savez(path, **arrays, fps=np.asarray(fps))
    with pytest.raises(UserError, match='fps must be a positive number'):
        motion_capture.load(path)


def test_retarget_replaces_lengths_and_keeps_directions(npz):
    recorded = motion_capture.load(npz[0]).joints
    target = poses.sample_proportions(np.random.default_rng(9))
    fitted = motion_capture.retarget(recorded, target)
    before, after = (x[:, CHILD] - x[:, PARENT] for x in (recorded, fitted))
    lengths = np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(lengths, np.tile(target.bone_lengths[CHILD], (40, 1)), rtol=1e-4)
    cosine = (before * after).sum(-1) / lengths / np.linalg.norm(before, axis=-1)
    assert cosine.min() > 0.99999


def test_axes_inferred_from_joints_agree_with_the_sampler():
    rng = np.random.default_rng(3)
    for _ in range(60):
        pose = poses.sample_pose(rng, poses.sample_activity(rng), body())
        inferred = motion_capture.pose_from_joints(pose.joints)
        for name in ('pelvis', 'chest', 'head'):
            turned = getattr(pose, name).T @ getattr(inferred, name)
            angle = np.degrees(np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1)))
            assert angle < 30.0, name


def test_clips_do_not_cross_the_split(npz):
    capture = motion_capture.load(npz[0])
    train, test = capture.split('train'), capture.split('test')
    assert set(train.clips)
    assert set(test.clips)
    assert not set(train.clips) & set(test.clips)
    assert len(train.joints) + len(test.joints) == 40


def test_a_single_clip_is_split_in_time(tmp_path):
    (tmp_path / 'walk.bvh').write_text(bvh_text([frame(x=float(k)) for k in range(10)]))
    capture = motion_capture.load(tmp_path / 'walk.bvh')
    last_train = capture.split('train').joints[:, 0, 0].max()
    assert last_train < capture.split('test').joints[:, 0, 0].min()


def test_samples_are_on_the_floor_and_deterministic(npz):
    capture = motion_capture.load(npz[0])
    clip, pose = capture.sample(np.random.default_rng(4), body())
    again = capture.sample(np.random.default_rng(4), body())[1]
    assert clip in capture.clips
    assert 0 < pose.joints[:, 2].min() < 110
    np.testing.assert_array_equal(pose.joints, again.joints)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r'nowhere\.npz does not exist'):
        motion_capture.load(tmp_path / 'nowhere.npz')


def test_unknown_format(tmp_path):
    (tmp_path / 'poses.csv').write_text('1,2')
    with pytest.raises(UserError, match=r'neither \.npz nor \.bvh'):
        motion_capture.load(tmp_path / 'poses.csv')


def damage(arrays: dict, **changes) -> dict:
    return {name: x for name, x in {**arrays, **changes}.items() if x is not None}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'root_mm': None}, 'has no array root_mm'),
        ({'pose_rel_dmm': np.zeros((40, 14, 3), np.int16)}, 'not \\[N, 17, 3\\]'),
        ({'clip': np.full(40, 99)}, 'indices of clip_names'),
        ({'clip': np.full(40, -1)}, 'indices of clip_names'),
        ({'root_mm': np.full((40, 3), np.nan)}, 'pose 0 has a coordinate that is not finite'),
        ({'pose_rel_dmm': np.zeros((40, 17, 3), np.int16)}, 'bone of no length'),
        ({'clip_names': np.array([{}] * 10, object)}, 'is a pickle of Python objects'),
    ],
)
def test_damaged_npz(npz, changes, message):
    path, arrays, _ = npz
    np.savez(path, **damage(arrays, **changes))
    with pytest.raises(UserError, match=message):
        motion_capture.load(path)


def test_a_file_that_is_no_npz(tmp_path):
    (tmp_path / 'poses.npz').write_bytes(b'not a zip')
    with pytest.raises(UserError, match='cannot read poses from'):
        motion_capture.load(tmp_path / 'poses.npz')


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('hello', 'no MOTION section'),
        (bvh_text([frame()])[:-20], 'need 54 numbers'),
        (bvh_text([frame()]).replace('LeftForeArm', 'Stick'), 'no joint is a left forearm'),
        (bvh_text([frame()]).replace('} }\nMOTION', '\nMOTION'), 'not closed'),
        (bvh_text([frame()], seconds=0.0), 'not positive'),
    ],
)
def test_damaged_bvh(tmp_path, text, message):
    (tmp_path / 'bad.bvh').write_text(text)
    with pytest.raises(UserError, match=message):
        motion_capture.load(tmp_path / 'bad.bvh')


def test_real_recordings_are_within_joint_limits(real_samples):
    """Limits that exclude what people do would make sampled poses stiffer than real ones."""
    capture = motion_capture.load(real_samples / 'mocap-cmu-bvh' / 'poses17.npz')
    rng = np.random.default_rng(0)
    reasons = [poses.violation(capture.sample(rng, body())[1]) for _ in range(300)]
    assert reasons.count(None) > 0.75 * len(reasons)

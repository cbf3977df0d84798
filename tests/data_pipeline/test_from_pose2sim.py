"""The Pose2Sim sample becomes a folder of own data."""

import json

import cv2
import numpy as np
import pytest

from capf_jax.pose.skeletons import H36M17
from data_pipeline import from_pose2sim
from data_pipeline.datasets.own_data import annotations, judge

FRAMES = 12


@pytest.fixture
def detections():
    """BODY_25B joints [F, 25, 2] that walk slowly, all detected [F, 25]."""
    random = np.random.default_rng(1)
    start = random.uniform(300, 700, (25, 2))
    return start + np.arange(FRAMES)[:, None, None] * 2.0, np.full((FRAMES, 25), 0.8)


def test_joints_are_derived_from_those_detected(detections):
    joints, _ = from_pose2sim.body_25b_to_h36m17(*detections)
    part = detections[0]
    at = {name: joints[:, H36M17.index(name)] for name in H36M17.joints}
    np.testing.assert_array_equal(at['left_wrist'], part[:, 9])
    np.testing.assert_allclose(at['pelvis'], (part[:, 11] + part[:, 12]) / 2)
    np.testing.assert_allclose(at['spine'], at['pelvis'] + 0.476 * (at['thorax'] - at['pelvis']))
    np.testing.assert_allclose(at['nose'], part[:, 17] + 0.45 * (part[:, 18] - part[:, 17]))


def test_derived_joint_is_as_sure_as_its_least_part(detections):
    part, confidence = detections
    confidence[0, 11] = 0.1
    _, sureness = from_pose2sim.body_25b_to_h36m17(part, confidence)
    assert sureness[0, H36M17.index('pelvis')] == 0.1
    assert sureness[0, H36M17.index('thorax')] == 0.8


def test_missing_joints_are_interpolated(detections):
    part, confidence = detections
    spoiled, confidence[4:6, 3] = part.copy(), 0
    spoiled[4:6, 3] = 0
    np.testing.assert_allclose(from_pose2sim.fill_missing(spoiled, confidence), part)


def test_joint_never_detected_is_an_error(detections):
    part, confidence = detections
    confidence[:, 3] = 0
    with pytest.raises(ValueError, match='joint 3 is not detected in any frame'):
        from_pose2sim.fill_missing(part, confidence)


def test_bystander_is_told_from_the_person(detections):
    part, confidence = detections
    part[7] += 400
    other = from_pose2sim.of_another_person(part, confidence)
    assert np.flatnonzero(other).tolist() == [7]


@pytest.fixture
def sample(tmp_path, detections):
    """A folder like the sample: one camera, one bystander."""
    source = tmp_path / 'sample'
    (source / 'videos').mkdir(parents=True)
    part, confidence = detections
    part[7] += 400
    matrix = np.array([[900.0, 0, 500], [0, 900, 500], [0, 0, 1]])
    joints2d, _ = from_pose2sim.body_25b_to_h36m17(part, confidence)
    depth = 3000.0
    joints3d = np.concatenate([(joints2d - 500) / 900 * depth, joints2d[..., :1] * 0 + depth], -1)
    np.savez(
        source / 'sample.npz',
        openpose_body25b_xyc=np.concatenate([part, confidence[..., None]], -1)[None],
        joints_3d_cam_mm=joints3d[None],
        K=matrix[None],
        dist_k1k2p1p2k3=np.zeros((1, 5)),
    )
    video = cv2.VideoWriter(
        str(source / 'videos/cam01.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 25, (1000, 1000)
    )
    for _ in range(FRAMES):
        video.write(np.zeros((1000, 1000, 3), np.uint8))
    video.release()
    return source


def test_converted_folder_passes_every_check(sample, tmp_path):
    target = tmp_path / 'converted'
    assert from_pose2sim.convert(sample, target) == FRAMES - 1
    content, problems = annotations.read(target)
    problems += judge.check(content, target, max_projection_distance=0.01, skip_bad_images=False)
    assert problems == []
    assert 7 not in [entry.frame for entry in content.entries]


def test_existing_target_is_left_alone(sample, tmp_path):
    target = tmp_path / 'converted'
    target.mkdir()
    (target / 'mine.txt').write_text('kept', encoding='utf-8')
    with pytest.raises(FileExistsError, match='is there already'):
        from_pose2sim.convert(sample, target)
    assert [path.name for path in target.iterdir()] == ['mine.txt']


def test_failure_leaves_nothing_behind(sample, tmp_path):
    (sample / 'videos/cam01.mp4').unlink()
    with pytest.raises(FileNotFoundError):
        from_pose2sim.convert(sample, tmp_path / 'converted')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['sample']


def test_other_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='is not the Pose2Sim sample'):
        from_pose2sim.convert(tmp_path, tmp_path / 'converted')


def test_real_sample_keeps_its_detections(real_samples):
    with np.load(real_samples / 'pose2sim-balancing' / 'sample.npz') as sample:
        content, videos = from_pose2sim.annotate({name: sample[name] for name in sample.files})
        truth = sample['joints_2d_reprojected']
    assert len(content['entries']) == 399
    assert len(videos) == 4
    json.dumps(content, allow_nan=False)
    distances = [
        np.linalg.norm(
            np.array(e['joints2d']) - truth[videos.index(e['video']), e['frame']], axis=1
        )
        for e in content['entries']
    ]
    assert np.median(distances) < 9  # the sample's README: 7 to 8 px

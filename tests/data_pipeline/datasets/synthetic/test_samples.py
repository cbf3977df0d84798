"""A sample depends on its number alone, keeps to its split, and does not reveal the true joints."""

import dataclasses

import cv2
import numpy as np
import pytest

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17_SURFACE
from data_pipeline.datasets.synthetic import poses, samples
from data_pipeline.datasets.synthetic.settings import Settings

CONFIG = Settings(train_size=6, test_size=3, height=48, width=32, supersample=1)


def same(a, b) -> bool:
    pairs = zip(dataclasses.astuple(a), dataclasses.astuple(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_same_sample_whatever_came_before():
    alone = samples.make_sample(CONFIG, 'train', 4)
    samples.make_sample(CONFIG, 'train', 2)
    assert same(samples.make_sample(CONFIG, 'train', 4), alone)


@pytest.mark.parametrize('change', [{'seed': 1}, {'light': 'random'}])
def test_seed_and_light_change_the_pictures(change):
    other = dataclasses.replace(CONFIG, **change)
    assert (
        samples.make_sample(other, 'train', 0).image
        != samples.make_sample(CONFIG, 'train', 0).image
    )


def test_joints_in_3d_project_onto_the_true_2d():
    for index in range(6):
        record = samples.make_sample(CONFIG, 'train', index)
        fx, fy, cx, cy = record.intrinsics
        x, y, z = record.joints3d.T
        projected = np.stack([fx * x / z + cx, fy * y / z + cy], 1)
        np.testing.assert_allclose(projected, record.joints2d_truth, atol=1e-6)


def test_points_of_the_surface_come_after_the_same_joints():
    with_surface = dataclasses.replace(CONFIG, surface=True)
    record = samples.make_sample(with_surface, 'train', 0)
    alone = samples.make_sample(CONFIG, 'train', 0)
    assert record.joints3d.shape == (len(H36M17_SURFACE), 3)
    np.testing.assert_array_equal(record.joints3d[:17], alone.joints3d)


def test_crop_box_does_not_give_the_truth_away():
    """Each crop is shifted and scaled at random even where the detections have no error."""
    faultless = dataclasses.replace(CONFIG, noise_sigma=0.0)
    sizes, shifts = [], []
    for index in range(30):
        record = samples.make_sample(faultless, 'train', index)
        centre, width = crops.joints_box(record.joints2d_truth, (32, 48), samples.BOX_MARGIN)
        sizes.append(np.log((1 + 31 / record.affine[0, 0]) / width))
        middle = crops.apply_affine(crops.invert_affine(record.affine), np.array([[15.5, 23.5]]))
        shifts.append((middle[0] - centre) / width)
    assert np.std(sizes) > 0.04
    assert (np.std(shifts, axis=0) > 0.02).all()


def test_noise_of_the_detections_moves_the_crop():
    """The box is around the detected joints, not around the true ones."""
    noisier = dataclasses.replace(CONFIG, noise_sigma=40.0)
    one, other = (samples.make_sample(config, 'train', 0) for config in (CONFIG, noisier))
    np.testing.assert_array_equal(one.joints2d_truth, other.joints2d_truth)
    assert np.abs(one.affine - other.affine).max() > 0.1


def test_some_joints_are_hidden_but_most_are_seen():
    people = [
        samples.sample_person(np.random.default_rng(seed), CONFIG, 'train') for seed in range(40)
    ]
    assert 0.05 < np.mean([person.detections.hidden for person in people]) < 0.5


def traits(subject, fields):
    """All numbers of some fields of a subject, rounded."""
    values = (getattr(subject, field) for field in fields)
    numbers = (dataclasses.astuple(v) if dataclasses.is_dataclass(v) else v for v in values)
    return tuple(np.round(np.concatenate([np.ravel(n) for n in numbers]), 6).tolist())


@pytest.mark.parametrize(
    'fields', [['name'], ['proportions'], ['girth', 'belly'], ['colours', 'print_colour']]
)
def test_splits_share_no_body_and_no_clothes(fields):
    train, test = (
        {
            subject.name if fields == ['name'] else traits(subject, fields)
            for subject in (samples.subject_of(0, split, i) for i in range(CONFIG.subjects(split)))
        }
        for split in ('train', 'test')
    )
    assert (len(train), len(test)) == (CONFIG.train_subjects, CONFIG.test_subjects)
    assert not train & test


def test_splits_share_no_camera():
    train, test = (
        {tuple(samples.camera_of(0, split, i).position) for i in range(samples.CAMERAS[split])}
        for split in ('train', 'test')
    )
    assert (len(train), len(test)) == (samples.CAMERAS['train'], samples.CAMERAS['test'])
    assert not train & test


@pytest.mark.parametrize('split', ['train', 'test'])
def test_samples_show_the_people_and_cameras_of_their_split(split):
    for index in range(4):
        record = samples.make_sample(CONFIG, split, index)
        assert {name.split('_')[0] for name in (record.subject, record.camera)} == {split}
        assert record.sequence == f'{split}_{index:06d}'


def test_a_body_that_takes_no_pose_does_something_else(monkeypatch):
    plain = poses.sample_pose

    def standing_only(rng, activity, proportions):
        if activity != 'standing':
            raise poses.NoPossiblePoseError(activity)
        return plain(rng, activity, proportions)

    monkeypatch.setattr(poses, 'sample_pose', standing_only)
    monkeypatch.setattr(samples, 'ACTIVITIES_TRIED', 300)
    one, again = (samples.make_sample(CONFIG, 'train', 0) for _ in range(2))
    assert one.action == 'standing'
    assert same(one, again)


def test_no_possible_pose_at_all_is_an_error(monkeypatch):
    monkeypatch.setattr(poses, '_ATTEMPTS', 0)
    with pytest.raises(poses.NoPossiblePoseError, match='in 0 draws; check BodyProportions'):
        samples.make_sample(CONFIG, 'train', 0)


def test_samples_do_not_share_a_pose():
    relative = []
    for index in range(6):
        joints = samples.make_sample(CONFIG, 'train', index).joints3d
        relative.append(joints - joints[0])
    for a in range(6):
        for b in range(a):
            assert np.linalg.norm(relative[a] - relative[b], axis=1).mean() > 0.02


def test_person_is_in_the_picture():
    """The joints are inside the crop, whose pixels vary."""
    record = samples.make_sample(Settings(supersample=1), 'train', 0)
    image = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
    joints = crops.apply_affine(record.affine, record.joints2d_truth)
    inside = (joints > 0) & (joints < [95, 127])
    assert inside.all(1).mean() > 0.9
    assert image.std() > 10


def test_recorded_poses_replace_sampled_ones(tmp_path):
    rng = np.random.default_rng(0)
    subject = samples.subject_of(0, 'train', 0)
    joints = np.stack(
        [poses.sample_pose(rng, 'standing', subject.proportions).joints for _ in range(6)]
    )
    np.savez(
        tmp_path / 'poses.npz',
        pose_rel_dmm=np.rint(10 * (joints - joints[:, :1])).astype(np.int16),
        root_mm=joints[:, 0],
        clip=np.arange(6) // 2,
        clip_names=np.array(['wave', 'bow', 'turn']),
    )
    config = dataclasses.replace(CONFIG, poses=str(tmp_path / 'poses.npz'))
    actions = {
        split: {samples.make_sample(config, split, i).action for i in range(8)}
        for split in ('train', 'test')
    }
    assert actions['train'] | actions['test'] == {'wave', 'bow', 'turn'}
    assert not actions['train'] & actions['test']


def recordings(path, names):
    """Writes a motion-capture file with two poses of each of some clips, and returns its name."""
    rng = np.random.default_rng(0)
    proportions = samples.subject_of(0, 'train', 0).proportions
    joints = np.stack(
        [poses.sample_pose(rng, 'standing', proportions).joints for _ in range(2 * len(names))]
    )
    np.savez(
        path,
        pose_rel_dmm=np.rint(10 * (joints - joints[:, :1])).astype(np.int16),
        root_mm=joints[:, 0],
        clip=np.arange(2 * len(names)) // 2,
        clip_names=np.array(names),
    )
    return str(path)


def test_several_recordings_and_activities_are_mixed(tmp_path):
    files = {
        'a': recordings(tmp_path / 'a.npz', ['a1', 'a2', 'a3']),
        'b': recordings(tmp_path / 'b.npz', ['b1', 'b2', 'b3']),
    }
    config = dataclasses.replace(CONFIG, poses=','.join(files.values()), activities_share=0.5)
    rng = np.random.default_rng(0)
    subject = samples.subject_of(0, 'train', 0)
    actions = {
        split: [samples._pose(rng, config, split, subject)[0] for _ in range(60)]
        for split in ('train', 'test')
    }
    for split in ('train', 'test'):
        activities = [action in poses.ACTIVITIES for action in actions[split]]
        assert 0.3 < np.mean(activities) < 0.7
        clips = set(actions[split]) - set(poses.ACTIVITIES)
        assert {clip[0] for clip in clips} == {'a', 'b'}
    assert not set(actions['train']) & set(actions['test']) - set(poses.ACTIVITIES)

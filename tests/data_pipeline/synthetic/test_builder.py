"""The synthetic dataset: deterministic, honest about its splits, whole or absent."""

import dataclasses

import cv2
import numpy as np
import pytest
from ml_collections import ConfigDict

from data_pipeline import crops
from data_pipeline.synthetic import builder, builder_from_config, poses, samples
from data_pipeline.synthetic.configuration import SyntheticConfig, from_fields

SMALL = {
    'train_size': 6,
    'test_size': 3,
    'height': 48,
    'width': 32,
    'supersample': 1,
    'processes': 1,
}
CONFIG = SyntheticConfig(**SMALL)


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    data = ConfigDict({'dir': str(tmp_path_factory.mktemp('data')), 'builder': SMALL})
    built = builder_from_config(data)
    built.download_and_prepare()
    return built


def same(a, b) -> bool:
    pairs = zip(dataclasses.astuple(a), dataclasses.astuple(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_dataset_holds_every_sample_in_order(prepared):
    for split, size in (('train', 6), ('test', 3)):
        source = prepared.as_data_source(split)
        assert [e['sequence'].decode() for e in source] == [f'{split}_{i:06d}' for i in range(size)]


def test_stored_example_is_the_sample(prepared):
    example = prepared.as_data_source('test')[1]
    record = samples.make_sample(CONFIG, 'test', 1)
    np.testing.assert_array_equal(example['joints3d'], record.joints3d.astype(np.float32))
    assert example['image'].shape == (48, 32, 3)
    assert example['subject'].decode() == record.subject


def test_same_sample_whatever_came_before():
    alone = samples.make_sample(CONFIG, 'train', 4)
    samples.make_sample(CONFIG, 'train', 2)
    assert same(samples.make_sample(CONFIG, 'train', 4), alone)


def test_processes_change_nothing():
    one = list(builder.render_split(CONFIG, 'train'))
    two = list(builder.render_split(dataclasses.replace(CONFIG, processes=2), 'train'))
    assert all(same(a, b) for a, b in zip(one, two, strict=True))
    assert CONFIG.name == dataclasses.replace(CONFIG, processes=2).name


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


def test_crop_box_does_not_give_the_truth_away():
    """Against the true joints' box the crop is shifted and scaled, differently each time."""
    ratios = []
    for index in range(30):
        record = samples.make_sample(CONFIG, 'train', index)
        width = 1 + 31 / record.affine[0, 0]
        true_width = crops.joints_box(record.joints2d_truth, (32, 48), samples.BOX_MARGIN)[1]
        ratios.append(np.log(width / true_width))
    assert np.std(ratios) > 0.04


def test_splits_share_no_person_no_clothes_no_camera():
    people, cameras = [], []
    for split in ('train', 'test'):
        subjects = [samples.subject_of(0, split, i) for i in range(CONFIG.subjects(split))]
        people.append({tuple(s.colours.ravel()) for s in subjects} | {s.name for s in subjects})
        cameras.append(
            {tuple(samples.camera_of(0, split, i).position) for i in range(samples.CAMERAS[split])}
        )
    assert not people[0] & people[1]
    assert not cameras[0] & cameras[1]


def test_samples_do_not_share_a_pose():
    relative = []
    for index in range(6):
        joints = samples.make_sample(CONFIG, 'train', index).joints3d
        relative.append(joints - joints[0])
    for a in range(6):
        for b in range(a):
            assert np.linalg.norm(relative[a] - relative[b], axis=1).mean() > 0.02


def test_person_is_in_the_picture():
    """Where a joint is, the picture is not what it is without the person."""
    record = samples.make_sample(SyntheticConfig(supersample=1), 'train', 0)
    image = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
    joints = crops.apply_affine(record.affine, record.joints2d_truth)
    inside = (joints > 0) & (joints < [95, 127])
    assert inside.all(1).mean() > 0.9
    assert image.std() > 10


def test_different_data_have_different_names():
    names = {
        dataclasses.replace(CONFIG, **change).name
        for change in ({}, {'seed': 1}, {'light': 'random'}, {'jpeg_quality': 90}, {'height': 64})
    }
    assert len(names) == 5


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


def test_unknown_field_is_named():
    with pytest.raises(ValueError, match=r"no field 'hieght'.*nearest is 'height'"):
        from_fields({'hieght': 64})


@pytest.mark.parametrize(
    'fields',
    [
        {'train_size': 0},
        {'light': 'dark'},
        {'noise_sigma': -1.0},
        {'jpeg_quality': 0},
        {'processes': 0},
    ],
)
def test_senseless_fields_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        from_fields(fields)


def test_an_interrupted_build_leaves_no_dataset(tmp_path, monkeypatch):
    data = ConfigDict({'dir': str(tmp_path), 'builder': SMALL})

    def interrupted(config, split, index):
        if index == 3:
            raise KeyboardInterrupt
        return samples.make_sample(config, split, index)

    monkeypatch.setattr(builder, 'make_sample', interrupted)
    built = builder_from_config(data)
    with pytest.raises(KeyboardInterrupt):
        built.download_and_prepare()
    assert not built.data_path.exists()
    assert not list(tmp_path.rglob('*.array_record*'))

"""The synthetic dataset on disk holds every sample in its order, or does not exist."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from data_pipeline.datasets.synthetic import builder_from_config, clips, poses, samples
from data_pipeline.datasets.synthetic.settings import Settings

SMALL = {
    'train_size': 6,
    'test_size': 3,
    'height': 48,
    'width': 32,
    'supersample': 1,
    'processes': 1,
}
CONFIG = Settings(**SMALL)


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    data = ConfigDict({'dir': str(tmp_path_factory.mktemp('data')), 'builder': SMALL})
    built = builder_from_config(data)
    built.download_and_prepare()
    return built


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


def test_an_interrupted_build_leaves_no_dataset(tmp_path, monkeypatch):
    data = ConfigDict({'dir': str(tmp_path), 'builder': SMALL})

    def interrupted(settings, split, index):
        if index == 3:
            raise KeyboardInterrupt
        return samples.make_sample(settings, split, index)

    monkeypatch.setattr(clips, 'make_sample', interrupted)
    built = builder_from_config(data)
    with pytest.raises(KeyboardInterrupt):
        built.download_and_prepare()
    assert not built.data_path.exists()
    assert not list(tmp_path.rglob('*.array_record*'))


@pytest.fixture
def recorded(tmp_path):
    """Builds a dataset of recorded poses from a file with a number of clips."""

    def build(clips):
        rng = np.random.default_rng(0)
        body = poses.sample_proportions(rng)
        joints = np.stack([poses.sample_pose(rng, 'walking', body).joints for _ in range(8)])
        np.savez(
            tmp_path / 'poses.npz',
            pose_rel_dmm=np.rint(10 * joints).astype(np.int16),
            root_mm=np.zeros((8, 3)),
            clip=np.arange(8) % clips,
            clip_names=np.array([f'clip {number}' for number in range(clips)]),
        )
        fields = SMALL | {'poses': str(tmp_path / 'poses.npz')}
        built = builder_from_config(ConfigDict({'dir': str(tmp_path), 'builder': fields}))
        built.download_and_prepare()
        return built

    return build


@pytest.mark.parametrize('clips', [1, 4])
def test_a_single_recording_on_both_sides_is_told(recorded, caplog, clips):
    recorded(clips)
    assert ('holds one clip' in caplog.text) == (clips == 1)

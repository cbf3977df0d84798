"""A video shows one person, room and camera, and its labels say which frame is which."""

import cv2
import numpy as np
import pytest
from ml_collections import ConfigDict

from capf_jax.pose import crops
from configs import base
from data_pipeline import loader
from data_pipeline.datasets.synthetic import builder_from_config, clips
from data_pipeline.datasets.synthetic.clip_samples import make_clip
from data_pipeline.datasets.synthetic.settings import Settings

SMALL = {
    'train_size': 10, 'test_size': 4, 'height': 48, 'width': 36, 'supersample': 1, 'processes': 1,
    'clip_frames': 4,
}  # fmt: skip
SETTINGS = Settings(**SMALL)


@pytest.fixture(scope='module')
def video():
    return list(make_clip(Settings(**SMALL | {'noise_sigma': 0.0}), 'train', 0, 12))


def test_one_person_before_one_camera_does_one_thing(video):
    for name in ('subject', 'action', 'sequence', 'camera'):
        assert len({getattr(record, name) for record in video}) == 1
    assert [record.frame for record in video] == list(range(12))
    assert np.ptp([record.intrinsics for record in video], axis=0).max() == 0


def test_true_joints_lie_on_the_picture(video):
    for record in video:
        ray = record.joints3d[:, :2] / record.joints3d[:, 2:]
        expected = ray * record.intrinsics[:2] + record.intrinsics[2:]
        np.testing.assert_allclose(record.joints2d_truth, expected, atol=1e-3)
        inside = crops.apply_affine(record.affine, record.joints2d_truth)
        assert inside.min() > -12
        assert (inside < np.array([48, 60])).all()


def test_neighbouring_pictures_are_alike_and_distant_ones_less():
    pictures = [
        cv2.imdecode(np.frombuffer(record.image, np.uint8), 1).astype(float)
        for record in make_clip(SETTINGS, 'train', 1, 20)
    ]
    near = np.mean([np.abs(a - b).mean() for a, b in zip(pictures[1:], pictures, strict=False)])
    far = np.mean([np.abs(a - b).mean() for a, b in zip(pictures[9:], pictures, strict=False)])
    assert near < 0.75 * far


def test_a_clip_depends_on_its_number_alone():
    first, again, other = (next(make_clip(SETTINGS, 'test', number, 4)) for number in (0, 0, 1))
    assert first.image == again.image
    assert first.image != other.image


def test_a_split_ends_with_a_shorter_video():
    cut = clips.clips_of(SETTINGS, 'train', samples=5)
    assert [(clip.start, clip.stop) for clip in cut] == [(0, 4), (4, 8), (8, 10)]


def test_built_clips_are_videos_for_windows(tmp_path):
    config = base.get_config()
    config.task, config.data.frames, config.data.threads = 'sequence', 3, 1
    config.training.batch_size = 10
    data = ConfigDict({'dir': str(tmp_path), 'builder': SMALL})
    built = builder_from_config(data)
    built.download_and_prepare()
    batch = next(loader.training_batches(built, config))
    frames = batch.frames.index.reshape(-1, 3)[np.argsort(batch.index)]
    assert frames.tolist() == [
        [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3], [4, 4, 5], [4, 5, 6], [5, 6, 7], [6, 7, 7],
        [8, 8, 9], [8, 9, 9],
    ]  # fmt: skip

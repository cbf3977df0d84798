"""Four real frames, put into a tree of the original formats, built and read back."""

import cv2
import numpy as np
import pytest
import scipy.io

from capf_jax.pose import crops
from data_pipeline import datasets
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree
from tests.data_pipeline.datasets.mpi_inf_3dhp.test_builder import config

TRAIN = (('S4', 'Seq2', 0), ('S8', 'Seq1', 8))
TEST = ('TS1', 'TS2')


@pytest.fixture(scope='module')
def sample(real_samples):
    return np.load(real_samples / 'mpi-inf-3dhp-mmpose' / 'sample.npz')


@pytest.fixture(scope='module')
def built(sample, real_samples, tmp_path_factory):
    """Each frame is the first of its video; annot3 is the target, since the sample has no other."""
    root = tmp_path_factory.mktemp('raw')
    images = [real_samples / 'mpi-inf-3dhp-mmpose' / 'images' / str(n) for n in sample['image']]
    joints2d = sample['joints_2d'].astype(float)
    joints3d = sample['joints_3d_cam_mm'].astype(float)
    for row, (subject, sequence, camera) in enumerate(TRAIN):
        arrays = {name: np.empty((14, 1), object) for name in ('annot2', 'annot3', 'univ_annot3')}
        for number in range(14):
            arrays['annot2'][number, 0] = raw_tree.in_file(joints2d[row, None])
            for name in ('annot3', 'univ_annot3'):
                arrays[name][number, 0] = raw_tree.in_file(joints3d[row, None])
        folder = root / subject / sequence / 'imageFrames' / f'video_{camera}'
        folder.mkdir(parents=True)
        scipy.io.savemat(folder.parents[1] / 'annot.mat', arrays)
        (folder / 'frame_000001.jpg').symlink_to(images[row])
    for row, name in enumerate(TEST, start=2):
        folder = root / name / 'imageSequence'
        folder.mkdir(parents=True)
        (folder / 'img_000001.jpg').symlink_to(images[row])
        arrays = {
            'annot2': joints2d[row, None, None],
            'annot3': joints3d[row, None, None],
            'univ_annot3': joints3d[row, None, None],
            'valid_frame': np.ones((1, 1)),
            'activity_annotation': np.ones((1, 1)),
        }
        raw_tree.write_mat73(folder.parent / 'annot_data.mat', arrays)
    actual = {}
    for subject, sequence, camera in TRAIN:
        chosen = {'subjects': (subject,), 'sequences': (sequence,), 'cameras': (str(camera),)}
        data = config(root, root / 'data', targets='annot3', height=256, width=192, **chosen)
        actual[subject] = datasets.open_or_build(data, build=True).as_data_source('train')[0]
    data = config(root, root / 'data', targets='annot3', height=256, width=192, subjects=TEST)
    tests = datasets.open_or_build(data, build=True).as_data_source('test')
    actual |= dict(zip(TEST, tests, strict=True))
    return [actual[name] for name in ('S4', 'S8', *TEST)]


def test_joints_come_back(built, sample):
    for row, one in enumerate(built):
        truth = sample['joints_3d_cam_mm'][row].astype(float)
        np.testing.assert_allclose(1000 * one['joints3d'].astype(float), truth, atol=0.01)
        np.testing.assert_allclose(one['joints2d_truth'], sample['joints_2d'][row], atol=1e-3)
        fx, fy, cx, cy = one['intrinsics']
        np.testing.assert_allclose(
            [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], sample['K'][row], atol=1e-3
        )


def test_crop_joints_are_those_of_the_published_affine(built, sample):
    """Width (2000 mm at the root's depth) to 192 px, middle 100 mm below the root."""
    for row, one in enumerate(built):
        root, matrix = sample['joints_3d_cam_mm'][row, 14].astype(float), sample['K'][row]
        corners = (root + np.array([[-1000, -900, 0], [1000, 1100, 0]])) @ matrix.T
        first, last = corners[:, :2] / corners[:, 2:]
        scale = 191 / (last[0] - first[0] - 1)
        expected = (sample['joints_2d'][row] - (first + last) / 2) * scale + [95.5, 127.5]
        actual = crops.apply_affine(one['affine'], one['joints2d_truth'])
        np.testing.assert_allclose(actual, expected, atol=0.1)


def test_the_crop_shows_the_pixels_of_the_image(built, sample, real_samples):
    """Crop pixels against the image, sampled by another function; JPEG and its colours aside."""
    for row, one in enumerate(built):
        path = real_samples / 'mpi-inf-3dhp-mmpose' / 'images' / str(sample['image'][row])
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        x, y = np.meshgrid(np.arange(192.0), np.arange(256.0))
        inverse = crops.invert_affine(one['affine'].astype(float))
        at = crops.apply_affine(inverse, np.stack([x, y], axis=-1)).astype(np.float32)
        expected = cv2.remap(image, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        difference = np.abs(expected.astype(int) - one['image'])
        assert difference.mean() < 3

"""Real frames of Human3.6M, written as the authors' label file, built and read back."""

import pickle
import shutil

import cv2
import numpy as np
import pytest
from ml_collections import ConfigDict

from capf_jax.pose import crops
from data_pipeline import datasets, published_cameras
from data_pipeline.datasets.human36m.recordings import Key
from data_pipeline.datasets.human36m.settings import ACTIONS, OTHER_NAMES


@pytest.fixture(scope='module')
def sample(real_samples):
    with np.load(real_samples / 'h36m-mmpose' / 'sample.npz') as arrays:
        return dict(arrays) | {'folder': real_samples / 'h36m-mmpose' / 'images'}


def key_of(sample, i):
    action, _, _ = str(sample['action'][i]).partition('_')
    action = OTHER_NAMES.get(action, action)
    return Key(str(sample['subject'][i]), action, 1, str(sample['camera'][i]))


@pytest.fixture(scope='module')
def boxes(sample):
    """The published box: (centre, width) of docs/method.md around a root joint."""
    return [
        crops.root_box(sample['joints_3d_cam_mm'][i, 0], sample['K'][i][[0, 1, 0, 1], [0, 1, 2, 2]])
        for i in range(4)
    ]


@pytest.fixture(scope='module')
def examples(sample, boxes, tmp_path_factory):
    source, data = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('data')
    entries = []
    for i in range(4):
        key, number = key_of(sample, i), int(sample['frame'][i])
        name = f'{key.video}/{key.video}_{number:06d}.jpg'
        (source / 'images' / key.video).mkdir(parents=True)
        shutil.copy(sample['folder'] / str(sample['image'][i]), source / 'images' / name)
        height, width = sample['image_hw'][i]
        shift = np.array([1, height / width])
        entries.append(
            {
                'image': name,
                'subject': int(key.subject[1:]),
                'action': ACTIONS.index(key.action) + 2,
                'subaction': 1,
                'camera_id': published_cameras.HUMAN36M_CAMERAS.index(key.camera),
                'image_id': number,
                'center': boxes[i][0],
                'scale': boxes[i][1] / 200,
                'joints_3d': sample['joints_3d_cam_mm'][i] / 1000,
                'joints_2d_gt': sample['joints_2d_gt'][i] / width * 2 - shift,
                'joints_2d_cpn': sample['joints_2d_det'][i] / width * 2 - shift,
            }
        )
    (source / 'h36m_train.pkl').write_bytes(pickle.dumps(entries))
    fields = {
        'source': str(source),
        'processes': 1,
        'missing': 'skip',
        'subjects': ('S1', 'S5', 'S7', 'S8'),
    }
    builder = datasets.open_or_build(
        ConfigDict({'name': 'human36m', 'dir': str(data), 'builder': fields}), build=True
    )
    actual = list(builder.as_data_source('train'))
    assert [e['subject'].decode() for e in actual] == sample['subject'].tolist()
    return actual


@pytest.mark.parametrize('i', range(4))
def test_labels_are_the_given_ones(sample, examples, i):
    example, close = examples[i], np.testing.assert_allclose
    close(1000 * example['joints3d'], sample['joints_3d_cam_mm'][i], atol=0.01, rtol=0)
    close(example['joints2d_truth'], sample['joints_2d_gt'][i], atol=1e-3, rtol=0)
    close(example['joints2d_detected'], sample['joints_2d_det'][i], atol=1e-3, rtol=0)
    assert example['image_size'].tolist() == sample['image_hw'][i][::-1].tolist()
    assert example['frame'] == sample['frame'][i] - 1


@pytest.mark.parametrize('i', range(4))
def test_crop_joints_are_where_the_published_affine_puts_them(sample, boxes, examples, i):
    """The affine of docs/method.md by three pairs of points, here from OpenCV's own solver."""
    centre, width = boxes[i]
    middle = np.array([191, 255]) / 2
    right, down = np.array([1.0, 0]), np.array([0, 1.0])
    half, crop_half = (width - 1) / 2, 191 / 2
    affine = cv2.getAffineTransform(
        np.float32([centre, centre + half * right, centre + half * down]),
        np.float32([middle, middle + crop_half * right, middle + crop_half * down]),
    )
    expected = crops.apply_affine(affine, sample['joints_2d_gt'][i])
    actual = crops.apply_affine(examples[i]['affine'], examples[i]['joints2d_truth'])
    np.testing.assert_allclose(actual, expected, atol=0.1, rtol=0)


@pytest.mark.parametrize('i', range(4))
def test_the_crop_shows_what_the_picture_shows(sample, examples, i):
    """A crop turned back into the picture is the picture, but for JPEG and resampling."""
    example = examples[i]
    picture = cv2.imread(str(sample['folder'] / str(sample['image'][i])))
    height, width = picture.shape[:2]
    back = cv2.warpAffine(
        example['image'][..., ::-1],
        example['affine'].astype(float),
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    x, y, w, h = example['box'].round().astype(int)
    inside = np.s_[max(y, 0) + 4 : y + h - 4, max(x, 0) + 4 : x + w - 4]
    blurred = [cv2.GaussianBlur(one, (0, 0), 4).astype(float) for one in (picture, back)]
    assert np.abs(blurred[0] - blurred[1])[inside].mean() < 2

"""Detectors of other programs, on tiny models that take and give what the published ones do."""

import sys

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import onnx_files, other_detectors, person_boxes
from capf_jax.inference.rtmpose import DEVIATION, MEAN, RtmposeDetector
from capf_jax.inference.yolox import YoloxFinder

pytest.importorskip('onnxruntime')
onnx_models = pytest.importorskip('tests.inference.onnx_models')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a model of each kind."""
    path = tmp_path_factory.mktemp('onnx')
    onnx_models.rtmpose(path / 'rtmpose.onnx')
    onnx_models.yolox(path / 'yolox.onnx', rows_of_grid())
    return path


def rows_of_grid():
    """Of a square of 64 pixels: one person twice and one thing, in cells of the coarser grids."""
    rows = np.zeros((84, 85))
    # Cell (1, 2) of the grid of 16 pixels: middle 24, 40, size 20 x 30. Then the same, less sure.
    rows[64 + 2 * 4 + 1, :6] = [0.5, 0.5, np.log(20 / 16), np.log(30 / 16), 1.0, 0.9]
    rows[64 + 2 * 4 + 2, :6] = [-0.4, 0.5, np.log(20 / 16), np.log(30 / 16), 1.0, 0.8]
    rows[80, :4], rows[80, 4], rows[80, 7] = [0.5, 0.5, 0, 0], 1.0, 0.95
    return rows


def test_joints_of_rtmpose_are_where_the_scores_are_largest(folder):
    crops = np.zeros((2, 256, 192, 3), np.uint8)
    crops[0, :, 50, 0], crops[0, 200, :, 2] = 255, 255  # red column, blue row
    crops[1, :, 120, 0], crops[1, 9, :, 2] = 255, 255
    detector = RtmposeDetector.load(folder / 'rtmpose.onnx')
    joints, confidence = detector.joints(crops)
    assert (detector.crop_size, detector.joint_skeleton.name) == ((256, 192), 'coco17')
    np.testing.assert_array_equal(joints[:, 0], [[50, 200], [120, 9]])
    expected = 0.1 * (255 - MEAN) / DEVIATION
    np.testing.assert_allclose(confidence[:, 5], min(expected[0], expected[2]), rtol=0.05)


def test_other_numbers_of_joints_are_other_skeletons(tmp_path):
    body = RtmposeDetector.load(onnx_models.rtmpose(tmp_path / 'a.onnx', 26))
    whole = RtmposeDetector.load(onnx_models.rtmpose(tmp_path / 'b.onnx', 133))
    assert (body.joint_skeleton.name, whole.joint_skeleton.name) == ('halpe26', 'coco17')
    joints, confidence = whole.joints(np.zeros((1, 256, 192, 3), np.uint8))
    assert (joints.shape, confidence.shape) == ((1, 17, 2), (1, 17))


def test_yolox_gives_each_person_once_in_pixels_of_the_picture(folder):
    finder = YoloxFinder.load(folder / 'yolox.onnx')
    picture = np.zeros((128, 96, 3), np.uint8)
    picture[..., 2] = 255  # blue; what the picture does not fill is grey
    boxes, scores = person_boxes.find_boxes(picture, finder)
    # The picture is half as large in the square.
    np.testing.assert_allclose(boxes, [[27.5, 49.5, 40, 60]], atol=1e-3)
    blue = (0.75 * 255 + 0.25 * 114) / 255
    np.testing.assert_allclose(scores, [0.9 * blue], atol=1e-3)
    red, _ = person_boxes.find_boxes(picture[..., ::-1], finder)
    assert len(red) == 0


def test_yolox_without_duplicates_is_read_too(tmp_path):
    rows = np.array([[2, 4, 12, 24, 0.9], [30, 4, 42, 24, 0.8], [0, 0, 5, 60, 0.1]])
    path = onnx_models.yolox_without_duplicates(tmp_path / 'a.onnx', rows, [0, 2, 0])
    people = YoloxFinder.load(path).find(np.zeros((64, 64, 3), np.uint8))
    np.testing.assert_allclose(people.boxes, [[1.5, 3.5, 10, 20]], atol=1e-4)
    np.testing.assert_allclose(people.scores, [0.9], atol=1e-6)


def test_files_are_told_apart_in_any_order(folder):
    paths = [str(folder / 'yolox.onnx'), str(folder / 'rtmpose.onnx')]
    for order in (paths, paths[::-1]):
        detector, finder = other_detectors.load('rtmpose', order)
        assert (detector.path, finder.path) == (paths[1], paths[0])
    assert other_detectors.load('rtmpose', paths[1:])[1] is None


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        (['yolox.onnx'], 'must be one file of RTMPose'),
        (['rtmpose.onnx', 'damaged.onnx'], 'is no ONNX model'),
        (['rtmpose.onnx', 'nothing.onnx'], 'there is no ONNX file'),
    ],
)
def test_other_files_are_refused(folder, names, message):
    (folder / 'damaged.onnx').write_bytes(b'damaged')
    with pytest.raises((UserError, FileNotFoundError), match=message):
        other_detectors.load('rtmpose', [str(folder / name) for name in names])


def test_the_missing_extra_is_one_sentence(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)  # as where it is not installed
    with pytest.raises(UserError, match=r'pip install -r requirements-onnx\.txt'):
        onnx_files.open_session(folder / 'rtmpose.onnx')

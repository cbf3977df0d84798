"""Finders compared, on people of dots."""

import json

import cv2
import numpy as np
import pytest

from benchmarks import finders
from benchmarks.finders import Scene, Score
from capf_jax.inference.photograph_camera import PhotographCamera
from tests.benchmarks.test_photographs import joints as joints  # fixtures
from tests.benchmarks.test_photographs import models as models
from tests.benchmarks.test_photographs import samples as samples


@pytest.fixture
def scene(samples):
    """The picture of dots."""
    sample = samples[0]
    first, last = sample.joints2d.min(0), sample.joints2d.max(0)
    return Scene(
        cv2.imread(str(sample.picture))[..., ::-1].copy(),
        PhotographCamera(sample.camera, False, 'the set'),
        np.concatenate([first, last - first])[None],
        [sample.joints2d],
        sample.joints3d[None] - sample.joints3d[None, :1],
    )


def test_a_box_that_is_off_is_mended_by_the_joints(scene, models):
    side = scene.boxes[0, 2:].max()
    moved = scene.boxes + np.array([0.1 * side, 0, 0, 0])
    boxes = np.concatenate([moved, [[0, 0, 9, 9]]])
    numbers = {}
    for refined in (False, True):
        score = Score()
        finders.add(score, scene, boxes, models, refined)
        hits, people, nobody, *off, mpjpe, _ = score.row()
        assert (hits, people, nobody) == (1, 1, 1)
        numbers[refined] = [*off, mpjpe]
    assert numbers[False][0] == pytest.approx(8, rel=0.1)  # the crop is 1.25 times the box
    assert numbers[True][0] < 1
    assert numbers[True][2] < numbers[False][2]


def test_who_is_not_found_is_not_scored(scene, models):
    score = Score()
    finders.add(score, scene, np.zeros((0, 4)), models, True)
    assert score.row() == [0, 1, 0, None, None, None, None]


def test_pictures_of_coco_are_read(tmp_path):
    (tmp_path / 'coco-mmpose' / 'images').mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'coco-mmpose' / 'images' / 'a.png'), np.zeros((40, 60, 3), np.uint8))
    people = [
        {'image_id': 7, 'num_keypoints': 2, 'bbox': [1, 2, 30, 20],
         'keypoints': [5, 6, 2, 20, 15, 1, *[0] * 45]},
        {'image_id': 7, 'num_keypoints': 0, 'bbox': [1, 2, 3, 4], 'keypoints': [0] * 51},
    ]  # fmt: skip
    labels = {'images': [{'id': 7, 'file_name': 'a.png'}], 'annotations': people}
    (tmp_path / 'coco-mmpose' / 'test_coco.json').write_text(json.dumps(labels))
    (scene,) = finders.scenes(tmp_path, finders.COCO, 1)
    np.testing.assert_array_equal(scene.boxes, [[1, 2, 30, 20]])
    np.testing.assert_array_equal(scene.joints2d[0], [[5, 6], [20, 15]])
    assert scene.poses is None

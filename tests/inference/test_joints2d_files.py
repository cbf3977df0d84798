"""Files of 2D joints: four forms, one content."""

import json

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import given_joints, joints2d_files


def joints(seed, number=17):
    """[J, 2] pixels, to a tenth."""
    return np.random.default_rng(seed).uniform(10, 400, (number, 2)).round(1)


def triples(places, confidence=0.5):
    return np.concatenate([places, np.full((len(places), 1), confidence)], axis=1)


def write(tmp_path, content):
    path = tmp_path / 'joints.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_own_data(tmp_path):
    content = {
        'skeleton': 'h36m17',
        'cameras': {'left': {'fx': 1000, 'fy': 1001, 'cx': 500, 'cy': 400}},
        'entries': [
            {'image': 'images/a.jpg', 'joints2d': joints(0).tolist(), 'camera': 'left'},
            {'image': 'images/a.jpg', 'joints2d': triples(joints(1)).tolist()},
            {
                'image': 'images/b.jpg',
                'joints2d': joints(2).tolist(),
                'confidence': [0.25] * 17,
                'box': [1, 2, 3, 4],
            },
        ],
    }
    file = joints2d_files.read(write(tmp_path, content))
    people = file.of_picture('/anywhere/images/a.jpg')
    assert (people.skeleton, people.camera, people.boxes) == ('h36m17', 'left', None)
    np.testing.assert_allclose(people.joints, [joints(0), joints(1)])
    np.testing.assert_allclose(people.confidence, [[1.0] * 17, [0.5] * 17])
    one = file.of_picture('b.jpg')
    np.testing.assert_allclose(one.boxes, [[1, 2, 3, 4]])
    np.testing.assert_allclose(one.confidence, 0.25)
    np.testing.assert_allclose(file.cameras['left'].intrinsics, [1000, 1001, 500, 400])


def test_annotations_of_coco(tmp_path):
    hidden = triples(joints(0), 2)
    hidden[3] = 0
    content = {
        'images': [{'id': 7, 'file_name': 'a.jpg'}, {'id': 8, 'file_name': 'b.jpg'}],
        'annotations': [
            {'image_id': 7, 'keypoints': hidden.ravel().tolist(), 'bbox': [5, 6, 7, 8]},
            {'image_id': 7, 'keypoints': [0] * 51, 'bbox': [1, 1, 1, 1]},
        ],
    }
    file = joints2d_files.read(write(tmp_path, content))
    people = file.of_picture('a.jpg')
    assert people.skeleton == 'coco17'
    np.testing.assert_array_equal(people.confidence[0], [1, 1, 1, 0] + [1] * 13)
    np.testing.assert_array_equal(people.joints[0, 3], joints(0)[1])  # the left eye's for the ear
    np.testing.assert_array_equal(people.boxes, [[5, 6, 7, 8]])
    assert len(file.of_picture('b.jpg')) == 0


@pytest.mark.parametrize('keypoints', [{}, {'keypoints': None}, {'keypoints': []}])
def test_annotations_of_boxes_alone_are_passed_over(tmp_path, keypoints):
    content = {
        'images': [{'id': 7, 'file_name': 'a.jpg'}],
        'annotations': [
            {'image_id': 7, 'bbox': [1, 1, 1, 1], **keypoints},
            {'image_id': 7, 'keypoints': triples(joints(0, 26)).ravel().tolist()},
        ],
    }
    people = joints2d_files.read(write(tmp_path, content)).of_picture('a.jpg')
    assert people.skeleton == 'halpe26'
    np.testing.assert_allclose(people.joints, [joints(0, 26)])


@pytest.mark.parametrize(('number', 'skeleton'), [(17, 'coco17'), (26, 'halpe26')])
def test_results_of_alphapose(tmp_path, number, skeleton):
    content = [
        {'image_id': 'a.jpg', 'keypoints': triples(joints(0, number)).ravel().tolist()},
        {'image_id': 785, 'keypoints': triples(joints(1, number)).ravel().tolist()},
    ]
    file = joints2d_files.read(write(tmp_path, content))
    assert file.skeleton == skeleton
    np.testing.assert_allclose(file.of_picture('x/a.jpg').joints, [joints(0, number)])
    np.testing.assert_allclose(file.of_picture('000000000785.jpg').joints, [joints(1, number)])


def test_openpose(tmp_path):
    content = {'people': [{'pose_keypoints_2d': triples(joints(0, 25)).ravel().tolist()}]}
    people = joints2d_files.read(write(tmp_path, content)).of_picture('whatever.png')
    assert people.skeleton == 'body_25'
    np.testing.assert_allclose(people.joints, [joints(0, 25)])


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('{', 'is not JSON'),
        ({'skeleton': 'h36m17'}, 'in no form that is known'),
        ({'skeleton': 'coco18', 'entries': []}, "the nearest is 'coco17'"),
        ({'skeleton': 'h36m17', 'entries': [{'image': 'a.jpg'}]}, 'is not whole'),
        (
            {'skeleton': 'h36m17', 'entries': [{'image': 'a.jpg', 'joints2d': [[1, 2]] * 16}]},
            r'needs \[17, 2\]',
        ),
        (
            {'skeleton': 'h36m17', 'entries': [{'video': 'a.mp4', 'joints2d': [[1, 2]] * 17}]},
            'videos are not read',
        ),
        (
            {'skeleton': 'h36m17', 'entries': [{'image': 'a', 'joints2d': [[1, None]] * 17}]},
            'NaN or infinity',
        ),
        (
            {'skeleton': 'h36m17', 'entries': [{'image': 'a', 'joints2d': [[1, 'x']] * 17}]},
            'no numbers',
        ),
        ([{'image_id': 'a.jpg', 'keypoints': [1, 2, 3] * 18}], 'people of 18 joints'),
        ([{'image_id': 'a.jpg', 'keypoints': [1, 2, 3] * 17 + [1]}], 'three numbers'),
        ([{'image_id': 7, 'bbox': [1, 2, 3, 4]}], 'no 2D joints .* of anyone, boxes alone'),
        (
            {'images': [], 'annotations': [{'image_id': 7, 'keypoints': None}]},
            'no 2D joints .* of anyone, boxes alone',
        ),
        (
            {'images': [], 'annotations': [{'image_id': 7, 'keypoints': [1, 2, 3] * 17}]},
            "annotation 0 is of the image 7, which is none of the file's images",
        ),
        ({'annotations': []}, "it lacks 'images'"),
        ({'images': [], 'annotations': None}, 'is of another kind than the form has'),
    ],
)
def test_other_content_is_refused(tmp_path, content, sentence):
    with pytest.raises(UserError, match=sentence):
        joints2d_files.read(write(tmp_path, content))


def test_a_picture_that_the_file_does_not_name(tmp_path):
    file = joints2d_files.read(write(tmp_path, [{'image_id': 'a.jpg', 'keypoints': [1] * 51}]))
    with pytest.raises(UserError, match=r'no 2D joints of b\.jpg: its pictures are a\.jpg'):
        file.of_picture('b.jpg')


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='no file of 2D joints'):
        joints2d_files.read(tmp_path / 'a.json')


def test_arrays_are_checked():
    with pytest.raises(UserError, match='must be'):
        given_joints.given(joints(0))
    people = given_joints.given([joints(0)], skeleton='h36m17')
    np.testing.assert_array_equal(people.confidence, np.ones((1, 17)))

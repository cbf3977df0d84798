"""Files of 2D joints say their skeleton by the names of the joints, or the user says it."""

import json

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import joints2d_files, joints2d_folders
from capf_jax.pose import skeletons

MMPOSE_H36M = [
    'root (pelvis)', 'left_hip', 'left_knee', 'left_foot', 'right_hip', 'right_knee',
    'right_foot', 'spine', 'thorax', 'neck_base', 'head', 'left_shoulder', 'left_elbow',
    'left_wrist', 'right_shoulder', 'right_elbow', 'right_wrist',
]  # fmt: skip
OPENPOSE = [
    'Nose', 'Neck', 'RShoulder', 'RElbow', 'RWrist', 'LShoulder', 'LElbow', 'LWrist', 'MidHip',
    'RHip', 'RKnee', 'RAnkle', 'LHip', 'LKnee', 'LAnkle', 'REye', 'LEye', 'REar', 'LEar',
    'LBigToe', 'LSmallToe', 'LHeel', 'RBigToe', 'RSmallToe', 'RHeel',
]  # fmt: skip
HALPE = [
    name.replace('pelvis', 'hip').replace('head_top', 'head') for name in skeletons.HALPE26.joints
]
COCO = list(skeletons.COCO17.joints)


def joints(number):
    """[J, 2] pixels, to a tenth."""
    return np.random.default_rng(0).uniform(10, 400, (number, 2)).round(1)


def annotations(names, number=None, **category):
    """COCO's annotations of one person, whose joints are called so."""
    number = number or len(names)
    keypoints = np.concatenate([joints(number), np.full((number, 1), 2)], axis=1)
    return {
        'images': [{'id': 1, 'file_name': 'a.jpg'}],
        'annotations': [{'image_id': 1, 'category_id': 1, 'keypoints': keypoints.ravel().tolist()}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': names, **category}],
    }


def read(tmp_path, content, skeleton=''):
    path = tmp_path / 'joints.json'
    path.write_text(json.dumps(content))
    return joints2d_files.read(path, skeleton).of_picture('a.jpg')


@pytest.mark.parametrize(
    ('names', 'skeleton'),
    [
        (COCO, 'coco17'),
        ([name.replace('_', ' ').title() for name in COCO], 'coco17'),
        (list(skeletons.H36M17.joints), 'h36m17'),
        (MMPOSE_H36M, 'h36m17'),
        (HALPE, 'halpe26'),
        (OPENPOSE, 'body_25'),
    ],
)
def test_the_names_of_the_joints_tell_the_skeleton(tmp_path, names, skeleton):
    people = read(tmp_path, annotations(names))
    assert people.skeleton == skeleton
    np.testing.assert_array_equal(people.joints, [joints(len(names))])


def test_joints_in_another_order_are_put_in_that_of_the_skeleton(tmp_path):
    people = read(tmp_path, annotations(COCO[::-1]))
    assert people.skeleton == 'coco17'
    np.testing.assert_array_equal(people.joints, [joints(17)[::-1]])


def test_a_category_of_nobody_does_not_count(tmp_path):
    content = annotations(COCO)
    content['categories'].insert(0, {'id': 2, 'name': 'cow', 'keypoints': ['horn', 'tail']})
    assert read(tmp_path, content).skeleton == 'coco17'


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        (
            annotations([*COCO[:3], 'tail', 'horn', *COCO[5:]]),
            "joint 3 is 'tail', which coco17 ",
        ),
        (annotations(COCO[:-1]), "'right_ankle' is missing"),
        (annotations([*COCO, COCO[0]]), "'nose' comes twice"),
        (annotations(COCO, 16), 'has 16 joints'),
    ],
)
def test_other_names_are_refused(tmp_path, content, sentence):
    with pytest.raises(UserError, match=sentence):
        read(tmp_path, content)


def test_people_and_animals_in_one_file_are_refused(tmp_path):
    content = annotations(COCO)
    content['categories'].append({'id': 2, 'name': 'cow', 'keypoints': ['horn', 'tail']})
    content['annotations'].append({**content['annotations'][0], 'category_id': 2})
    with pytest.raises(UserError, match='annotations of 2 categories'):
        read(tmp_path, content)


def test_the_user_says_what_unknown_names_mean(tmp_path):
    content = annotations([f'joint {number}' for number in range(17)])
    people = read(tmp_path, content, 'h36m17')
    assert people.skeleton == 'h36m17'
    np.testing.assert_array_equal(people.joints, [joints(17)])


@pytest.mark.parametrize(
    'content',
    [
        [{'image_id': 'a.jpg', 'keypoints': [1, 2, 3] * 17}],
        {'people': [{'pose_keypoints_2d': [1, 2, 3] * 17}]},
        {**annotations(COCO), 'categories': []},
    ],
)
def test_the_user_says_what_a_file_does_not(tmp_path, content):
    assert read(tmp_path, content, 'h36m17').skeleton == 'h36m17'


def test_a_folder_of_files_has_the_skeleton_that_the_user_says(tmp_path):
    content = {'people': [{'pose_keypoints_2d': [1, 2, 3] * 17}]}
    (tmp_path / 'a_keypoints.json').write_text(json.dumps(content))
    assert joints2d_folders.read(tmp_path, 'h36m17').skeleton == 'h36m17'


@pytest.mark.parametrize(
    ('content', 'skeleton', 'sentence'),
    [
        (annotations(COCO), 'h36m17', "joints of 'coco17', which are not those of 'h36m17': leave"),
        ({'skeleton': 'coco17', 'entries': []}, 'h36m17', "not 'h36m17': leave --joints2d_skel"),
        (annotations(COCO), 'h36m', "the nearest is 'h36m17'"),
        ([{'image_id': 'a.jpg', 'keypoints': [1, 2, 3] * 17}], 'halpe26', "'halpe26' needs 26"),
    ],
)
def test_a_skeleton_that_is_not_the_files_is_refused(tmp_path, content, skeleton, sentence):
    with pytest.raises(UserError, match=sentence):
        read(tmp_path, content, skeleton)


def test_mmposes_file_of_human36m_has_its_joints_where_the_poses_have_them(real_samples):
    """The names in this file call the right leg left."""
    folder = real_samples / 'h36m-mmpose'
    file = joints2d_files.read(folder / 'original' / 'h36m_coco.json')
    assert file.skeleton == 'h36m17'
    found = np.concatenate([people.joints for people in file.pictures.values()])
    with np.load(folder / 'sample.npz') as sample:
        np.testing.assert_allclose(found, sample['joints_2d_gt'], atol=0.01)
        pose = sample['joints_3d_cam_mm']
    place = skeletons.H36M17.index
    hips = pose[:, place('right_hip')] - pose[:, place('left_hip')]
    shoulders = pose[:, place('right_shoulder')] - pose[:, place('left_shoulder')]
    assert ((hips * shoulders).sum(axis=-1) > 0).all()

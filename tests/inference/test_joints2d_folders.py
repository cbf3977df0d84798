"""Folders of OpenPose's files, one for each picture."""

import json

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import joints2d_folders

FULL = np.random.default_rng(0).uniform(10, 400, (25, 3)).round(1)


def write(folder, name, *people):
    content = {'people': [{'pose_keypoints_2d': one.ravel().tolist()} for one in people]}
    (folder / name).write_text(json.dumps(content))


def test_each_picture_has_its_own_people(tmp_path):
    write(tmp_path, 'a_keypoints.json')
    write(tmp_path, 'b_keypoints.json', FULL, FULL + 1)
    (tmp_path / 'a.jpg').touch()
    joints = joints2d_folders.read(tmp_path)
    joints2d_folders.check_pictures(joints, single=False)
    assert joints.skeleton == 'body_25'
    assert len(joints.of_picture('pictures/a.jpg')) == 0
    np.testing.assert_allclose(joints.of_picture('pictures/b.jpg').joints[0], FULL[:, :2])


def test_a_file_without_people_has_the_joints_of_the_folder(tmp_path):
    write(tmp_path, 'a_keypoints.json')
    write(tmp_path, 'b_keypoints.json', FULL[:17])
    nobody = joints2d_folders.read(tmp_path).of_picture('a.jpg')
    assert (len(nobody), nobody.skeleton) == (0, 'coco17')


def test_one_file_is_not_for_several_pictures(tmp_path):
    write(tmp_path, 'b_keypoints.json', FULL)
    joints = joints2d_folders.read(tmp_path / 'b_keypoints.json')
    joints2d_folders.check_pictures(joints, single=True)
    with pytest.raises(UserError, match='does not say of which'):
        joints2d_folders.check_pictures(joints, single=False)


@pytest.mark.parametrize(
    ('files', 'sentence'),
    [
        ({}, 'holds no file NAME_keypoints.json'),
        ({'a_keypoints.json': FULL, 'b_keypoints.json': FULL[:17]}, 'folders of one skeleton each'),
    ],
)
def test_folders_that_cannot_be_read_are_told(tmp_path, files, sentence):
    for name, person in files.items():
        write(tmp_path, name, person)
    with pytest.raises(UserError, match=sentence):
        joints2d_folders.read(tmp_path)


def test_a_file_of_another_program_in_such_a_folder_is_told(tmp_path):
    own = {'skeleton': 'coco17', 'entries': []}
    (tmp_path / 'a_keypoints.json').write_text(json.dumps(own))
    with pytest.raises(UserError, match='is not of OpenPose'):
        joints2d_folders.read(tmp_path)

"""The command predict on a tiny model: 2D joints of other programs."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import joints2d_files, people_files
from capf_jax.inference.estimator import Estimator
from capf_jax.pose import joint_conversions
from tests.predicting import coco, written
from tests.predicting import folder_of_pictures as folder_of_pictures
from tests.predicting import run_predict as run_predict
from tests.predicting import tiny_weights as tiny_weights


def test_a_folder_with_joints_of_another_program(run, folder, tmp_path):
    joints = coco(tmp_path, 'a.png', 'b.png', 'c.png')
    assert run(folder, f'--joints2d={joints}', '--fov=60') == 0
    assert len(written(tmp_path)) == 6
    people = people_files.read(tmp_path / 'out' / 'b.json')
    assert people.valid.all()
    assert not people.camera_assumed
    np.testing.assert_array_equal(people.confidence, 1)


def test_given_joints_are_converted_by_the_rule_of_a_name(run, folder, tmp_path, capsys):
    joints = joints2d_files.read(coco(tmp_path, 'a.png'))
    arguments = folder / 'a.png', f'--joints2d={joints.path}'
    assert run(*arguments, '--conversion=gast') == 0
    people = people_files.read(tmp_path / 'out' / 'a.npz')
    expected = joint_conversions.get('coco17', 'h36m17', 'gast').joints(
        joints.of_picture('a.png').joints
    )
    np.testing.assert_allclose(people.joints2d, expected, atol=1e-6)
    capsys.readouterr()
    run(*arguments)
    assert 'were made with another --conversion, and stay so' in capsys.readouterr().out


def test_given_joints_may_be_of_a_skeleton_that_the_user_names(run, folder, tmp_path, weights):
    path = coco(tmp_path, 'a.png')
    arguments = f'--joints2d={path}', '--joints2d_skeleton=h36m17'
    assert run(folder / 'a.png', *arguments) == 0
    people = people_files.read(tmp_path / 'out' / 'a.npz')
    given = joints2d_files.read(path, 'h36m17').of_picture('a.png').joints
    np.testing.assert_allclose(people.joints2d, given, atol=1e-6)
    by_python = Estimator.load(weights).predict(
        folder / 'a.png', joints2d=given, joints2d_skeleton='coco17'
    )
    assert not np.allclose(by_python.joints2d, given, atol=1)
    with pytest.raises(UserError, match='joints2d_skeleton is that of 2D joints'):
        Estimator.load(weights).predict(folder / 'a.png', joints2d_skeleton='coco17')

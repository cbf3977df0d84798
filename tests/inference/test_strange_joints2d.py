"""Files of 2D joints and calibrations that no program should have written are one sentence."""

import json

import pytest

from capf_jax.errors import UserError
from capf_jax.inference import joints2d_files
from capf_jax.inference.calibration_files import Calibration

POINTS = [[1, 2]] * 17
PERSON = {'image': 'a.jpg', 'joints2d': POINTS}


def own(**fields):
    return json.dumps({'skeleton': 'coco17', 'entries': [{**PERSON, **fields}]})


@pytest.mark.parametrize(
    'text',
    [
        '[' * 100_000,
        '{"a":' * 100_000,
        '9' * 5000,
        own(joints2d=[[10**400, 2]] * 17),
        own(box=[1, 2]),
        own(box=[0, 0, -1, 5]),
        own(box='x'),
        own(image=['a']),
        own(image=None),
        own(confidence=[1]),
        '{"skeleton": [], "entries": []}',
        '{"skeleton": "coco17", "entries": 3}',
        '{"annotations": [{}], "images": []}',
        '{"annotations": 3, "images": 3}',
        '{"annotations": [{"category_id": []}], "images": [], "categories": []}',
        '{"annotations": [{"keypoints": []}], "images": [], "categories": [{"keypoints": 5}]}',
        '{"annotations": [{"keypoints": [1]}], "images": [], "categories": 3}',
        json.dumps([{'image_id': 1e400, 'keypoints': [1, 2, 1] * 17}]),
        json.dumps([{'image_id': [], 'keypoints': [1, 2, 1] * 17}]),
        '{"people": [{"pose_keypoints_2d": "x"}]}',
        '{"people": {}, "x": "\\ud800"}',
    ],
)
def test_joints_of_no_form_are_one_sentence(text, tmp_path):
    path = tmp_path / 'joints.json'
    path.write_text(text)
    try:
        joints2d_files.read(path)
    except UserError as error:
        assert 'joints.json' in str(error) or 'skeleton' in str(error)  # noqa: PT017 (or it reads)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    path = tmp_path / 'joints.json'
    path.write_bytes(b'\xef\xbb\xbf' + own().encode())
    assert len(joints2d_files.read(path).of_picture('a.jpg')) == 1


@pytest.mark.parametrize(
    ('name', 'text'),
    [
        ('c.toml', 'a = ' + '[' * 100_000),
        ('c.toml', 'a = ' + '9' * 5000),
        ('c.toml', '\x00'),
        ('c.toml', '[a]\nmatrix = [[inf, 0, 0], [0, 1, 0], [0, 0, 1]]'),
        ('c.toml', '[a]\nmatrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\nsize = [inf, 3]'),
        ('c.toml', '[a]\nmatrix = {x = 3}'),
        (
            'c.toml',
            f'[a]\nmatrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\nrotation = [{"9" * 400}, 1, 1]',
        ),
        ('c.toml', '[a]\nmatrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\nrotation = {x = 3}'),
        ('c.yml', '%YAML:1.0\nK: [1, 2]\n'),
        ('c.yml', '%YAML:1.0\nK: x\n'),
        ('c.yml', '%YAML:1.0\nK: !!opencv-matrix\n   rows: 999999\n   cols: 3\n   dt: q\n'),
        ('c.xml', '<opencv_storage><K>'),
        ('c.json', '{"K": ' + '[' * 1000),
        ('c.json', ''),
    ],
)
def test_a_calibration_of_no_form_is_one_sentence(name, text, tmp_path):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match=name.replace('.', r'\.')):
        Calibration.read(path)

"""Files of people: what is written is read back, strangers can read it, and bad files are refused.

Everything that a stranger needs is checked with NumPy, json and csv alone.
"""

import csv
import dataclasses
import json
import os
import pathlib
import re

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import people_files
from capf_jax.inference.people import array_shapes
from capf_jax.pose import cameras
from capf_jax.pose.skeletons import COCO17, H36M17
from tests.inference.people_samples import CAMERA, people

WORDS = (
    'joints2d_skeleton', 'skeleton', 'camera_assumed', 'camera_origin', 'image_size', 'source',
    'axes',
)  # fmt: skip


def nothing_but(path):
    """Whether the file is alone in its folder: no temporary file was left."""
    return [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(('ending', 'tolerance'), [('npz', 0), ('json', 5.1e-7)])
@pytest.mark.parametrize('number', [0, 1, 3])
def test_what_is_written_is_read_back(tmp_path, ending, tolerance, number):
    before = people(number)
    path = people_files.write(tmp_path / f'people.{ending}', before)
    after = people_files.read(path)
    for name in array_shapes('coco17', 'h36m17'):
        assert getattr(after, name).dtype == getattr(before, name).dtype
        np.testing.assert_allclose(
            getattr(after, name), getattr(before, name), rtol=0, atol=tolerance
        )
    for name in WORDS:
        assert getattr(after, name) == getattr(before, name)
    np.testing.assert_allclose(after.camera.intrinsics, before.camera.intrinsics)
    np.testing.assert_allclose(after.camera.distortion, before.camera.distortion)


@pytest.mark.parametrize('ending', ['npz', 'json'])
def test_other_axes_are_read_back(tmp_path, ending):
    before = people(2).along('z_up')
    after = people_files.read(people_files.write(tmp_path / f'people.{ending}', before))
    assert after.axes == 'z_up'
    np.testing.assert_allclose(after.joints3d_camera, before.joints3d_camera, atol=2e-6)


def test_along_the_camera_no_place_of_the_camera_is_written(tmp_path):
    """A user's camera may stand in a world, in which these people are not."""
    standing = dataclasses.replace(
        CAMERA, rotation=cameras.upright_rotation(30), position=np.array([1.0, 2.0, 3.0])
    )
    people_files.write(tmp_path / 'two.npz', people(camera=standing))
    with np.load(tmp_path / 'two.npz') as archive:
        np.testing.assert_array_equal(archive['rotation'], np.eye(3))
    people_files.write(tmp_path / 'two.json', people(camera=standing))
    document = json.loads((tmp_path / 'two.json').read_text())
    assert document['camera']['rotation'] == np.eye(3).tolist()


@pytest.mark.parametrize('ending', ['npz', 'json'])
def test_a_person_without_a_pose_is_read_back(tmp_path, ending):
    before = people(2, root=[[0, 0, 1], [np.nan] * 3], valid=np.array([True, False]))
    after = people_files.read(people_files.write(tmp_path / f'people.{ending}', before))
    assert after.valid.tolist() == [True, False]
    assert np.isnan(after.root[1]).all()


def test_the_archive_explains_itself(tmp_path):
    path = people_files.write(tmp_path / 'people.npz', people(2))
    with np.load(path, allow_pickle=False) as file:
        assert file['unit'] == 'metre'
        assert file['axes_in_words'] == 'x right, y down, z away from the camera'
        assert file['joint_names'].tolist() == list(H36M17.joints)
        assert file['joints2d_names'].tolist() == list(COCO17.joints)
        assert file['joint_names'][file['root_joint']] == 'pelvis'
        parent, child = file['bones'][2]
        assert file['joint_names'][[parent, child]].tolist() == ['right_knee', 'right_ankle']


def test_the_json_explains_itself(tmp_path):
    two = people(2)
    document = json.loads(people_files.write(tmp_path / 'people.json', two).read_text())
    assert document['unit'] == 'metre'
    assert document['skeleton']['root'] == 'pelvis'
    assert ['right_knee', 'right_ankle'] in document['skeleton']['bones']
    place = document['skeleton']['joints'].index('left_wrist')
    pose = document['people'][1]['pose'][place]
    np.testing.assert_allclose(pose, two.pose[1, H36M17.index('left_wrist')], atol=1e-6)


def test_the_json_has_a_joint_a_line(tmp_path):
    one = people(1, pose=np.zeros((1, 17, 3)))
    text = people_files.write(tmp_path / 'people.json', one).read_text()
    assert text.count('    [0.0, 0.0, 0.0]') == 17


def test_text_that_looks_like_a_list_stays(tmp_path):
    name = '[ a,  b ].jpg'
    path = people_files.write(tmp_path / 'people.json', people(1, source=name))
    assert people_files.read(path).source == name


def test_the_table_has_a_row_for_every_joint(tmp_path):
    two = people(2)
    path = people_files.write(tmp_path / 'people.csv', two)
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (17 + 17)
    (row,) = [
        row
        for row in rows
        if (row['id'], row['skeleton'], row['joint']) == ('1', 'h36m17', 'left_wrist')
    ]
    place = [float(row[name]) for name in ('x_m', 'y_m', 'z_m')]
    np.testing.assert_allclose(place, two.joints3d[1, H36M17.index('left_wrist')], atol=1e-6)
    assert row['x_px'] == ''


def names_of(document):
    """All names in nested dicts and lists."""
    if isinstance(document, dict):
        return {*document}.union(*map(names_of, document.values()))
    return set().union(*map(names_of, document)) if isinstance(document, list) else set()


def test_every_field_is_documented():
    page = pathlib.Path(__file__).parents[2].joinpath('docs', 'predict.md').read_text()
    one = people(1)
    names = names_of(people_files.document_of(one)) | {*people_files.fields_of(one)}
    words = set(re.findall(r'\w+', ' '.join(re.findall('`[^`\n]+`', page))))
    assert names | {*people_files.CSV_COLUMNS} <= words


@pytest.mark.parametrize('ending', people_files.WRITERS)
def test_a_file_is_whole_or_not_there(tmp_path, ending, monkeypatch):
    path = tmp_path / f'people.{ending}'
    people_files.write(path, people(1))
    content = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, 'replace', full_disk)
    with pytest.raises(OSError, match='No space left') as error:
        people_files.write(path, people(2))
    assert error.value.filename == str(path)
    assert path.read_bytes() == content
    assert nothing_but(path)


def test_an_unknown_ending_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"people\.jsn is 'jsn'; the nearest is 'json'"):
        people_files.write(tmp_path / 'people.jsn', people(1))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'there is no file .*people\.npz'):
        people_files.read(tmp_path / 'people.npz')


def archive(path, **arrays):
    with path.open('wb') as file:
        np.savez(file, **arrays)
    return path


def changed_archive(path, **changes):
    return archive(path, **(people_files.fields_of(people(2)) | changes))


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, ('touch hacked',)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'format': 'poses'}, 'no file of people'),
        ({'version': 2}, 'version 2 of its format, and this program reads version 1'),
        ({'unit': 'mm'}, "unit in .* is 'mm'; it must be 'metre'"),
        ({'skeleton': 'h36m16'}, "nearest is 'h36m17'"),
        ({'joint_names': np.array(['pelvis'])}, "joint_names in .* are not those of 'h36m17'"),
        ({'pose': np.zeros((2, 16, 3))}, r'pose .* must be numbers \[2, 17, 3\]'),
        ({'pose': np.full((2, 17, 3), 'x')}, r'pose .* must be numbers'),
        ({'root': np.full((2, 3), np.inf)}, 'root of a valid person .* NaN or infinity'),
        ({'intrinsics': np.zeros(3)}, r'intrinsics in .* must be numbers \[4\]'),
        ({'distortion': np.zeros(3)}, 'distortion in .* must be 0, 4, 5 or 8 numbers'),
        ({'pose': np.array([Evil()])}, 'holds no people that can be read'),
    ],
)
def test_bad_archives_are_refused(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    path = changed_archive(tmp_path / 'people.npz', **changes)
    with pytest.raises(UserError, match=message):
        people_files.read(path)
    assert nothing_but(path)  # nothing was executed


def test_an_archive_without_an_array_is_refused(tmp_path):
    fields = people_files.fields_of(people(2))
    del fields['pose']
    with pytest.raises(UserError, match=r'holds no people that can be read \(KeyError'):
        people_files.read(archive(tmp_path / 'people.npz', **fields))


def test_an_archive_of_another_program_is_refused(tmp_path):
    with pytest.raises(UserError, match='no file of people'):
        people_files.read(archive(tmp_path / 'people.npz', poses=np.zeros(3)))


def test_an_archive_that_is_cut_off_is_refused(tmp_path):
    path = people_files.write(tmp_path / 'people.npz', people(2))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match='holds no people that can be read'):
        people_files.read(path)


def changed_document(**changes):
    return json.dumps(people_files.document_of(people(2)) | changes)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'holds no people that can be read'),
        ('[1, 2]', 'no file of people'),
        ('{"images": [], "annotations": []}', 'no file of people'),
        ('[' * 100_000, 'holds no people that can be read'),
        (changed_document(version=99), 'version 99'),
        (changed_document(people=[{}]), 'holds no people that can be read'),
        (changed_document(people='nobody'), 'holds no people that can be read'),
        (changed_document(camera=None), 'holds no people that can be read'),
        (changed_document(image_size={'width': 'x', 'height': 1}), 'holds no people'),
    ],
)
def test_bad_json_is_refused(tmp_path, text, message):
    path = tmp_path / 'people.json'
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        people_files.read(path)


def test_json_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / 'people.json'
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(UserError, match='holds no people that can be read'):
        people_files.read(path)

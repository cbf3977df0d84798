"""What a dataset says of itself decides neither which code is imported nor where is written."""

import json
import sys

import pytest
from google.protobuf import json_format

from data_pipeline import check, datasets
from data_pipeline.checks import dataset as dataset_check
from data_pipeline.datasets import description
from tests.data_pipeline import tiny_people

PAYLOAD = """
import pathlib
pathlib.Path(__file__).with_name('it ran').touch()
class Evil: pass
"""


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Folder of a built dataset."""
    tiny_people.add_to_data_pipeline(monkeypatch)
    return tiny_people.build(tmp_path / 'data').data_path


def change(path, **fields):
    content = json.loads(path.read_text())
    content.update(fields)
    path.write_text(json.dumps(content))


def test_no_class_of_a_description_is_imported(built, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'payload.py').write_text(PAYLOAD)
    features = json.loads((built / 'features.json').read_text())
    features['featuresDict']['features']['zz'] = {'pythonClassName': 'payload.Evil', 'text': {}}
    (built / 'features.json').write_text(json.dumps(features))
    choices = dataset_check.Choices(5, 0, tmp_path / 'pictures')
    assert not check.after('tiny_people', tmp_path / 'data', choices)
    assert not (tmp_path / 'it ran').exists()
    assert 'payload' not in sys.modules


@pytest.mark.parametrize(
    ('file', 'fields', 'sentence'),
    [
        ('dataset_info.json', {'name': '../../../evil'}, 'name in dataset_info.json is'),
        ('dataset_info.json', {'name': 'a\x1b[31m'}, r'which is no name'),
        ('dataset_info.json', {'configName': '/tmp'}, 'configName in dataset_info.json is'),
        ('dataset_info.json', {'version': '..'}, 'version in dataset_info.json is'),
        ('dataset_info.json', {'splits': 3}, 'its splits are no list'),
        ('dataset_info.json', {'splits': [{'name': '../x'}]}, 'the name of a split is'),
        (
            'dataset_info.json',
            {'splits': [{'name': 'test', 'filepathTemplate': '../../x'}]},
            'names its files',
        ),
        (
            'dataset_info.json',
            {'splits': [{'name': 'test', 'shardLengths': ['-1']}]},
            'no number of records',
        ),
        ('features.json', {'pythonClassName': 'os.system'}, 'of the kind os.system'),
        (
            'features.json',
            {'tensor': {'shape': {'dimensions': ['1000000', '1000000']}}},
            'declares a feature of',
        ),
    ],
)
def test_a_description_that_does_not_belong_here_is_refused(
    built, file, fields, sentence, tmp_path
):
    change(built / file, **fields)
    with pytest.raises(ValueError, match=sentence):
        description.check(built)
    with pytest.raises(ValueError, match=sentence):
        dataset_check.check(built, dataset_check.Choices(5, 0, tmp_path / 'pictures'))
    assert not (tmp_path / 'pictures').exists()


@pytest.mark.parametrize('file', ['dataset_info.json', 'features.json', 'metadata.json'])
@pytest.mark.parametrize(
    'content', [b'', bytes(50), b'\xff', b'[1]', b'[' * 100_000, b'{"a":' * 100_000, b'3']
)
def test_a_damaged_description_is_one_sentence(built, file, content, tmp_path, monkeypatch):
    (built / file).write_bytes(content)
    with pytest.raises((RuntimeError, ValueError), match='not whole') as caught:
        dataset_check.check(built, dataset_check.Choices(5, 0, tmp_path / 'pictures'))
    assert not isinstance(caught.value, json_format.ParseError)
    data = tiny_people_data(tmp_path)
    with pytest.raises(RuntimeError, match='not whole'):
        datasets.open_or_build(data, build=False)


def tiny_people_data(tmp_path):
    from tests import evaluated

    return evaluated.tiny_config(tmp_path / 'data').data

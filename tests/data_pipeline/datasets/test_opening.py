"""A dataset is found, built where asked, and refused in one sentence where it is not whole."""

import errno
import os

import pytest
from ml_collections import ConfigDict

from data_pipeline import datasets
from tests.data_pipeline import tiny_people


@pytest.fixture
def data(tmp_path, monkeypatch):
    """config.data of the tiny dataset."""
    tiny_people.add_to_data_pipeline(monkeypatch)
    return ConfigDict({'name': 'tiny_people', 'dir': str(tmp_path), 'builder': {}})


def test_built_where_asked(data):
    builder = datasets.open_or_build(data, build=True)
    assert builder.info.splits['train'].num_examples == 10


def test_found_when_built(data):
    datasets.open_or_build(data, build=True)
    builder = datasets.open_or_build(data, build=False)
    assert builder.info.splits['test'].num_examples == 7


def test_opening_says_nothing(data, caplog):
    """TFDS warns of configurations that it does not know; ours are all of that kind."""
    datasets.open_or_build(data, build=True)
    caplog.clear()
    datasets.open_or_build(data, build=False)
    assert not caplog.records


def test_missing_names_the_folder_and_the_command(data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'data_pipeline\.build') as error:
        datasets.open_or_build(data, build=False)
    assert str(tmp_path) in str(error.value)


def test_unknown_name_lists_the_known(data):
    data.name = 'humans'
    with pytest.raises(ValueError, match=r"config.data.name is 'humans'; .*synthetic"):
        datasets.open_or_build(data, build=True)


def test_folder_without_dataset_info_is_refused(data):
    builder = datasets.open_or_build(data, build=True)
    (builder.data_path / 'dataset_info.json').unlink()
    with pytest.raises(RuntimeError, match=r'dataset_info\.json is missing; delete this folder'):
        datasets.open_or_build(data, build=True)


def test_missing_shard_is_refused(data):
    builder = datasets.open_or_build(data, build=True)
    builder.info.splits['train'].filepaths[0].unlink()
    with pytest.raises(RuntimeError, match=r'train.* is missing'):
        datasets.open_or_build(data, build=True)


def test_cut_shard_is_refused(data):
    shard = datasets.open_or_build(data, build=True).info.splits['train'].filepaths[0]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match='is damaged'):
        datasets.open_or_build(data, build=False)


def test_cut_dataset_info_is_refused(data):
    builder = datasets.open_or_build(data, build=True)
    info = builder.data_path / 'dataset_info.json'
    info.write_text(info.read_text()[:40])
    with pytest.raises(RuntimeError, match='not whole'):
        datasets.open_or_build(data, build=True)


def test_a_dataset_info_that_is_no_text_is_refused(data):
    builder = datasets.open_or_build(data, build=True)
    (builder.data_path / 'dataset_info.json').write_bytes(b'\xff\xfe')
    with pytest.raises(RuntimeError, match='not whole'):
        datasets.open_or_build(data, build=True)


def test_cut_metadata_is_refused(data):
    builder = datasets.open_or_build(data, build=True)
    metadata = builder.data_path / 'metadata.json'
    metadata.write_text(metadata.read_text()[:-4])
    with pytest.raises(RuntimeError, match=r'metadata\.json is damaged; delete this folder'):
        datasets.open_or_build(data, build=True)


@pytest.mark.parametrize('name', ['dataset_info.json', 'metadata.json', '*test*'])
def test_a_pipe_is_refused_before_anybody_waits_for_it(data, name):
    builder = datasets.open_or_build(data, build=True)
    (path,) = builder.data_path.glob(name)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RuntimeError, match='is a device or a pipe; delete this folder'):
        datasets.open_or_build(data, build=False)


def fail_with(error, monkeypatch):
    """Makes the building of people fail."""

    def fail(i, config):
        raise error

    monkeypatch.setattr(tiny_people, 'person', fail)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('write() failed: No space left on device; at byte 8'),  # of ArrayRecord
        OSError(errno.ENOSPC, 'No space left on device'),
    ],
)
def test_a_full_disk_is_one_sentence_that_names_the_folder(data, monkeypatch, error):
    fail_with(error, monkeypatch)
    with pytest.raises(OSError, match=rf'to {data.dir}/.*, the disk is full: make room') as caught:
        datasets.open_or_build(data, build=True)
    assert '\n' not in str(caught.value)


def test_what_a_builder_says_of_a_full_disk_stays(data, monkeypatch):
    fail_with(OSError('No space left on device; finished clips are kept'), monkeypatch)
    with pytest.raises(OSError, match='finished clips are kept'):
        datasets.open_or_build(data, build=True)


def test_a_build_that_fails_leaves_nothing(data, monkeypatch):
    fail_with(OSError(errno.ENOSPC, 'No space left on device'), monkeypatch)
    with pytest.raises(OSError, match='the disk is full'):
        datasets.open_or_build(data, build=True)
    with pytest.raises(FileNotFoundError):
        datasets.open_or_build(data, build=False)

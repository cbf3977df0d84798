"""Files are written whole or not at all."""

import errno
import importlib.util
import os

import pytest
from etils import epath

from capf_jax.errors import UserError
from capf_jax.runtime import files


def write_to_a_full_disk(path):
    with files.whole(path) as temporary:
        temporary.symlink_to('/dev/full')
        temporary.write_text('new')


def test_what_is_written_takes_the_place_of_the_older_file(tmp_path):
    path = tmp_path / 'folder' / 'file.json'
    for text in ('old', 'new'):
        with files.whole(path) as temporary:
            temporary.write_text(text)
    assert path.read_text() == 'new'
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / 'file.json'
    path.write_text('old')
    with pytest.raises(OSError, match='No space left'):
        write_to_a_full_disk(path)
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('process', [2**22 + 1, os.getpid()], ids=['killed', 'of this number'])
def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path, process):
    path = tmp_path / 'file.json'
    with files.whole(path) as temporary:
        name = temporary.parent.name
        # A library's own temporary file, as safetensors makes one beside what it writes.
        (temporary.parent / '.tmpAbCdEf').touch()
        temporary.write_text('old')
    assert list(tmp_path.iterdir()) == [path]
    left = tmp_path / name.replace(f'.{os.getpid()}.', f'.{process}.')
    left.mkdir()
    (left / '.tmpAbCdEf').touch()
    with files.whole(path) as temporary:
        temporary.write_text('new')
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_neither_read_nor_replaced(tmp_path):
    path = tmp_path / 'pipe'
    os.mkfifo(path)
    with pytest.raises(UserError, match='is a device or a pipe'), files.whole(path) as temporary:
        temporary.write_text('new')
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / 'link').symlink_to(path)
    for name in ('pipe', 'link'):
        with pytest.raises(UserError, match=f'{name} is a device or a pipe'):
            files.user_path(tmp_path / name)


def test_an_error_of_write_is_told_its_file(tmp_path):
    path = tmp_path / 'file.json'
    with pytest.raises(OSError, match='No space left') as caught:
        write_to_a_full_disk(path)
    assert caught.value.filename == str(path)


def test_a_sentence_of_our_own_stays_as_it_is():
    with pytest.raises(OSError, match=r'^make room$'), files.named('file.json'):
        raise OSError('make room')


@pytest.mark.parametrize(
    ('error', 'full'),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), True),
        (RuntimeError('write() failed: No space left on device; writing x'), True),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (RuntimeError('write() failed'), False),
    ],
)
def test_a_full_disk_is_told_by_number_or_message(error, full):
    assert files.disk_is_full(error) == full


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    with files.whole('~/folder/file.txt') as temporary:
        temporary.write_text('at home')
    with files.local('~/folder/file.txt') as path:
        assert path == tmp_path / 'folder' / 'file.txt'
    assert path.read_text() == 'at home'


def test_paths_of_epath_are_written_and_read_as_others(tmp_path):
    path = epath.Path(tmp_path) / 'file.txt'
    with files.whole(path) as temporary:
        temporary.write_text('text')
    with files.local(path) as copy:
        assert copy.read_text() == 'text'


def test_a_path_in_a_store_keeps_its_name(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: True)
    path = files.user_path('gs://bucket/folder') / 'file.txt'
    assert os.fspath(path) == 'gs://bucket/folder/file.txt'
    assert files.is_remote(path)
    assert not files.is_remote('/folder/file.txt')


def test_a_path_of_this_machine_is_in_no_store(monkeypatch, tmp_path):
    assert files.path_here(tmp_path) == tmp_path
    with pytest.raises(UserError, match='gs://bucket/run is in a store: name a path on this'):
        files.path_here('gs://bucket/run')
    with pytest.raises(UserError, match='http://bucket/run is in no store that can be opened'):
        files.path_here('http://bucket/run')


def test_a_store_that_cannot_be_opened_is_told(monkeypatch):
    with pytest.raises(UserError, match=r'ftp://bucket/run is in no store .* gs:// or s3://'):
        files.user_path('ftp://bucket/run')
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='takes the package gcsfs: pip install gcsfs'):
        files.user_path('gs://bucket/run')

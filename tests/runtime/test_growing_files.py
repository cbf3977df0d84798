"""Files that grow: on a disk they are where they belong, in a store copies are."""

import pytest
from etils import epath

from capf_jax.runtime import files, growing_files
from capf_jax.runtime.growing_files import GrowingFolder


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A folder that is taken for one in a store."""
    monkeypatch.setattr(files, 'is_remote', lambda path: True)
    monkeypatch.setattr(files, 'user_path', epath.Path)
    return tmp_path / 'run'


def append(folder, text):
    with (folder.local / 'log.jsonl').open('a') as file:
        file.write(text)


def test_on_a_disk_they_are_written_in_their_place(tmp_path):
    folder = GrowingFolder(tmp_path / 'run')
    append(folder, 'one')
    assert (tmp_path / 'run' / 'log.jsonl').read_text() == 'one'
    folder.close()
    assert [path.name for path in (tmp_path / 'run').iterdir()] == ['log.jsonl']


def test_a_store_gets_copies_when_it_is_time(store, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(growing_files.time, 'monotonic', lambda: now[0])
    folder = GrowingFolder(store)
    append(folder, 'one')
    folder.grown()
    assert not (store / 'log.jsonl').exists()
    now[0] = growing_files.EVERY
    folder.grown()
    assert (store / 'log.jsonl').read_text() == 'one'
    folder.close()


def test_a_store_gets_a_copy_at_once_and_at_the_end(store):
    folder = GrowingFolder(store)
    append(folder, 'one')
    folder.grown(at_once=True)
    assert (store / 'log.jsonl').read_text() == 'one'
    append(folder, 'two')
    folder.close()
    assert (store / 'log.jsonl').read_text() == 'onetwo'
    assert not folder.local.exists()


def test_what_a_store_has_is_gone_on_with(store):
    store.mkdir()
    (store / 'log.jsonl').write_text('one')
    folder = GrowingFolder(store, 'log.jsonl', 'absent')
    append(folder, 'two')
    folder.close()
    assert (store / 'log.jsonl').read_text() == 'onetwo'

"""A dataset in a store is read from copies: whole ones, of the files that are read, made once."""

import pathlib
import shutil
import threading
from concurrent import futures

import numpy as np
import pytest
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from data_pipeline import build, datasets, features, local_copies, store_files
from data_pipeline.reader import Reader
from data_pipeline.stored_examples import open_split
from tests.data_pipeline import test_features as made_features
from tests.data_pipeline import tiny_people
from tests.memory_store import put

URL = 'gs://bucket/data'
FIELDS = {'train': 6, 'test': 2}


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """The folder of a built dataset."""
    folder = tmp_path_factory.mktemp('built')
    builder = tiny_people.Builder(
        data_dir=folder, config=tiny_people.TinyConfig(name='default', **FIELDS)
    )
    builder.download_and_prepare(file_format='array_record')
    return folder


@pytest.fixture
def data(built, memory_store, tmp_path, monkeypatch):
    """config.data of a dataset in a store."""
    tiny_people.add_to_data_pipeline(monkeypatch)
    upload(built)
    fields = {'name': 'tiny_people', 'dir': URL, 'cache': str(tmp_path), 'builder': {}}
    return ConfigDict(fields)


def upload(folder):
    for path in folder.rglob('*'):
        if path.is_file():
            put(f'{URL}/{path.relative_to(folder)}', path.read_bytes())


def shards(asked):
    return sorted(name.partition('.')[0] for name in asked if 'array_record' in name)


def address(store, part):
    """The address of the one file in the store that has this in its name."""
    (name,) = [name for name in store.store if part in name]
    return f'gs:/{name}'


def test_files_of_a_split_are_copied_when_it_is_opened_and_only_once(data, built, memory_store):
    builder = datasets.open_or_build(data, build=True)
    assert shards(memory_store.asked) == []
    assert builder.info.splits['train'].num_examples == 6
    assert len(open_split(builder, 'test')) == 2
    assert shards(memory_store.asked) == ['tiny_people-test']
    batch, _ = Reader(builder, 'train[:3]', skeletons.get('h36m17')).batch([2])
    local = datasets.open_or_build(ConfigDict(data.to_dict() | {'dir': str(built)}), build=False)
    original, _ = Reader(local, 'train[:3]', skeletons.get('h36m17')).batch([2])
    np.testing.assert_array_equal(batch.images, original.images)
    np.testing.assert_array_equal(batch.joints3d, original.joints3d)
    memory_store.asked.clear()
    builder = datasets.open_or_build(data, build=True)
    assert len(open_split(builder, 'train')) == 6
    assert memory_store.asked == []
    assert not list(pathlib.Path(data.cache).rglob('*.tmp*'))


def test_the_cache_is_the_users_where_none_is_named(data, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'caches'))
    data.cache = ''
    builder = datasets.open_or_build(data, build=False)
    folder = tmp_path / 'caches' / 'capf_jax' / 'datasets' / 'gs' / 'bucket' / 'data'
    assert pathlib.Path(builder.data_path).is_relative_to(folder)


def test_a_dataset_that_has_changed_is_copied_anew(data, built, memory_store):
    builder = datasets.open_or_build(data, build=False)
    open_split(builder, 'test')
    derived = pathlib.Path(builder.data_path, 'videos-test.npz')
    derived.touch()
    changed = address(memory_store, 'tiny_people-test')
    put(changed, next(built.rglob('*-test.array*')).read_bytes())  # the same, as a new version
    memory_store.asked.clear()
    builder = datasets.open_or_build(data, build=False)
    assert not derived.exists()
    open_split(builder, 'test')
    assert shards(memory_store.asked) == ['tiny_people-test']


def test_a_copy_that_was_cut_is_made_again(data, memory_store):
    builder = datasets.open_or_build(data, build=False)
    open_split(builder, 'test')
    (copy,) = pathlib.Path(data.cache).rglob('*-test.array*')
    copy.write_bytes(copy.read_bytes()[:-1])
    memory_store.asked.clear()
    open_split(datasets.open_or_build(data, build=False), 'test')
    assert shards(memory_store.asked) == ['tiny_people-test']


def test_a_file_that_comes_damaged_is_refused(data, memory_store):
    (name,) = [name for name in memory_store.store if '-test.array' in name]
    builder = datasets.open_or_build(data, build=False)
    with memory_store.store[name].getbuffer() as content:
        content[100] ^= 1
    with pytest.raises(UserError, match=r'gs://.*-test.* has come damaged'):
        open_split(builder, 'test')
    assert not list(pathlib.Path(data.cache).rglob('*array_record*'))


def test_an_interrupted_copy_leaves_whole_files_and_goes_on(data, memory_store, monkeypatch):
    builder = datasets.open_or_build(data, build=False)

    def interrupted(self, rpath, lpath, callback):
        pathlib.Path(lpath).write_bytes(b'half')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(memory_store, 'get_file', interrupted)
        with pytest.raises(KeyboardInterrupt):
            open_split(builder, 'test')
    assert not list(pathlib.Path(data.cache).rglob('*array_record*'))
    assert len(open_split(builder, 'test')) == 2


def test_an_error_ends_the_other_copies(memory_store, tmp_path, monkeypatch):
    put('gs://bucket/large', bytes(1000))
    originals = store_files.listing('gs://bucket')
    callback = store_files._Callback(None, stop := store_files.threading.Event())
    callback.relative_update(1)
    stop.set()
    with pytest.raises(store_files._StoppedError):
        callback.relative_update(1)
    put('gs://bucket/large', bytes(999))
    with pytest.raises(UserError, match='gs://bucket/large has come damaged, or was changed'):
        list(store_files.copy('gs://bucket', tmp_path, originals, None))


def test_who_comes_meanwhile_waits_and_copies_nothing(data, memory_store):
    """Two threads have a lock each, as two processes have."""
    builder = datasets.open_or_build(data, build=False)
    gate = threading.Barrier(2)

    def opened(_):
        gate.wait()
        return len(open_split(builder, 'test'))

    with futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(opened, range(2))) == [2, 2]
    assert shards(memory_store.asked) == ['tiny_people-test']


def test_a_disk_that_is_too_small_is_told_before(data, monkeypatch):
    builder = datasets.open_or_build(data, build=False)
    monkeypatch.setattr(local_copies, 'free_bytes', lambda folder: 10)
    with pytest.raises(OSError, match=r"has 10.0 B free, and the split 'test' of gs://.*cache"):
        open_split(builder, 'test')


def test_a_disk_that_fills_is_told(data, memory_store, monkeypatch):
    builder = datasets.open_or_build(data, build=False)

    def full(self, rpath, lpath, callback):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(memory_store, 'get_file', full)
    with pytest.raises(OSError, match=r'the disk of .* is full: make room there, .*data\.cache'):
        open_split(builder, 'test')


def test_a_store_out_of_reach_is_told(data, memory_store, monkeypatch):
    def refused(self, path, **kwargs):
        raise ConnectionError('nobody answers')

    monkeypatch.setattr(memory_store, 'find', refused)
    with pytest.raises(UserError, match=r'gs://bucket/data/tiny_people cannot be .*nobody answers'):
        datasets.open_or_build(data, build=True)


def test_what_the_store_lacks_is_told(data, memory_store):
    memory_store().rm(address(memory_store, '-test.array'))
    builder = datasets.open_or_build(data, build=False)
    assert len(open_split(builder, 'train')) == 6
    with pytest.raises(UserError, match=r'tiny_people-test.* is missing: copy the dataset there'):
        open_split(builder, 'test')
    memory_store().rm('gs://bucket/data', recursive=True)
    with pytest.raises(FileNotFoundError, match=r"no dataset 'tiny_people' .* in gs://.*rsync"):
        datasets.open_or_build(data, build=True)


def test_files_of_another_dataset_are_refused(data, built, memory_store):
    train = next(built.rglob('*-train.array*')).read_bytes()
    put(address(memory_store, '-test.array'), train)
    builder = datasets.open_or_build(data, build=False)
    with pytest.raises(RuntimeError, match=r'6 of its 2 records .*copy the dataset to gs://bucket'):
        open_split(builder, 'test')


def test_an_unknown_split_is_told_as_ever(data):
    builder = datasets.open_or_build(data, build=False)
    with pytest.raises(UserError, match=r"no samples in split 'tests'; it has 'train' with 6"):
        open_split(builder, 'tests')


def test_a_cache_in_a_store_is_refused(data):
    data.cache = 'gs://bucket/cache'
    with pytest.raises(UserError, match=r'data\.cache is gs://.*: name a folder of this machine'):
        datasets.open_or_build(data, build=False)


def test_features_in_a_store_are_read_without_their_source(data, built, memory_store, tmp_path):
    local = tmp_path / 'local'
    shutil.copytree(built, local)
    source = datasets.open_or_build(ConfigDict(data.to_dict() | {'dir': str(local)}), build=False)
    made_features.builder_of(source).download_and_prepare(file_format='array_record')
    upload(local)
    source = datasets.describe(data)
    made = features.open_features(source, made_features.SETTINGS)
    batch, _ = Reader(made, 'train', skeletons.get('h36m17')).batch([4])
    assert batch.contexts[0, 0, 0, 0] == 4
    assert shards(memory_store.asked) == ['features-train']
    assert local_copies.lacking(source, 'test')


def test_nothing_is_built_in_a_store_or_from_one(data):
    with pytest.raises(
        UserError, match=r'gs://bucket/data is in a store, and datasets are .*rsync'
    ):
        build.build(data)
    for field in ('source', 'poses'):
        with pytest.raises(UserError, match=rf"builder\.{field} is 'gs://a/b'; it is in a store"):
            datasets.open_or_build(
                ConfigDict(
                    {
                        'name': 'human36m' if field == 'source' else 'synthetic',
                        'dir': data.cache,
                        'builder': {field: 'gs://a/b'},
                    }
                ),
                build=True,
            )

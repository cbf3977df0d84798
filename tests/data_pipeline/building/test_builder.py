"""A dataset of clips is whole or absent, goes on where it was, and does not depend on processes."""

import errno
import shutil
import subprocess
import sys

import numpy as np
import pytest

from data_pipeline import building, datasets, images
from data_pipeline.building import Settings, parts
from tests.data_pipeline.building import toy
from tests.data_pipeline.building.toy import contents


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    builder = toy.builder(tmp_path_factory.mktemp('data'))
    builder.download_and_prepare()
    return builder


def test_every_record_is_there_in_order(built):
    datasets.check_whole(built)
    train, test = built.as_data_source('train'), built.as_data_source('test')
    assert [(int(e['camera']), e['frame']) for e in train] == [
        (clip, frame) for clip, count in enumerate((3, 2, 4)) for frame in range(count)
    ]
    assert len(test) == 2
    np.testing.assert_array_equal(train[4]['image'], np.full((32, 24, 3), 21, np.uint8))


def test_the_box_is_what_was_cropped(built):
    box = built.as_data_source('test')[0]['box']
    np.testing.assert_allclose(box[2:] / box[2], [1, 31 / 23], rtol=1e-5)
    np.testing.assert_allclose(box, [20.5, 20 - 19 * 31 / 46, 19, 19 * 31 / 23], rtol=1e-5)


def test_nothing_but_the_dataset_is_left(built):
    assert [path.name for path in built.data_path.parent.iterdir()] == ['1.0.0']


def test_processes_do_not_change_the_records(built, tmp_path):
    others = toy.builder(tmp_path, processes=2)
    others.download_and_prepare()
    assert contents(others) == contents(built)


def test_clips_may_be_joined_into_larger_files(built, tmp_path, monkeypatch):
    monkeypatch.setattr(toy.Builder, 'FILE_SIZE', 4)
    joined = toy.builder(tmp_path)
    joined.download_and_prepare()
    datasets.check_whole(joined)
    assert joined.info.splits['train'].shard_lengths == [4, 4, 1]
    assert contents(joined) == contents(built)
    assert [path.name for path in joined.data_path.parent.iterdir()] == ['1.0.0']


def test_an_interrupted_build_goes_on_where_it_was(built, tmp_path):
    log = tmp_path / 'log'
    log.mkdir()
    stopped = toy.builder(tmp_path / 'data', troubles={1: 'interrupt'}, log=log)
    with pytest.raises(KeyboardInterrupt):
        stopped.download_and_prepare()
    assert not stopped.data_path.exists()
    # The longest clips come first, so that 2 and 0 were finished; their hash depends on no clip 1.
    again = toy.builder(tmp_path / 'data', log=log)
    for path in log.iterdir():
        path.unlink()
    again.download_and_prepare()
    assert sorted(path.name.split('.')[0] for path in log.iterdir()) == ['clip_1', 'clip_3']
    assert contents(again) == contents(built)


def test_what_killed_builds_left_is_removed(tmp_path):
    builder = toy.builder(tmp_path)
    (builder.parts_folder.parent / 'incomplete.ABCDEF_1.0.0').mkdir(parents=True)
    builder.parts_folder.mkdir()
    (builder.parts_folder / '.train-clip_0-0.part.123.tmp').touch()
    builder.download_and_prepare()
    assert [path.name for path in builder.data_path.parent.iterdir()] == ['1.0.0']


def test_parts_of_other_labels_are_not_taken(tmp_path):
    stopped = toy.builder(tmp_path, troubles={3: 'interrupt'})
    with pytest.raises(KeyboardInterrupt):
        stopped.download_and_prepare()
    again = toy.builder(tmp_path, frames=(3, 2, 5, 2))
    again.download_and_prepare()
    assert again.info.splits['train'].shard_lengths == [3, 2, 5]


@pytest.mark.parametrize('processes', [1, 2])
def test_all_that_is_wrong_is_said_at_once(tmp_path, processes):
    builder = toy.builder(tmp_path, troubles={0: 'bad', 2: 'bad'}, processes=processes)
    with pytest.raises(building.InputError, match='toys') as caught:
        builder.download_and_prepare()
    assert sorted(caught.value.problems) == ['clip_0 is bad', 'clip_2 is bad']
    assert not builder.data_path.exists()
    assert len(list(builder.parts_folder.glob('*.part'))) == 2  # the other two are kept


def test_a_process_that_dies_is_an_error(tmp_path):
    builder = toy.builder(tmp_path, troubles={2: 'die'}, processes=2)
    with pytest.raises(RuntimeError, match=r'ended from outside.*same command'):
        builder.download_and_prepare()
    assert not builder.data_path.exists()


def test_workers_import_neither_jax_nor_tensorflow():
    program = (
        'import sys\nfrom data_pipeline import datasets\n'
        'for name in datasets.names(): datasets.package(name)\n'
        'print([m for m in ("jax", "tensorflow", "torch", "grain") if m in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert done.stdout == '[]\n', done.stderr


def test_a_second_build_of_the_same_dataset_waits_and_says_so(tmp_path, capsys):
    builder = toy.builder(tmp_path)
    program = (
        'import pathlib, sys\nfrom data_pipeline.building import parts\n'
        'import time\n'
        'with parts.locked(pathlib.Path(sys.argv[1])):\n'
        '    print("ready", flush=True); input(); time.sleep(0.5)'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', program, str(builder.parts_folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        other.stdout.readline()
        other.stdin.write('\n')
        other.stdin.flush()
        builder.download_and_prepare()
        assert f'process {other.pid} is building' in capsys.readouterr().err
    finally:
        other.communicate()
    datasets.check_whole(builder)


def test_a_disk_too_small_is_said_before_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(0, 0, 100))
    builder = toy.builder(tmp_path)
    with pytest.raises(OSError, match=r'100\.0 B free and about .* are needed'):
        builder.download_and_prepare()
    assert not builder.data_path.exists()


def test_a_disk_that_fills_up_keeps_what_is_whole(tmp_path, monkeypatch):
    write = parts.array_record_module.ArrayRecordWriter

    class Full:
        def __init__(self, path, options):
            self.full = 'clip_0' in path
            self.writer = write(path, options)
            self.write = self.writer.write

        def close(self):
            self.writer.close()
            if self.full:
                raise RuntimeError('write() failed: No space left on device; writing')

    monkeypatch.setattr(parts.array_record_module, 'ArrayRecordWriter', Full)
    builder = toy.builder(tmp_path)
    with pytest.raises(OSError, match=r'No space left on device\); make room'):
        builder.download_and_prepare()
    assert not builder.data_path.exists()
    assert [p.name.split('-')[1] for p in builder.parts_folder.glob('*.part')] == ['clip_2']
    assert not list(builder.parts_folder.glob('*.tmp'))


def test_what_the_system_refuses_is_no_part(tmp_path, monkeypatch):
    def refuse(path):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(parts.records, 'to_example', refuse)
    builder = toy.builder(tmp_path)
    with pytest.raises(OSError, match='No space left'):
        builder.download_and_prepare()
    assert not builder.parts_folder.exists()


def test_crops_are_stored_in_the_format_that_is_asked_for():
    rows = np.arange(32)
    image = np.zeros((32, 48, 3), np.uint8)
    image[rows % 2 == 0] = (0, 0, 255)  # lines of red, which only whole resolution keeps
    image[rows % 2 == 1] = (0, 255, 0)

    def stored(crop_format):
        settings = Settings(height=32, width=48, crop_format=crop_format)
        encoded = building.encode_crop(image, settings)
        assert images.ends_whole(encoded)
        error = np.abs(images.decode(encoded).astype(int) - image).mean()
        return encoded[:2], error

    assert stored('png') == (b'\x89P', 0)
    assert stored('webp') == (b'RI', 0)
    (jpeg, whole), (_, half) = stored('jpeg444'), stored('jpeg420')
    assert jpeg == b'\xff\xd8'
    assert whole < 5 < half


def test_a_format_of_crops_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="crop_format is 'jpg'; the nearest is"):
        Settings(crop_format='jpg')

"""Checkpoints are saved, chosen and restored, or are refused in one sentence."""

import errno
import json
import logging
import shutil
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest

from capf_jax.runtime import devices
from capf_jax.runtime.checkpoints import Checkpoints


def state(value):
    return devices.replicate({'params': {'w': np.full((2, 3), value, np.float32)}, 'empty': {}})


def value_of(checkpoints, name='latest'):
    restored = checkpoints.restore(devices.abstract(state(0.0)), name)
    return float(restored['params']['w'][0, 0])


@pytest.fixture
def checkpoints(tmp_path):
    with Checkpoints(tmp_path) as opened:
        yield opened


def test_a_new_workdir_has_none(checkpoints):
    assert checkpoints.step() is None
    assert checkpoints.best_score is None


def test_only_the_latest_and_the_one_before_it_are_kept(checkpoints):
    for step in (1, 2, 3):
        checkpoints.save_latest(step, state(step))
    assert checkpoints.step() == 3
    assert value_of(checkpoints) == 3
    assert sorted(p.name for p in (checkpoints.folder / 'latest').iterdir()) == ['2', '3']


def test_the_best_has_the_lowest_score(checkpoints):
    is_best = [checkpoints.save_best(step, state(step), score) for step, score in SCORES]
    assert is_best == [True, True, False, False]
    assert checkpoints.step('best') == 2
    assert checkpoints.best_score == 40.0
    assert value_of(checkpoints, 'best') == 2


SCORES = [(1, 50.0), (2, 40.0), (3, 45.0), (4, float('nan'))]


def test_a_second_process_finds_them(tmp_path):
    with Checkpoints(tmp_path) as first:
        first.save_latest(7, state(7))
        first.save_best(5, state(5), 12.5)
    with Checkpoints(tmp_path) as second:
        assert (second.step(), second.step('best'), second.best_score) == (7, 5, 12.5)
        assert value_of(second) == 7


def test_restored_arrays_have_the_layout_of_this_run(checkpoints):
    checkpoints.save_latest(1, state(1.0))
    restored = checkpoints.restore(devices.abstract(state(0.0)))
    leaf = restored['params']['w']
    assert isinstance(leaf, jax.Array)
    assert leaf.sharding == state(0.0)['params']['w'].sharding


def test_restoring_what_is_not_there_says_so(checkpoints):
    with pytest.raises(FileNotFoundError, match=r"no checkpoint 'best' in .*train first"):
        checkpoints.restore(devices.abstract(state(0.0)), 'best')


def test_a_full_disk_is_one_sentence_and_the_older_checkpoint_stays(checkpoints, monkeypatch):
    checkpoints.save_latest(1, state(1.0))

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(ocp.StandardCheckpointHandler, 'save', full)
        patch.setattr(ocp.StandardCheckpointHandler, 'async_save', full)
        with pytest.raises(OSError, match=r'step 2 .* the disk is full; .*latest/1') as caught:
            checkpoints.save_latest(2, state(2.0))
    assert '\n' not in str(caught.value)
    assert checkpoints.step() == 1
    assert value_of(checkpoints) == 1
    assert [p.name for p in (checkpoints.folder / 'latest').iterdir()] == ['1']


def test_a_disk_too_small_is_said_before_anything_is_written(checkpoints, monkeypatch):
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(0, 0, 300_000))
    monkeypatch.setattr(ocp.CheckpointManager, 'save', lambda *_, **__: pytest.fail('it begins'))
    with pytest.raises(OSError, match=r'\(1\.0 MB are needed, 0\.3 MB are free\)'):
        checkpoints.save_latest(1, state(1.0))


def test_a_full_disk_is_told_by_nobody_but_the_error(checkpoints, monkeypatch, caplog, capfd):
    """Orbax logs what TensorStore's threads raised; those print what comes of it."""

    def full(*args, **kwargs):
        try:
            raise ValueError('RESOURCE_EXHAUSTED: Disk quota exceeded')
        except ValueError as error:
            logging.getLogger('absl').exception('a thread raised it')
            sys.unraisablehook(sys.exc_info())
            raise error

    monkeypatch.setattr(ocp.StandardCheckpointHandler, 'save', full)
    monkeypatch.setattr(ocp.StandardCheckpointHandler, 'async_save', full)
    with pytest.raises(OSError, match='the disk is full'):
        checkpoints.save_latest(1, state(1.0))
    assert not caplog.records
    assert not capfd.readouterr().err


def test_saving_works_again_after_a_full_disk(checkpoints, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(ocp.StandardCheckpointHandler, 'save', full)
        patch.setattr(ocp.StandardCheckpointHandler, 'async_save', full)
        with pytest.raises(OSError, match='none was before'):
            checkpoints.save_latest(1, state(1.0))
    checkpoints.save_latest(1, state(1.0))
    assert value_of(checkpoints) == 1
    assert json.loads('1') == checkpoints.step()

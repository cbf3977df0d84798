"""The benchmark of windows: both sides of a row compute the same, and memory is a process's own."""

import subprocess
import sys

import numpy as np
import pytest

from benchmarks import machine, sequences, window_streams, window_training
from capf_jax.errors import UserError
from tests import tiny

CROP = (tiny.HEIGHT, tiny.WIDTH)
FRAMES = 3


def config(**model):
    return tiny.windowed(tiny.config(), FRAMES, **model)


def test_a_part_that_does_not_exist_is_named():
    with pytest.raises(UserError, match="--only is 'stream'; the nearest is 'streaming'"):
        next(sequences.rows(only='training+stream'))


def test_parts_come_in_the_order_asked_for(monkeypatch):
    parts = {name: lambda name=name: [machine.Row(name, 1.0)] for name in ('a', 'b', 'c')}
    monkeypatch.setattr(sequences, 'PARTS', parts)
    assert [row.name for row in sequences.rows('c+a')] == ['c', 'a']
    assert [row.name for row in sequences.rows()] == ['a', 'b', 'c']


def test_the_memory_of_a_process_is_not_that_of_the_one_that_started_it():
    held = np.ones(300_000_000, np.uint8)
    program = 'from benchmarks import machine; print(machine.memory("VmHWM"))'
    used = int(subprocess.check_output([sys.executable, '-c', program]))
    assert 10_000_000 < used < machine.memory('VmHWM') - held.nbytes / 2


@pytest.mark.parametrize(
    'programs',
    [
        lambda: window_streams.lifter_programs(config(), FRAMES),
        # tests/inference/test_streaming.py proves the streams themselves.
        pytest.param(
            lambda: window_streams.poseformer_programs(FRAMES, channels=8, layers=1, heads=2),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda: window_streams.picture_programs(config(), FRAMES, CROP),
            marks=pytest.mark.slow,
        ),
    ],
    ids=['ca_pf_s', 'poseformer', 'pictures'],
)
def test_a_new_frame_gives_the_pose_of_its_window(programs):
    new, again = (np.asarray(program()) for program in programs().values())
    assert np.abs(again).max() > 0.01
    np.testing.assert_allclose(new.squeeze(), again.squeeze(), atol=1e-5)


@pytest.fixture
def case(monkeypatch):
    monkeypatch.setattr(window_training, 'FRAMES', FRAMES)
    return window_training.Case('tiny', config(), CROP, windows=2, goal=10.0)


def test_frames_and_targets_of_both_sides_are_told(case, monkeypatch):
    times = {'stored': [0.5], 'detector': [6.0]}
    monkeypatch.setattr(window_training.Case, 'programs', lambda _: {})
    monkeypatch.setattr(
        window_training,
        'median_seconds',
        lambda *_: machine.Medians(times, {name: [] for name in times}),
    )
    row = case.row()
    assert row.cells()[1:5] == ('500.00', '6000.00', '12.00x', '10.0x')
    assert row.name.endswith('2 windows of 3 frames, beside hrnet running on 6 crops of 64x32')
    assert row.note == 'frames/s: 12 and 1.0; targets/s: 4.0 and 0.33'


def test_stored_features_stand_in_for_the_pictures_of_the_same_people():
    stored, seen = (window_training.random_windows(2, FRAMES, CROP, channels=c) for c in (5, 0))
    assert stored.frames.contexts.shape == (6, 2, tiny.JOINTS, 5)
    assert (stored.frames.images.shape, seen.frames.images.shape) == ((6, *CROP, 0), (6, *CROP, 3))
    assert seen.frames.contexts is None
    for windows in (stored, seen):
        np.testing.assert_array_equal(windows.joints3d, seen.frames.joints3d[[1, 4]])


@pytest.mark.slow  # two training steps are compiled
def test_a_step_of_either_side_learns(case):
    for program in case.programs().values():
        _, metrics = program()
        assert metrics['loss'] > 0

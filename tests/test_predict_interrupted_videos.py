"""The command predict on videos that it is interrupted at, or that another command works on."""

import contextlib
import os
import shutil

import pytest

from capf_jax.errors import UserError
from capf_jax.inference import tracks_files
from capf_jax.inference.video import track_parts
from capf_jax.inference.video.track_parts import PartsWriter
from capf_jax.runtime import locks
from tests.predicting import tiny_weights as tiny_weights  # fixtures
from tests.predicting_videos import FRAMES, written
from tests.predicting_videos import finder_of_one as finder_of_one
from tests.predicting_videos import run_on_videos as run_on_videos
from tests.predicting_videos import two_videos as two_videos


@pytest.fixture
def interrupt(run, monkeypatch):
    """Runs the command until so many frames are finished, and Ctrl-C comes."""

    def command(number, *arguments):
        append, finished = PartsWriter.append, []

        def append_or_stop(writer, frame):
            if len(finished) == number:
                raise KeyboardInterrupt
            finished.append(frame)
            append(writer, frame)

        with monkeypatch.context() as patch:
            patch.setattr(PartsWriter, 'append', append_or_stop)
            with pytest.raises(KeyboardInterrupt):
                run(*arguments)

    return command


@pytest.mark.parametrize('is_finished', [False, True])
def test_an_interrupted_overwrite_goes_on(run, interrupt, videos, tmp_path, capsys, is_finished):
    clip, parts = videos / 'one.mkv', tmp_path / 'out' / 'one.parts'
    if is_finished:
        run(clip, '--stride=2')
    interrupt(3, clip, '--overwrite')
    capsys.readouterr()
    interrupt(0, clip, '--overwrite')
    assert f'one.mkv: goes on behind 3 frames of {parts}\n' in capsys.readouterr().out
    assert run(clip, '--overwrite') == 0
    assert f'one.mkv: goes on behind 3 frames of {parts}\n' in capsys.readouterr().out
    assert written(tmp_path) == ['one.npz']
    assert len(tracks_files.read(tmp_path / 'out' / 'one.npz').times) == FRAMES


def test_parts_beside_a_finished_result_are_told(run, interrupt, videos, tmp_path, capsys):
    clip, parts = videos / 'one.mkv', tmp_path / 'out' / 'one.parts'
    run(clip)
    interrupt(1, clip, '--stride=2', '--overwrite')
    capsys.readouterr()
    assert run(clip) == 0
    printed = capsys.readouterr().out
    assert f'{parts} holds 1 frame of a run that was interrupted: --overwrite with' in printed
    assert '1 of 1 videos are finished already' in printed
    (parts / '000000.npz').unlink()
    assert run(clip) == 0
    assert written(tmp_path) == ['one.npz']


@pytest.mark.parametrize(
    ('arguments', 'others'),
    [
        (('--time_range=:0.3',), '--time_range'),
        (('--stride=2', '--fov=70', '--height=2'),
         '--stride, --height, camera'),
    ],
)  # fmt: skip
def test_frames_that_were_made_with_other_options_are_told(
    run, interrupt, videos, capsys, arguments, others
):
    interrupt(3, videos / 'one.mkv')
    capsys.readouterr()
    assert run(videos / 'one.mkv', *arguments) == 0
    assert (
        'one.mkv: 3 frames of an interrupted run are removed and made again, since it had '
        f'another {others}\n'
    ) in capsys.readouterr().out


def test_frames_of_another_video_of_that_name_are_told(run, interrupt, videos, tmp_path, capsys):
    interrupt(3, videos / 'one.mkv')
    clip = tmp_path / 'one.mkv'
    shutil.copyfile(videos / 'two.mkv', clip)
    assert run(clip) == 0
    assert 'since it had another video file' in capsys.readouterr().out


@pytest.fixture
def other_command(tmp_path, monkeypatch):
    """Another command that is at work on a video while this one waits, and what it does then."""

    def start(stem, work):
        stack = contextlib.ExitStack()
        stack.enter_context(locks.locked(tmp_path / 'out', 'is at work', f'.{stem}.lock'))

        def end(seconds):
            work()
            stack.close()

        monkeypatch.setattr(locks.time, 'sleep', end)

    return start


def test_what_another_command_finishes_meanwhile_is_finished(
    run, videos, tmp_path, other_command, capsys
):
    clip, out = videos / 'one.mkv', tmp_path / 'out'
    run(clip, '--stride=2')
    before = (out / 'one.npz').read_bytes()
    (out / 'one.npz').unlink()
    capsys.readouterr()
    other_command('one', lambda: (out / 'one.npz').write_bytes(before))
    assert run(clip) == 0
    captured = capsys.readouterr()
    process = f'process {os.getpid()} is at work on a video called one in {out}: waiting'
    assert captured.err.count(process) == 1
    assert f'one.mkv was finished meanwhile by another command: {out / "one.npz"}\n' in captured.out
    assert 'with another --stride, and stay so without --overwrite' in captured.out
    assert (out / 'one.npz').read_bytes() == before


def test_what_another_command_leaves_is_gone_on_with(
    run, interrupt, videos, tmp_path, other_command, capsys
):
    clip, out = videos / 'one.mkv', tmp_path / 'out'
    interrupt(3, clip)
    shutil.move(out / 'one.parts', tmp_path / 'kept')
    other_command('one', lambda: shutil.move(tmp_path / 'kept', out / 'one.parts'))
    assert run(clip) == 0
    assert 'goes on behind 3 frames' in capsys.readouterr().out
    assert written(tmp_path) == ['one.npz']


def test_a_finished_result_that_another_command_makes_again_stays_finished(
    run, interrupt, videos, tmp_path, capsys
):
    run(videos / 'one.mkv')
    interrupt(2, videos / 'one.mkv', '--overwrite')
    capsys.readouterr()
    with locks.locked(tmp_path / 'out', 'is at work', '.one.lock'):
        assert run(videos / 'one.mkv') == 0
    assert capsys.readouterr().out == '1 of 1 videos are finished already (--overwrite redoes)\n'
    assert (tmp_path / 'out' / 'one.parts').is_dir()


def test_parts_that_another_program_removes_are_missed(run, videos, tmp_path, monkeypatch):
    monkeypatch.setattr(track_parts, 'FRAMES_IN_PART', 2)
    append, out = PartsWriter.append, tmp_path / 'out'

    def append_and_remove(writer, frame):
        append(writer, frame)
        (out / 'one.parts' / '000000.npz').unlink(missing_ok=True)

    with monkeypatch.context() as patch:
        patch.setattr(PartsWriter, 'append', append_and_remove)
        with pytest.raises(UserError, match='holds 2 of the 4 frames that were stored there'):
            run(videos / 'one.mkv')
    assert written(tmp_path) == ['one.parts']
    assert run(videos / 'one.mkv') == 0
    assert len(tracks_files.read(out / 'one.npz').times) == FRAMES

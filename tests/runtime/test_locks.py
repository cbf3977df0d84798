"""Two commands in one place: the second waits and says so; a killed one leaves nothing behind."""

import errno
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from capf_jax.runtime import files, locks

HOLDER = """
import pathlib, sys, time
from capf_jax.runtime import locks
with locks.locked(pathlib.Path(sys.argv[1]), 'is training'):
    print('ready', flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder, seconds):
    command = [sys.executable, '-c', HOLDER, str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == 'ready\n'
    return process


def test_the_second_command_waits_and_says_for_whom(tmp_path, capsys):
    with holder(tmp_path, 0.5) as first:
        with locks.locked(tmp_path, 'is training'):
            assert first.poll() is not None or not (tmp_path / 'absent').exists()
        assert f'process {first.pid} is training in {tmp_path}: waiting' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_is_locked_while_a_command_is_at_work_there(tmp_path):
    assert not locks.is_locked(tmp_path)
    with locks.locked(tmp_path, 'is training'):
        assert locks.is_locked(tmp_path)
        assert not locks.is_locked(tmp_path, '.other')
    (tmp_path / '.lock').touch()  # as a killed command leaves it
    assert not locks.is_locked(tmp_path)


def test_a_lock_that_may_not_be_read_is_none(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, 'Permission denied')

    monkeypatch.setattr(locks, 'open', refuse, raising=False)  # root may read every file
    assert not locks.is_locked(tmp_path)


def test_a_killed_command_leaves_no_lock(tmp_path, capsys):
    with holder(tmp_path, 60) as first:
        first.kill()
        first.wait()
        with locks.locked(tmp_path, 'is training'):
            pass
    assert not capsys.readouterr().err


WRITER = """
import pathlib, sys, time
from capf_jax.runtime import files
with files.whole(sys.argv[1]) as temporary:
    temporary.write_text('half')
    print('ready', flush=True)
    time.sleep(60)
"""


def test_what_a_killed_command_left_half_written_goes_with_the_next_write(tmp_path):
    target = tmp_path / 'table.json'
    with subprocess.Popen(
        [sys.executable, '-c', WRITER, str(target)], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        files.write_json(target, 1)
        assert len(list(tmp_path.iterdir())) == 2  # the other one is alive
        process.kill()
        process.wait()
        files.write_json(target, 2)
    assert [path.name for path in tmp_path.iterdir()] == ['table.json']


def descendants(pid):
    """All processes that a process has started, and those that they have."""
    children = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
    try:
        direct = [int(child) for child in children.read_text().split()]
    except OSError:
        return []
    return direct + [one for child in direct for one in descendants(child)]


def alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


# What a shell runs in the background ignores Ctrl-C, and so would the command of this test.
HEEDING_INTERRUPTS = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='processes are found in /proc')
@pytest.mark.parametrize(
    ('workers', 'numbers'),
    [
        (1, (signal.SIGKILL,)),
        (3, (signal.SIGKILL,)),
        (1, (signal.SIGTERM,)),
        (3, (signal.SIGINT, signal.SIGINT)),
    ],
    ids=['killed at the start', 'killed at work', 'terminated at the start', 'Ctrl-C twice'],
)
def test_no_process_outlives_a_build(workers, numbers, tmp_path):
    command = [
        *(sys.executable, '-c', HEEDING_INTERRUPTS),
        *('-m', 'data_pipeline.build', 'synthetic', f'--data_dir={tmp_path}'),
        *('--size=64x32', '--train_size=50000', '--test_size=10', '--processes=3'),
    ]
    root = pathlib.Path(__file__).parents[2]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=root) as process:
        deadline = time.monotonic() + 60
        while len(descendants(process.pid)) < workers + 1:  # Python's resource tracker is one.
            assert time.monotonic() < deadline
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        time.sleep(3 if workers == 3 else 0)
        started = descendants(process.pid)
        for number in numbers:
            os.kill(process.pid, number)
            time.sleep(0.1)
        begun = time.monotonic()
        while process.poll() is None or any(map(alive, started)):
            assert time.monotonic() - begun < 60, [one for one in started if alive(one)]
            time.sleep(0.1)
        # A worker whose parent is killed while it starts may still say so in Python's own words.
        if signal.SIGKILL not in numbers:
            assert 'Traceback' not in process.stderr.read()

"""A signal lets the step under way end; several processes stop after the same step."""

import os
import signal
import time

import pytest

from capf_jax.runtime import processes, signals
from capf_jax.runtime.stopping import StopRequest
from tests.several_processes import several


def stop_after_a_signal():
    """Prints when it is ready, and after which step it stopped for which signal."""
    with processes.joined(['--distributed']), StopRequest() as stop:
        for step in range(1, 10_000):
            if step == 3:
                print('third step', flush=True)
            if stop.reached(step):
                print(step, stop.signal, flush=True)
                break
            time.sleep(0.02)


def take_long_over_a_step():
    """A step that the first Ctrl-C does not end."""
    with processes.joined(['--distributed']), StopRequest() as stop:
        print('third step', flush=True)
        while True:
            time.sleep(0.02)
            if stop.signal is not None:
                print('first', flush=True)


@pytest.fixture
def default_signals():
    """Ctrl-C as in a terminal, also where the tests run in the background of a shell."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures('default_signals')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_after_the_step(number):
    with StopRequest() as stop:
        assert not stop.reached(1)
        signal.raise_signal(number)
        assert stop.reached(2)
    assert stop.signal == number


@pytest.mark.usefixtures('default_signals')
def test_a_second_signal_ends_the_process_at_once():
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert handlers == [signals.end_at_once] * 2


@pytest.mark.usefixtures('default_signals')
def test_signals_act_as_before_once_it_is_left():
    with StopRequest():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_two_processes_stop_after_the_same_step(number, tmp_path):
    with several(stop_after_a_signal, [()] * 2, tmp_path) as running:
        running.wait_until(lambda: all(running.output(i, 'stdout') for i in range(2)))
        os.kill(running.processes[1].pid, number)
        assert running.exit_codes() == [0, 0], running.all_output()
        ends = [running.output(i, 'stdout').split()[2:] for i in range(2)]
    assert ends[0][0] == ends[1][0]
    assert [int(end[1]) for end in ends] == [signal.SIGTERM, number]


def test_a_second_ctrl_c_ends_a_process_of_several_at_once(tmp_path):
    with several(take_long_over_a_step, [()] * 2, tmp_path) as running:
        running.wait_until(lambda: all(running.output(i, 'stdout') for i in range(2)))
        os.kill(running.processes[0].pid, signal.SIGINT)
        running.wait_until(lambda: 'first' in running.output(0, 'stdout'))
        begin = time.monotonic()
        os.kill(running.processes[0].pid, signal.SIGINT)
        running.processes[0].join()
        assert time.monotonic() - begin < 5
        assert running.exit_codes() == [128 + signal.SIGINT, 2], running.all_output()
        assert running.output(0).splitlines()[1:] == ['stopped at once by a second signal']
        assert running.output(1).startswith('error: process 0 of this run has ended without a word')

"""A signal lets the step under way end; several processes stop after the same step."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from capf_jax.runtime import signals
from capf_jax.runtime.stopping import StopRequest

PROGRAM = """
import sys, time
import jax
from capf_jax.runtime import processes
from capf_jax.runtime.stopping import StopRequest
processes.join_processes(['--distributed'])
with StopRequest() as stop:
    for step in range(1, 1000):
        if step == 3:
            print('third step', flush=True)
        if stop.reached(step):
            print(step, stop.signal, flush=True)
            break
        time.sleep(0.02)
"""


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
def test_two_processes_stop_after_the_same_step(number):
    with socket.socket() as one:
        one.bind(('localhost', 0))
        port = one.getsockname()[1]
    shared = {
        **os.environ,
        'JAX_PLATFORMS': 'cpu',
        'JAX_COORDINATOR_ADDRESS': f'localhost:{port}',
        'JAX_NUM_PROCESSES': '2',
        'XLA_FLAGS': '',
    }
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', PROGRAM],
            env={**shared, 'JAX_PROCESS_ID': str(index)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == 'third step\n', process.stderr.read()
    processes[1].send_signal(number)
    ends = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        ends.append(output.split())
    assert ends[0][0] == ends[1][0]
    assert [int(end[1]) for end in ends] == [signal.SIGTERM, number]

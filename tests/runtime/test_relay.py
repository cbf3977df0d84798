"""Behind the relay a process's connection outlives process 0."""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

from capf_jax.runtime import relay_process
from capf_jax.runtime.relay import Relay


@pytest.fixture
def ends():
    """The two ends of a relayed connection, and the event that process 0 was lost."""
    lost = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as server:
        relay = Relay(f'127.0.0.1:{server.getsockname()[1]}', 30, lost.set)
        host, port = relay.address.split(':')
        near = socket.create_connection((host, int(port)))
        far, _ = server.accept()
        with near, far:
            near.settimeout(30)
            far.settimeout(30)
            near.sendall(b'hello')  # From here on the connection stands.
            assert far.recv(100) == b'hello'
            yield near, far, lost
        relay.close()


def test_both_ways_are_forwarded(ends):
    near, far, lost = ends
    near.sendall(b'question')
    assert far.recv(100) == b'question'
    far.sendall(b'answer')
    assert near.recv(100) == b'answer'
    assert not lost.is_set()


def test_words_are_forwarded_while_this_process_keeps_pythons_lock(ends):
    near, far, _ = ends
    keeping = ctypes.PyDLL(None)  # Its calls keep the lock, as some of JAX's do.
    place = ctypes.create_string_buffer(10)
    for one in (near, far):
        one.settimeout(None)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 5, 0))
    for source, goal in ((near, far), (far, near)):
        assert keeping.send(source.fileno(), b'word', 4, 0) == 4
        assert keeping.recv(goal.fileno(), place, 4, 0) == 4


@pytest.mark.parametrize('is_reset', [False, True])
def test_the_end_of_process_0_is_told_and_not_passed_on(ends, is_reset):
    near, far, lost = ends
    if is_reset:  # as for a process that is killed before it has read everything
        near.sendall(b'unread')
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    far.close()
    near.sendall(b'more')  # The relay may meet the end while it writes.
    assert lost.wait(10)
    near.sendall(b'still more')
    near.settimeout(0.2)
    with pytest.raises(TimeoutError):
        near.recv(100)


def test_the_end_of_this_process_is_passed_on(ends):
    near, far, lost = ends
    near.close()
    assert far.recv(100) == b''
    assert not lost.is_set()


def test_a_connection_may_close_at_both_ends_at_once():
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.settimeout(30)
        program = [sys.executable, relay_process.__file__, '127.0.0.1']
        with subprocess.Popen(
            [*program, str(server.getsockname()[1]), '30'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            address = '127.0.0.1', int(process.stdout.readline())
            for _ in range(2):  # The second connection shows that the first has broken nothing.
                near = socket.create_connection(address, timeout=30)
                far, _ = server.accept()
                with far, near:  # The near one closes first.
                    far.settimeout(30)
                    near.sendall(b'hello')
                    assert far.recv(100) == b'hello'
                    os.kill(process.pid, signal.SIGSTOP)  # It then meets both ends with one look.
                os.kill(process.pid, signal.SIGCONT)
            process.stdin.close()
            assert process.wait(30) == 0

"""The program that forwards a process's connections to process 0; `relay` starts it.

It is a process of its own since some calls of JAX keep Python's lock while they wait for an answer
of process 0, such as the one that finds the step to stop after: a thread of the same process would
not get to forward it. It imports nothing but the standard library, so that it starts at once.

    python relay_process.py HOST PORT SECONDS

It prints the port on which it listens, then 'trouble WHY' ('trouble' alone when it is over) and
'lost'. It reads 'watch' and 'rest', and ends when its input ends, which is when its parent does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
import time

_LOOK = 0.5  # seconds between two looks at whether process 0 is silent
_BLOCK = 1 << 16  # bytes


class _Forwarding:
    """All connections, and what is known of process 0."""

    def __init__(self, goal: tuple[str, int], silence: float) -> None:
        """Opens the socket.

        Args:
          goal: host and port of process 0.
          silence: seconds without an answer after which process 0 counts as gone, while it is
            watched and on another machine.
        """
        self._goal, self._silence = goal, silence
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._is_near = False  # whether process 0 is on this machine
        self._is_watched = self._is_lost = False
        self._asks, self._waits = False, 0.0  # whether, and for how long, an answer is awaited
        self._other: dict[socket.socket, socket.socket] = {}  # of a connection, its other half
        _say(str(self._listener.getsockname()[1]))

    def obey(self) -> None:
        """Does what the parent says, and ends with it."""
        for line in sys.stdin:
            self._waits, self._is_watched = 0.0, line.strip() == 'watch'
        os._exit(0)

    def run(self) -> None:
        """Forwards for ever."""
        looked_at = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(_LOOK):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if source is self._listener:
                        self._connect(selector)
                    elif self._is_open(source, selector):
                        self._forward(source, selector)
                now = time.monotonic()
                # Time in which this process itself was stopped is no silence of process 0.
                passed, looked_at = min(now - looked_at, 2 * _LOOK), now
                if self._is_watched and self._asks and not self._is_near:
                    self._waits += passed
                    if self._waits > self._silence:
                        self._lose()

    def _is_open(self, source: socket.socket, selector: selectors.BaseSelector) -> bool:
        # Of two halves that end at once, the second was closed or left with the first. A selector
        # cannot be asked about a closed socket, which has no number any more.
        return source in self._other and source in selector.get_map()

    def _connect(self, selector: selectors.BaseSelector) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._goal, timeout=5)
        except OSError as error:
            _say(f'trouble {error.strerror or error}')
            near.close()  # JAX tries again: process 0 may not have begun.
            return
        _say('trouble')
        # The system itself closes the connections of a process of this machine that has ended.
        with contextlib.suppress(OSError):  # It may have ended already.
            self._is_near = far.getpeername()[0] == far.getsockname()[0]
        far.settimeout(None if self._is_near else self._silence)
        for one, other in ((near, far), (far, near)):
            with contextlib.suppress(OSError):  # It may have ended already.
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._other[one] = other
            selector.register(one, selectors.EVENT_READ, one is far)

    def _forward(self, source: socket.socket, selector: selectors.BaseSelector) -> None:
        other, is_far = self._other[source], selector.get_key(source).data
        far = source if is_far else other
        ended = None
        try:
            block = source.recv(_BLOCK)
        except OSError:
            block = b''
        if not block:
            ended = source
        else:
            try:
                other.sendall(block)
            except OSError:
                ended = other
        if ended is None:
            if is_far or not self._asks:
                self._asks, self._waits = not is_far, 0.0
            return
        with contextlib.suppress(KeyError):  # The far half may have been left already.
            selector.unregister(far)
        if ended is far:  # The near half stays open, which is what all this is for.
            self._lose()
            return
        near = other if is_far else source
        selector.unregister(near)
        for one in (near, far):
            del self._other[one]
            one.close()

    def _lose(self) -> None:
        self._is_watched = False
        if not self._is_lost:
            self._is_lost = True
            _say('lost')


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # The parent may have ended.
        print(line, flush=True)


def main() -> None:
    """Runs until the parent ends, whatever signals come: the parent answers them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    host, port, silence = sys.argv[1:]
    forwarding = _Forwarding((host, int(port)), float(silence))
    threading.Thread(target=forwarding.obey, daemon=True).start()
    forwarding.run()


if __name__ == '__main__':
    main()

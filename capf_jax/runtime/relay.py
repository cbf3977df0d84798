"""The way of a process to process 0, through a socket of its own that outlives process 0.

JAX's client ends its process with a C++ stack trace at the moment when its connection closes.
Behind the relay that connection stays open when process 0 has ended, so that a sentence can be
told.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable

_LOOK = 0.5  # seconds between two looks at whether process 0 is silent
_BLOCK = 1 << 16  # bytes


class Relay:
    """Forwards the connections of this process to process 0, in a thread.

    Attributes:
      address: where this process connects to instead, 'host:port'.
      trouble: why process 0 was not reached at the last attempt; '' where it was.
      is_lost: whether process 0 was there and is gone.
    """

    def __init__(self, address: str, silence: float, lost: Callable[[], None]) -> None:
        """Opens the socket and starts the thread.

        Args:
          address: of process 0, 'host:port'.
          silence: seconds without a word after which process 0 counts as gone, while it is watched.
          lost: called once, by the thread, when process 0 is gone.
        """
        host, _, port = address.rpartition(':')
        self._goal = host.strip('[]'), int(port)
        self._silence, self._lost = silence, lost
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.address = f'127.0.0.1:{self._listener.getsockname()[1]}'
        self.trouble, self.is_lost = '', False
        self._watching, self._heard_at = False, 0.0
        self._far: dict[socket.socket, socket.socket] = {}  # of a connection, its other half
        threading.Thread(target=self._run, name='relay', daemon=True).start()

    def watch(self, on: bool) -> None:
        """Says whether process 0 is to be heard from all the time, since this process asks it."""
        self._heard_at = time.monotonic()
        self._watching = on

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(_LOOK):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if source is self._listener:
                        self._connect(selector)
                    elif source in selector.get_map():  # Its other half may have ended just now.
                        self._forward(source, selector)
                if self._watching and time.monotonic() - self._heard_at > self._silence:
                    self._tell()

    def _connect(self, selector: selectors.BaseSelector) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._goal, timeout=5)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            near.close()  # JAX tries again: process 0 may not have begun.
            return
        self.trouble = ''
        far.settimeout(self._silence)
        for one, other in ((near, far), (far, near)):
            with contextlib.suppress(OSError):  # It may have ended already.
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._far[one] = other
            selector.register(one, selectors.EVENT_READ, one is far)

    def _forward(self, source: socket.socket, selector: selectors.BaseSelector) -> None:
        other, is_far = self._far[source], selector.get_key(source).data
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
            if is_far:
                self._heard_at = time.monotonic()
            return
        with contextlib.suppress(KeyError):  # The far half may have been left already.
            selector.unregister(far)
        if ended is far:  # The near half stays open, which is what all this is for.
            self._tell()
            return
        near = other if is_far else source
        selector.unregister(near)
        for one in (near, far):
            del self._far[one]
            one.close()

    def _tell(self) -> None:
        self._watching = False
        if not self.is_lost:
            self.is_lost = True
            self._lost()

"""The way of a process to process 0, through sockets of another process that outlive process 0.

JAX's client ends its process with a C++ stack trace at the moment when its connection closes.
Behind the relay that connection stays open when process 0 has ended, so that a sentence can be
told.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable

_PROGRAM = pathlib.Path(__file__).with_name('relay_process.py')


class Relay:
    """Forwards the connections of this process to process 0, by a process that ends with this one.

    Attributes:
      address: where this process connects to instead, 'host:port'.
      trouble: why process 0 was not reached at the last attempt; '' where it was.
      is_lost: whether process 0 was there and is gone.
    """

    def __init__(self, address: str, silence: float, lost: Callable[[], None]) -> None:
        """Starts the other process.

        Args:
          address: of process 0, 'host:port'.
          silence: seconds without an answer after which process 0 counts as gone, while it is
            watched and on another machine.
          lost: called once, by a thread, when process 0 is gone.

        Raises:
          OSError: the other process did not start.
        """
        host, _, port = address.rpartition(':')
        self._lost = lost
        self.trouble, self.is_lost = '', False
        # Without `-S` and `-I`, Python would first look for packages. A terminal sends Ctrl-C to
        # all processes of its session.
        self._process = subprocess.Popen(
            [sys.executable, '-S', '-I', _PROGRAM, host.strip('[]'), str(int(port)), str(silence)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        own_port = self._line()
        if not own_port:
            raise OSError('the relay to process 0 did not start')
        self.address = f'127.0.0.1:{own_port}'
        self._thread = threading.Thread(target=self._run, name='relay', daemon=True)
        self._thread.start()

    def watch(self, on: bool) -> None:
        """Says whether process 0 is to answer all the time, since this process asks it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(b'watch\n' if on else b'rest\n')

    def close(self) -> None:
        """Ends the other process, and the connections with it."""
        self._process.kill()
        self._process.wait()
        self._thread.join()  # It reads until the end.
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode(errors='replace').strip()

    def _run(self) -> None:
        while line := self._line():
            word, _, rest = line.partition(' ')
            if word == 'trouble':
                self.trouble = rest
            elif word == 'lost':
                self.is_lost = True
                self._lost()

"""How the processes of a run notice that one of them has ended, and end too.

Every process says once a second that it lives, in JAX's key-value store, which is in process 0.
Process 0 looks for one that has fallen silent; of one on its own machine it asks the system, so
that a machine with too much to do ends no run. A process that fails says so there, with its
sentence. The others then end by themselves, also where the devices would wait for ever.
"""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn, Protocol

from capf_jax.errors import UserError

INTERVAL = 1.0  # seconds between two signs of life
SILENCE = 20.0  # seconds without one after which a process counts as gone
LONG_SILENCE = 60.0  # the same of process 0, whose connections end with it where it is killed
SHORT_SILENCE = 6.0  # the same once the devices have failed to reach somebody
GRACE = 2.0  # seconds that the main thread has to end by itself
_LAST_WORDS = 5.0  # seconds that process 0 stays for the others to hear why

_ALIVE, _ENDED, _LEFT, _PLACE = 'alive', 'ended', 'left', 'place'  # folders of the store


class Store(Protocol):
    """What all processes of a run can read and write."""

    def put(self, key: str, value: str) -> None:
        """Writes a value; an older one is replaced."""
        ...

    def folder(self, name: str) -> dict[str, str]:
        """All values whose key is NAME/KEY, by KEY."""
        ...


class EndedError(UserError):
    """Another process of the run has ended, and so must this one."""


class Watch:
    """The thread that says that this process lives, and hears when another one has ended."""

    def __init__(
        self,
        store: Store,
        index: int,
        count: int,
        end: Callable[[str], None],
        *,
        interval: float = INTERVAL,
        silence: float = SILENCE,
        short_silence: float = SHORT_SILENCE,
    ) -> None:
        """Starts the thread.

        Args:
          store: of the run.
          index: this process among `count`.
          count: number of processes.
          end: called by the thread with a sentence where the main thread does not end by itself.
          interval: seconds between two signs of life.
          silence: seconds without one after which a process counts as gone.
          short_silence: the same after `heard_within` was called.
        """
        self._store, self._index, self._count, self._end = store, index, count, end
        self._interval, self._silence, self._short = interval, silence, short_silence
        self._reason = ''
        self._store_is_gone = False
        self._silent: frozenset[int] = frozenset()  # processes without a sign of life
        self._heard, self._main_ends, self._stopped = (threading.Event() for _ in range(3))
        threading.Thread(target=self._run, name='watch', daemon=True).start()

    def check(self) -> None:
        """EndedError if another process has ended."""
        if self._reason:
            raise EndedError(self._reason)

    def heard_within(self, seconds: float) -> str:
        """Waits until it is known which process has ended; '' if that does not come to light."""
        self._silence = min(self._silence, self._short)
        self._heard.wait(seconds)
        return self._reason

    def main_thread_ends(self) -> None:
        """Leaves the last words to the main thread."""
        self._main_ends.set()

    def stop(self) -> None:
        """Ends the thread: this process has finished as it should."""
        self._stopped.set()

    def lose(self, index: int, sentence: str = '') -> None:
        """Takes note that another process has ended.

        Args:
          index: of that process.
          sentence: its last words; '' if it had none.
        """
        if self._reason or self._stopped.is_set():
            return
        self._store_is_gone = index == 0 and not sentence
        if sentence:
            self._reason = (
                f'process {index} of this run has ended, and so do the others: {sentence}'
            )
        else:
            self._reason = (
                f'process {index} of this run has ended without a word (it was killed, or its '
                'machine or network is down), and so do the others: start all of them again with '
                'the same command, which goes on from the last checkpoint'
            )
        self._heard.set()
        threading.Thread(target=self._end_soon, name='end', daemon=True).start()

    def say_last_words(self, sentence: str) -> None:
        """Tells the others why this process ends; process 0 stays until they have heard it.

        Args:
          sentence: for the users of the other processes.
        """
        if self._store_is_gone:
            return
        with contextlib.suppress(Exception):
            if not self._reason:
                self._store.put(f'{_ENDED}/{self._index}', sentence)
            self._store.put(f'{_LEFT}/{self._index}', '')
            until = time.monotonic() + _LAST_WORDS
            while self._index == 0 and time.monotonic() < until:
                if len(self._store.folder(_LEFT)) >= self._count - len(self._silent):
                    return
                time.sleep(0.1)

    def _end_soon(self) -> None:
        if not self._main_ends.wait(GRACE) and not self._stopped.is_set():
            self._end(self._reason)

    def _run(self) -> None:
        signs: dict[str, str] = {}
        silence: dict[str, float] = dict.fromkeys(map(str, range(self._count)), 0.0)
        number, here, looked_at = 0, _machine(), time.monotonic()
        with contextlib.suppress(Exception):
            self._store.put(f'{_PLACE}/{self._index}', f'{here} {os.getpid()}')
        while not self._stopped.wait(self._interval):
            number += 1
            try:
                self._store.put(f'{_ALIVE}/{self._index}', str(number))
                ended = self._store.folder(_ENDED)
                there = self._store.folder(_ALIVE) if self._index == 0 else {}
                places = self._store.folder(_PLACE) if self._index == 0 else {}
            except Exception:  # `Relay` and JAX itself notice that the store is gone.
                continue
            for index, sentence in sorted(ended.items()):
                if int(index) != self._index:
                    self.lose(int(index), sentence)
            if self._index:
                continue
            now = time.monotonic()
            # Time in which this process itself was stopped is no silence of another one.
            passed, looked_at = min(now - looked_at, 3 * self._interval), now
            for key in silence:
                silence[key] = silence[key] + passed if signs.get(key) == there.get(key) else 0.0
            signs = there
            for key, place in places.items():
                machine, _, process = place.rpartition(' ')
                if here and machine == here:
                    silence[key] = 0.0 if _lives(int(process)) else math.inf
            silent = [int(key) for key, seconds in silence.items() if seconds > self._silence]
            self._silent = frozenset(silent) - {0}
            for index in sorted(self._silent):
                with contextlib.suppress(Exception):
                    self._store.put(f'{_ENDED}/{index}', '')
                self.lose(index)


def _machine() -> str:
    """What two processes have in common that see the same process numbers; '' if not known."""
    try:
        boot = pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
        return f'{boot} {os.readlink("/proc/self/ns/pid")}'
    except OSError:
        return ''


def _lives(process: int) -> bool:
    """Whether a process of this machine runs; one whose parent has not asked for its end does not.

    Args:
      process: its number.
    """
    try:
        os.kill(process, 0)  # It sends nothing, and also finds processes that /proc hides.
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        state = pathlib.Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return True  # It ended just now, or is hidden; the next look will tell.
    return state not in 'ZX'


def end_process(code: int) -> NoReturn:
    """Ends this process without waiting for the others, as Python's own end would."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)

"""What Ctrl-C and SIGTERM do: the first one unwinds, the second one ends the process at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def unwind_once() -> None:
    """Lets the next signal raise KeyboardInterrupt(number), so that half-written files go away.

    A signal that is ignored, as a shell does for programs in its background, stays ignored.
    """
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _unwind)


def end_at_once_from_now_on() -> None:
    """Lets the next signal end the process, since one before it is being answered already."""
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end_at_once)


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """Ends the process without unwinding; its workers notice and end too."""
    del frame
    with contextlib.suppress(OSError):
        os.write(2, b'\nstopped at once by a second signal\n')
    os._exit(128 + number)


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Signals that come within are answered behind the block, which therefore must be short.

    Python starts processes in several steps, and one that is interrupted between two of them
    leaves a process that waits for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread answers signals.
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in NUMBERS}
    caught = [number for number, handler in before.items() if callable(handler)]
    for number in caught:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])
        for number in came:
            signal.raise_signal(number)


def _unwind(number: int, frame: FrameType | None) -> None:
    del frame
    end_at_once_from_now_on()
    raise KeyboardInterrupt(number)

"""The frames of a live camera, of which only the latest waits, so that a delay does not grow."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import cv2

from capf_jax.errors import UserError
from capf_jax.inference.video.video_frames import CutShortError, Frame

PREFIX = 'camera:'
PATIENCE = 3.0  # seconds without a picture after which a camera counts as taken away


class Capture(Protocol):
    """What gives pictures, as `cv2.VideoCapture` does."""

    def isOpened(self) -> bool:
        """Whether there is such a camera."""
        ...

    def read(self) -> tuple[bool, Any]:
        """Whether there is a picture, and its pixels, BGR."""
        ...

    def release(self) -> None:
        """Gives the camera back."""
        ...


def number_of(source: Any) -> int | None:
    """The number in 'camera:0'; None of other sources.

    Raises:
      UserError: what follows 'camera:' is no number.
    """
    if not isinstance(source, str) or not source.startswith(PREFIX):
        return None
    number = source.removeprefix(PREFIX)
    if not number.isdecimal():
        raise UserError(f'{source!r} names no camera; write camera:0 for the first, camera:1 ...')
    return int(number)


def read(
    number: int,
    open_capture: Callable[[int], Capture] = cv2.VideoCapture,
    patience: float = PATIENCE,
) -> Generator[Frame, None, None]:
    """The latest picture of a camera, each time one is asked for; it waits for a new one.

    The `time` of a frame is when its picture arrived, in seconds after the first one. Frames that
    nobody asked for in time are left out, so that their numbers have gaps.

    Raises:
      UserError: there is no such camera.
      CutShortError: the camera gives no more pictures.
    """
    capture = open_capture(number)
    try:
        if not capture.isOpened():
            raise UserError(
                f'there is no camera {number}, or another program uses it; plug it in, or name '
                f'another, such as camera:{1 - min(number, 1)}'
            )
        yield from _latest(number, capture, patience)
    finally:
        capture.release()


def _latest(number: int, capture: Capture, patience: float) -> Iterator[Frame]:
    changed = threading.Condition()
    latest: list[Frame] = []
    state = {'has_ended': False, 'is_lost': False}
    start = time.monotonic()

    def fill() -> None:
        count, last = 0, time.monotonic()
        while not state['has_ended']:
            is_read, pixels = capture.read()
            now = time.monotonic()
            if not is_read or pixels is None:
                if now - last >= patience:
                    break
                time.sleep(0.005)
                continue
            last = now
            with changed:
                rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
                latest[:] = [Frame(count, now - start, rgb, now)]
                changed.notify()
            count += 1
        with changed:
            state['is_lost'] = True
            changed.notify()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    count, first = 0, None
    try:
        while True:
            with changed:
                changed.wait_for(lambda: latest or state['is_lost'])
                frame = latest.pop() if latest else None
            if frame is None:
                raise CutShortError(
                    f'camera {number} gives no more pictures after {count} frames; plug it in '
                    'again and start again'
                )
            first = frame.time if first is None else first
            count += 1
            yield dataclasses.replace(frame, time=frame.time - first)
    finally:
        state['has_ended'] = True
        thread.join()

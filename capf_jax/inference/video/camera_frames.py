"""The frames of a live camera, of which only the latest waits, so that a delay does not grow."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import cv2

from capf_jax.errors import UserError
from capf_jax.inference import sources
from capf_jax.inference.video.video_frames import CutShortError, Frame, FrameChoice

PREFIX = sources.CAMERA
PATIENCE = 3.0  # seconds without a picture after which a camera counts as taken away
_MOST = 99  # OpenCV takes higher numbers for another way to reach the cameras


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
      UserError: what follows 'camera:' is no number of a camera.
    """
    if not isinstance(source, str) or not source.startswith(PREFIX):
        return None
    number = source.removeprefix(PREFIX)
    if not number.isdecimal() or int(number) > _MOST:
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
    with _silent_opencv():
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


def chosen(
    frames: Generator[Frame, None, None], choice: FrameChoice
) -> Generator[Frame, None, None]:
    """Those of a camera's frames that are chosen; behind the stop time the camera is left.

    Times count from the camera's first picture. The stride is in pictures that the camera gave, so
    that those which were left out for want of time count, too.

    Args:
      frames: of `read`; they are closed at the end.
      choice: range of time and stride.
    """
    next_number = 0
    with contextlib.closing(frames):
        for frame in frames:
            if choice.stop is not None and frame.time >= choice.stop:
                return
            if frame.time >= choice.start and frame.number >= next_number:
                next_number = frame.number + choice.stride
                yield frame


@contextlib.contextmanager
def _silent_opencv() -> Iterator[None]:
    """Keeps OpenCV from logging each way in which it did not find a camera."""
    logging = cv2.utils.logging
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _latest(number: int, capture: Capture, patience: float) -> Iterator[Frame]:
    changed = threading.Condition()
    latest: list[Frame] = []
    has_ended, is_lost = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    start = time.monotonic()

    def take() -> None:
        count, last = 0, time.monotonic()
        while not has_ended.is_set():
            is_read, pixels = capture.read()
            now = time.monotonic()
            if not is_read or pixels is None:
                if now - last >= patience:
                    break
                time.sleep(0.005)
                continue
            last = now
            rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            with changed:
                latest[:] = [Frame(count, now - start, rgb, now)]
                changed.notify()
            count += 1

    def fill() -> None:
        try:
            take()
        except BaseException as error:  # The reader raises it where it waits.
            errors.append(error)
        finally:
            with changed:
                is_lost.set()
                changed.notify()

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    count, first = 0, None
    try:
        while True:
            with changed:
                changed.wait_for(lambda: latest or is_lost.is_set())
                frame = latest.pop() if latest else None
            if frame is None:
                raise _end(number, count, errors)
            first = frame.time if first is None else first
            count += 1
            yield dataclasses.replace(frame, time=frame.time - first)
    finally:
        has_ended.set()
        thread.join()


def _end(number: int, count: int, errors: list[BaseException]) -> BaseException:
    """What to raise when the pictures of a camera end.

    Args:
      number: of the camera.
      count: of the frames before.
      errors: the one that ended the thread that reads, if one did.
    """
    cause, reason = next(iter(errors), None), ''
    if isinstance(cause, cv2.error):  # It comes of the camera and its driver.
        reason = f' (OpenCV: {" ".join(cause.err.replace(">", " ").split())})'
    elif cause is not None:  # Any other is a fault of ours.
        return cause
    words = f'gives no more pictures after {count} frames' if count else 'gives no picture'
    error = CutShortError(f'camera {number} {words}{reason}; plug it in again and start again')
    error.__cause__ = cause
    return error

"""The frames of a video file, each with its own time, decoded ahead in a thread.

PyAV reads them, since it gives each frame's own time, which OpenCV rounds or invents where the
frame rate varies. (The builds of datasets count frames and keep to OpenCV,
`data_pipeline/videos.py`.) Frames are upright and have square pixels, whatever the file says of
rotation and of the shape of its pixels.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from capf_jax.errors import UserError
from capf_jax.inference.video import video_header

AHEAD = 8  # frames that are decoded before their turn


class CutShortError(UserError):
    """A video ends before its time, or cannot be followed any further; what came before counts."""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
      number: in the video, from 0.
      time: seconds from the video's first frame; of a camera, from its start.
      pixels: [H, W, 3] uint8 RGB, upright.
      arrival: when a camera gave it, seconds of `time.monotonic`; None of a file.
    """

    number: int
    time: float
    pixels: UInt8[np.ndarray, 'H W 3']
    arrival: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclasses.dataclass(frozen=True)
class FrameChoice:
    """Which frames of a video are taken.

    Attributes:
      start: seconds; the first frame is the first one at or after it.
      stop: seconds; frames at or after it are left out. None for the end.
      stride: of the frames in that range, each so-many-th.
      first: the number of the first frame to give, where a run goes on; those before are skipped,
        and the stride counts as if they had been given.
    """

    start: float = 0.0
    stop: float | None = None
    stride: int = 1
    first: int = 0

    def __post_init__(self) -> None:
        """Raises UserError for a range or a stride that is none."""
        stop = np.inf if self.stop is None else self.stop
        if not (np.isfinite(self.start) and self.start >= 0 and stop > self.start):
            raise UserError(
                f'the time range {self.start:g}:{stop:g} is none; give seconds START:STOP, such as '
                '2:5.5, the start first'
            )
        if self.stride < 1:
            raise UserError(f'a stride of {self.stride} is none; give 1 for every frame, 2, 3 ...')


def read(path: pathlib.Path, choice: FrameChoice | None = None) -> Generator[Frame, None, None]:
    """The chosen frames in turn; a few of them are decoded ahead.

    Close the iterator (`contextlib.closing`) if it is left before its end.

    Raises:
      FileNotFoundError: there is no such file.
      CutShortError: the file ends before its time, or its frames change their size.
      UserError: it is no video, is of sound alone, or has no frame in the chosen range.
    """
    choice = FrameChoice() if choice is None else choice
    yield from ahead(lambda: _frames(path, choice))


def ahead(frames: Callable[[], Iterator[Any]], number: int = AHEAD) -> Generator[Any, None, None]:
    """What an iterator gives, which runs up to `number` values ahead in a thread of its own."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(number)
    has_ended = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not has_ended.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put((kind, value), timeout=0.1)
                return True
        return False

    def fill() -> None:
        try:
            for frame in frames():
                if not put('value', frame):
                    return
            put('end', None)
        except BaseException as error:  # The reader raises it where it is waited for.
            put('error', error)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == 'error':
                raise value
            if kind == 'end':
                return
            yield value
    finally:
        has_ended.set()
        thread.join()


def _frames(path: pathlib.Path, choice: FrameChoice) -> Iterator[Frame]:
    import av.error

    numbers = _numbers_by_stamp(path) if choice.start > 0 or choice.first > 0 else {}
    size: tuple[int, int] | None = None
    last, end, latest = 0.0, 0.0, None
    with video_header.opened(path) as (container, stream):
        stream.thread_type = 'AUTO'
        begin = _first_stamp(stream, numbers)
        rate = video_header.fps(stream)
        counted, first_chosen = 0, None
        if numbers and len(numbers) > 1:
            # FFmpeg goes to the key frame before, so that some frames have to be passed over.
            stamp = _stamp_to_go_to(numbers, choice, begin, stream.time_base)
            container.seek(stamp, stream=stream)
            first_chosen = _first_chosen(numbers, choice, begin, stream.time_base)
        try:
            for decoded in container.decode(stream):
                if begin is None:
                    begin = decoded.pts
                number = numbers.get(decoded.pts, counted) if numbers else counted
                counted = number + 1
                stamp = None if decoded.pts is None or begin is None else decoded.pts - begin
                time = last if stamp is None else float(stamp * decoded.time_base)
                if stamp is None:
                    time = number / rate
                last = time
                # The last frame of a screen that was recorded may be shown for long.
                shown = float((decoded.duration or 0) * (decoded.time_base or 0))
                end = max(end, time + (shown or 1 / rate))
                if choice.stop is not None and time >= choice.stop:
                    break
                if time < choice.start - 1e-9:
                    continue
                first_chosen = number if first_chosen is None else first_chosen
                if number < choice.first or (number - first_chosen) % choice.stride:
                    continue
                pixels = _upright(decoded, stream.sample_aspect_ratio)
                if size is not None and size != (pixels.shape[1], pixels.shape[0]):
                    raise CutShortError(
                        f'{path} changes from {size[0]}x{size[1]} to {pixels.shape[1]}x'
                        f'{pixels.shape[0]} px behind frame {number - 1}, {latest or 0.0:.2f} s, '
                        'so that its camera is not known any more; cut there, or scale to one size'
                    )
                size = pixels.shape[1], pixels.shape[0]
                if latest is not None and time <= latest:
                    continue  # Damaged files have two frames of one time; the first counts.
                latest = time
                yield Frame(number, time, pixels)
        except av.error.FFmpegError as error:
            told = video_header.length(container, stream, begin)
            raise CutShortError(_cut_short(path, end, told)) from error
        if not counted:
            raise UserError(f'{path} holds no frame; record or copy it again')
        told = video_header.length(container, stream, begin)
        start = float((begin or 0) * (stream.time_base or 0))
        is_wanted = choice.stop is None or end < choice.stop - video_header.slack(rate)
        if is_wanted and video_header.lacks_end(path, told, start, end, rate):
            raise CutShortError(_cut_short(path, end, told))
    if latest is None and not choice.first:
        raise UserError(
            f'{path} ends at {last:.2f} s, before {choice.start:g} s; give an earlier --time_range'
        )


def _cut_short(path: pathlib.Path, end: float, told: video_header.Length) -> str:
    whole = '' if told.best is None else f' of {told.best:.2f}'
    return f'{path} is cut short after {end:.2f}{whole} s; copy or download it again for the rest'


def _numbers_by_stamp(path: pathlib.Path) -> dict[int, int]:
    """The number of each frame by its time stamp, from the packets, which are not decoded.

    Empty where the file does not tell them.
    """
    import av.error

    with video_header.opened(path) as (container, stream):
        stamps = []
        with contextlib.suppress(av.error.FFmpegError):  # The end may be missing.
            for packet in container.demux(stream):
                if packet.size and not packet.is_discard:
                    stamps.append(packet.pts)
    if not stamps or None in stamps or len(set(stamps)) != len(stamps):
        return {}
    return {stamp: number for number, stamp in enumerate(sorted(stamps))}


def _first_stamp(stream: Any, numbers: dict[int, int]) -> int | None:
    return min(numbers) if numbers else stream.start_time


def _stamp_to_go_to(
    numbers: dict[int, int], choice: FrameChoice, begin: int | None, time_base: Any
) -> int:
    stamps = sorted(numbers)
    by_number = stamps[min(choice.first, len(stamps) - 1)]
    by_time = (begin or 0) + int(choice.start / time_base)
    return max(by_number, by_time)


def _first_chosen(
    numbers: dict[int, int], choice: FrameChoice, begin: int | None, time_base: Any
) -> int | None:
    """The number of the first frame in the range of time, from which the stride counts."""
    for stamp in sorted(numbers):
        if float((stamp - (begin or 0)) * time_base) >= choice.start - 1e-9:
            return numbers[stamp]
    return None


def _upright(decoded: Any, shape: Any) -> np.ndarray:
    """The pixels of a decoded frame as they are meant to be shown.

    Args:
      decoded: PyAV's frame.
      shape: width of a pixel over its height; None for 1.
    """
    pixels = decoded.to_ndarray(format='rgb24')
    if shape and shape != 1:
        width = max(round(pixels.shape[1] * float(shape)), 1)
        pixels = cv2.resize(pixels, (width, pixels.shape[0]), interpolation=cv2.INTER_AREA)
    quarters = round(decoded.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels

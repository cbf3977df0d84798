"""The one reader of video files: their size and length, and the pixels of chosen frames.

OpenCV decodes them, since the project needs it anyway and it brings FFmpeg. It applies the rotation
that a camera writes into a video. Frames are read front to back, since seeking is not exact in
every codec and a skipped frame is decoded anyway.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from data_pipeline.images import MOST_PIXELS, Medium, UnreadableError


def probe(path: pathlib.Path) -> Medium:
    """Size and length of a video from its header, which may count too few frames.

    Raises:
      UnreadableError: the file is no video.
    """
    capture = _open(path)
    try:
        width = round(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        frames = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    if min(width, height, frames) <= 0:
        raise UnreadableError(f'the video {path} does not decode')
    if width * height > MOST_PIXELS:
        raise UnreadableError(f'the video {path} declares {width}x{height} pixels; make it smaller')
    return Medium(width, height, frames)


def count_frames(path: pathlib.Path) -> int:
    """Frames that a video really has; this takes as long as decoding all of them."""
    capture = _open(path)
    try:
        count = 0
        while capture.grab():
            count += 1
        return count
    finally:
        capture.release()


def read(path: pathlib.Path, frames: Sequence[int]) -> Iterator[np.ndarray | UnreadableError]:
    """Pixels of chosen frames; the file is opened once and read front to back.

    Args:
      path: the video file.
      frames: numbers of frames, counted from 0, each larger than the one before.

    Yields:
      [H, W, 3] uint8 BGR for each of the frames, or the error where one does not decode.
    """
    capture = _open(path)
    try:
        reached = -1
        for frame in frames:
            grabbed = True
            while reached < frame and grabbed:
                grabbed = capture.grab()
                reached += 1
            decoded, image = capture.retrieve() if grabbed else (False, None)
            if decoded and image is not None:
                yield image
            else:
                yield UnreadableError(
                    f'frame {frame} of the video {path} does not decode; copy or download it again'
                )
    finally:
        capture.release()


def _open(path: pathlib.Path) -> cv2.VideoCapture:
    # One thread, since the processes of a build already share the cores.
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])

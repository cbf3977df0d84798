"""H.264 in MP4, which every browser and player shows; written by PyAV."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

_CLOCK = 90_000  # ticks a second of the presentation times
_LARGEST_SIDE = 4096  # pixels that decoders in browsers and hardware take


def encode(
    target: Any,
    images: Iterable[np.ndarray],
    times: Float[np.ndarray, ' T'],
    fps: float,
    *,
    quality: int = 20,
    longest_side: int = _LARGEST_SIDE,
    most_bytes: int | None = None,
) -> int:
    """Writes images as a video; each is shown at its own time.

    Args:
      target: a path, or a file open for writing that can seek.
      images: [H, W, 3] uint8 RGB, all of the size of the first; as many as there are times.
      times: seconds, increasing; the first is the beginning of the video.
      fps: frames for each second, which the last image's duration and players go by.
      quality: the constant rate factor of x264; 18 can hardly be told from the original, 28 is
        small.
      longest_side: pixels; larger images are made smaller.
      most_bytes: the encoding stops where the video would become larger; None for no limit.

    Returns:
      How many images the video holds.

    Raises:
      OSError: the file could not be written.
    """
    import av
    from av.error import FFmpegError

    target = target if hasattr(target, 'write') else str(target)
    try:
        return _encode(av, target, images, times, fps, quality, longest_side, most_bytes)
    except FFmpegError as error:
        if not isinstance(error, OSError):
            raise
        # The file of PyAV's own error cannot be changed, as `runtime.files` does for a better name.
        raise OSError(error.errno, error.strerror) from error


def _encode(
    av: Any,
    target: Any,
    images: Iterable[np.ndarray],
    times: np.ndarray,
    fps: float,
    quality: int,
    longest_side: int,
    most_bytes: int | None,
) -> int:
    """`encode`, with the library's own errors."""
    options = {} if most_bytes is not None else {'movflags': '+faststart'}
    container = av.open(target, 'w', format='mp4', options=options)
    size, count, written = (0, 0), 0, 0
    try:
        stream: Any = None
        for image, time in zip(images, times, strict=False):
            if stream is None:
                size = _even_size(image.shape[1], image.shape[0], longest_side)
                stream = container.add_stream('libx264', rate=Fraction(fps).limit_denominator(1001))
                stream.width, stream.height = size
                stream.pix_fmt = 'yuv420p'
                stream.codec_context.time_base = Fraction(1, _CLOCK)
                # Seeking needs a whole image often, here twice a second.
                stream.codec_context.gop_size = max(round(fps / 2), 1)
                stream.codec_context.options = {'crf': str(quality), 'preset': 'veryfast'}
            frame = av.VideoFrame.from_ndarray(_resized(image, size), format='rgb24')
            frame.pts = round((time - times[0]) * _CLOCK)
            frame.time_base = Fraction(1, _CLOCK)
            packets = stream.encode(frame)
            written += sum(packet.size for packet in packets)
            container.mux(packets)
            count += 1
            if most_bytes is not None and written > most_bytes:
                break
        if stream is not None:
            container.mux(stream.encode(None))
    finally:
        container.close()
    return count


def _even_size(width: int, height: int, longest_side: int) -> tuple[int, int]:
    """The size of a video's images: even, as H.264 wants it, and no longer than allowed."""
    share = min(1.0, longest_side / max(width, height))
    return max(2 * round(share * width / 2), 2), max(2 * round(share * height / 2), 2)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if (image.shape[1], image.shape[0]) == size:
        return np.ascontiguousarray(image)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

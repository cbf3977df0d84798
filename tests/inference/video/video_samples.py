"""Small videos for tests, whose frames tell their own numbers."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

SIZE = (96, 64)


def frame(number, size=SIZE):
    """Pixels [H, W, 3], grey by the number, with a white top left corner."""
    pixels = np.full((size[1], size[0], 3), 16 + 8 * number % 224, np.uint8)
    pixels[: size[1] // 4, : size[0] // 4] = 255
    return pixels


def number_of(pixels):
    """The number that `frame` was made of, below 28."""
    return round((int(np.median(pixels)) - 16) / 8)


def write(path, frames, *, fps=10, stamps=None, rotation=0, codec='ffv1', pixel_format='bgr0'):
    """Writes a video; returns its path.

    Args:
      path: '*.mkv' or '*.mp4'.
      frames: pixels [H, W, 3] RGB.
      fps: frames per second.
      stamps: seconds of each frame; None for even ones.
      rotation: degrees counterclockwise by which players turn it.
      codec: FFmpeg's name of the encoder; the default loses nothing.
      pixel_format: of the encoder.
    """
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for number, pixels in enumerate(frames):
            one = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
            seconds = number / fps if stamps is None else stamps[number]
            one.pts, one.time_base = round(1000 * seconds), Fraction(1, 1000)
            container.mux(stream.encode(one))
        container.mux(stream.encode())
    return path


def write_sound(path):
    """Writes a file of sound alone; returns its path."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), 's16', 'mono')
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return path

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


def noisy(number):
    """So many frames, none of which is small in a file."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8) for _ in range(number)]


def cut(path, share):
    """Writes the beginning of a file, `share` of its bytes, beside it; returns its path."""
    content = path.read_bytes()
    shorter = path.with_stem('cut')
    shorter.write_bytes(content[: int(share * len(content))])
    return shorter


def write(
    path,
    frames,
    *,
    fps=10,
    stamps=None,
    rotation=0,
    codec='ffv1',
    pixel_format='bgr0',
    options=None,
    sound=0,
    last=None,
    base=None,
    kind=None,
):
    """Writes a video; returns its path.

    Args:
      path: '*.mkv', '*.mp4', '*.avi', '*.ts' or another that FFmpeg writes.
      frames: pixels [H, W, 3] RGB.
      fps: frames per second.
      stamps: seconds of each frame; None for even ones.
      rotation: degrees counterclockwise by which players turn it.
      codec: FFmpeg's name of the encoder; the default loses nothing.
      pixel_format: of the encoder.
      options: of the container, by FFmpeg's names.
      sound: seconds of silence beside the pictures.
      last: seconds for which the last frame is shown; None for as long as the others.
      base: steps of time in a second; None for those of the ending.
      kind: FFmpeg's name of the container; None for that of the ending.
    """
    with av.open(str(path), 'w', format=kind, options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        # An AVI file holds an empty frame for each step of time without one.
        base = Fraction(1, base or (fps if path.suffix == '.avi' else 1000))
        stream.time_base = stream.codec_context.time_base = base
        if rotation:
            stream.set_display_rotation(rotation)
        voice = container.add_stream('pcm_s16le', rate=8000, layout='mono') if sound else None
        for number, pixels in enumerate(frames):
            one = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
            seconds = number / fps if stamps is None else stamps[number]
            one.pts, one.time_base = round(seconds / base), base
            packets = stream.encode(one)
            if last is not None and number == len(frames) - 1:
                for packet in packets:
                    packet.duration = round(1000 * last)
            container.mux(packets)
        container.mux(stream.encode())
        if voice is not None:
            for start in range(0, 8000 * sound, 800):
                container.mux(voice.encode(_silence(start)))
            container.mux(voice.encode())
    return path


def write_sound(path):
    """Writes a file of sound alone; returns its path."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('pcm_s16le', rate=8000, layout='mono')
        container.mux(stream.encode(_silence(0)))
        container.mux(stream.encode())
    return path


def _silence(start):
    """A tenth of a second of no sound, from a sample on."""
    sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), 's16', 'mono')
    sound.sample_rate, sound.pts = 8000, start
    return sound

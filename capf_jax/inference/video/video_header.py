"""An opened video file, and what its header tells of its length, by which a missing end is seen.

A container tells the length of its pictures, that of its longest stream, which may be sound, or
nothing that can be relied on: FFmpeg takes the length of MPEG streams from the last bytes that are
there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from capf_jax.errors import UserError
from data_pipeline.images import MOST_PIXELS

if TYPE_CHECKING:
    from capf_jax.inference.video.video_frames import FrameChoice

USUAL_FPS = 25.0  # where a file tells none
_WITHOUT_LENGTH = ('mpegts', 'mpeg', 'mpegvideo')
_SLACK = 0.25  # seconds that may be missing, or three frames; containers round, decoders drop some


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What the header of a video says.

    Attributes:
      fps: mean frames per second.
      seconds: its length; None where it is not told.
    """

    fps: float
    seconds: float | None

    def number_of_frames(self, choice: FrameChoice) -> int | None:
        """About how many frames are chosen; None where the length is not told."""
        if self.seconds is None and choice.stop is None:
            return None
        ends = [end for end in (self.seconds, choice.stop) if end is not None]
        number = max(round((min(ends) - choice.start) * self.fps), 0)
        return -(-number // choice.stride)


@dataclasses.dataclass(frozen=True)
class Length:
    """Seconds from the first frame of a video to its end, as the header tells them.

    Attributes:
      pictures: to the end of its pictures; None where they have no length of their own.
      everything: to the end of its longest stream; None where it is not told.
    """

    pictures: float | None
    everything: float | None

    @property
    def best(self) -> float | None:
        """That of the pictures where it is told, or else that of everything."""
        return self.everything if self.pictures is None else self.pictures


def probe(path: pathlib.Path) -> VideoInfo:
    """What the header of a video says; no frame is decoded.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is no video, or of sound alone.
    """
    with opened(path) as (container, stream):
        return VideoInfo(fps(stream), length(container, stream, stream.start_time).best)


def fps(stream: Any) -> float:
    """Mean frames per second that a stream tells, or what is usual."""
    return float(stream.average_rate or stream.guessed_rate or stream.base_rate or USUAL_FPS)


def length(container: Any, stream: Any, begin: int | None) -> Length:
    """How long a video is, by its header.

    Args:
      container: PyAV's.
      stream: of its pictures.
      begin: the time stamp of its first frame.
    """
    name = container.format.name
    if name in _WITHOUT_LENGTH:
        return Length(None, None)
    time_base = 0.0 if stream.time_base is None else float(stream.time_base)
    start = (begin or 0) * time_base
    everything = None if not container.duration else container.duration / 1e6 - start
    own = stream.duration * time_base if stream.duration and time_base else None
    if 'matroska' in name:  # Its streams have a tag, which counts from time 0.
        end = _seconds(stream.metadata.get('DURATION', ''))
        ends = (end - start, everything) if end is not None and everything is not None else ()
        return Length(min(ends, default=None), everything)
    if name == 'asf':  # FFmpeg repeats the length of the whole file there.
        return Length(None, everything)
    if name == 'avi' and own is not None and stream.frames:
        # FFmpeg shortens the length to what fits into a file that is cut, not the number of frames.
        own = max(own, stream.frames / fps(stream))
    return Length(own, everything)


def lacks_end(path: pathlib.Path, told: Length, begin: float, end: float, rate: float) -> bool:
    """Whether the pictures of a file end before the time that its header tells.

    Args:
      path: of the file.
      told: by its header.
      begin: seconds at which its first frame is.
      end: seconds from there to the end of the last frame that could be read.
      rate: frames per second.
    """
    if told.pictures is not None:
        return end < told.pictures - slack(rate)
    if told.everything is None:
        return False
    # This length is less exact, and sound may go on behind the pictures.
    least = 0.95 * told.everything - 1
    return end < least and _end_of_all_streams(path, begin + end) - begin < least


def slack(rate: float) -> float:
    """Seconds that the end of a video may be off by, at so many frames per second."""
    return max(_SLACK, 3 / rate)


def _end_of_all_streams(path: pathlib.Path, start: float) -> float:
    """Seconds of the file at which its last packet ends, looked for from `start` on."""
    import av.error

    end = start
    with opened(path) as (container, _), contextlib.suppress(av.error.FFmpegError):
        container.seek(int(start * 1e6))
        for packet in container.demux():
            if packet.size and packet.pts is not None and packet.time_base is not None:
                last = packet.pts + (packet.duration or 0)
                end = max(end, float(last * packet.time_base))
    return end


def _seconds(clock: str) -> float | None:
    """Seconds of 'HOURS:MINUTES:SECONDS'; None of other text."""
    try:
        hours, minutes, seconds = map(float, clock.split(':'))
    except ValueError:
        return None
    total = 3600 * hours + 60 * minutes + seconds
    return total if 0 < total < float('inf') else None


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first stream of pictures.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is no video, or of sound alone.
    """
    import av
    import av.error
    import av.stream

    if not path.is_file():
        raise FileNotFoundError(f'there is no video {path}; correct its name')
    try:
        container = av.open(str(path))
    except av.error.EOFError as error:
        words = f'{path} ends before its first frame; '
        raise UserError(words + 'record or copy it again') from error
    except av.error.FFmpegError as error:
        words = f'{path} is no video that can be read ({error.strerror}); '
        raise UserError(words + 'record or copy it again') from error
    with container:
        streams = [
            stream
            for stream in container.streams.video
            # A song's cover counts as a stream of pictures.
            if not stream.disposition & av.stream.Disposition.attached_pic
        ]
        if not streams:
            what = 'sound alone' if container.streams.audio else 'no pictures'
            raise UserError(f'{path} holds {what}; give a video with pictures')
        stream = streams[0]
        if stream.codec_context is None:
            raise UserError(f'{path} is of a kind that FFmpeg does not decode; convert it to H.264')
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > MOST_PIXELS:
            raise UserError(f'{path} declares {width}x{height} px; make the video smaller')
        yield container, stream

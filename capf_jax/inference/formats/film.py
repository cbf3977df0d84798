"""The picture or video with the people drawn on it, small enough to lie inside another file."""

from __future__ import annotations

import dataclasses
import io

from PIL import Image

from capf_jax.inference.formats import mp4, overlay
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.tracks import Tracks

LARGEST = 32 << 20  # bytes of a video, which browsers still open at once
_LONGEST_SIDE = 960  # pixels
_QUALITY = 26  # of the video, as x264 counts


@dataclasses.dataclass(frozen=True)
class Film:
    """A JPEG picture, or a video in MP4 (H.264).

    Attributes:
      content: of the file.
      frames: how many frames of the tracks it shows, counted from the first; a picture shows one.
      seconds: the length of the video; 0 of a picture.
    """

    content: bytes
    frames: int
    seconds: float

    @property
    def is_video(self) -> bool:
        """Whether it is no picture."""
        return self.seconds > 0


def make(tracks: Tracks, pictures: Pictures, largest: int = LARGEST) -> Film | None:
    """The film of tracks; None where there is no picture to be read.

    Args:
      tracks: of any people.
      pictures: those of the tracks.
      largest: bytes; a longer video is cut about there.
    """
    images, count, content = overlay.drawn(tracks, pictures), len(tracks.times), io.BytesIO()
    if count == 1:
        image = Image.fromarray(next(images))
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        image.save(content, 'JPEG', quality=88)
        return Film(content.getvalue(), 1, 0.0)
    shown = mp4.encode(
        content,
        images,
        tracks.times,
        tracks.fps,
        quality=_QUALITY,
        longest_side=_LONGEST_SIDE,
        most_bytes=largest,
    )
    if not shown:
        return None
    seconds = float(tracks.times[shown - 1] - tracks.times[0] + 1 / tracks.fps)
    return Film(content.getvalue(), shown, seconds)

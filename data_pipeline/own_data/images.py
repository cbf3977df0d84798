"""Images and videos of own data: their sizes, whether they decode, their pixels in file order.

Pixels are those of the upright picture, as every viewer shows it: the rotation that a camera
writes into an image (EXIF) or a video is applied, before sizes are taken and pixels are read.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from PIL import Image, ImageOps

from data_pipeline.own_data.annotations import Entry

_EXIF_ORIENTATION = 0x0112
_EXIF_TRANSPOSED = (5, 6, 7, 8)  # orientations that swap width and height
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError)  # what it raises on broken files


class UnreadableError(ValueError):
    """An image, a video or one of its frames that does not decode; says which."""


@dataclasses.dataclass(frozen=True)
class Medium:
    """What a file says of itself before its pixels are decoded."""

    width: int  # pixels, upright
    height: int  # pixels, upright
    frames: int  # 1 for an image


def probe_image(path: pathlib.Path, whole: bool = False) -> Medium:
    """Size of an image from its header. Raises UnreadableError.

    `whole` decodes the pixels as well, to find a file that was cut short behind its header. Those
    of a JPEG only coarsely: all of the file is read, for a quarter of the time.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Of the base class: the one of PNG files decodes every pixel first.
            exif = Image.Image.getexif(image)
            if exif.get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED:
                width, height = height, width
            if whole:
                image.draft(None, (1, 1))
                image.load()
    except _PILLOW_ERRORS:
        raise UnreadableError(f'the image {path} does not decode') from None
    return Medium(width, height, 1)


def read_image(path: pathlib.Path) -> np.ndarray:
    """Pixels [H, W, 3] uint8 BGR. Raises UnreadableError.

    By Pillow, since OpenCV fills the rest of a file that was cut short with grey, silently.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except _PILLOW_ERRORS:
        raise UnreadableError(f'the image {path} does not decode') from None
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def probe_video(path: pathlib.Path) -> Medium:
    """Size and length of a video from its header. Raises UnreadableError."""
    capture = cv2.VideoCapture(str(path))
    try:
        width = round(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        frames = round(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    if min(width, height, frames) <= 0:
        raise UnreadableError(f'the video {path} does not decode')
    return Medium(width, height, frames)


def read(
    source: pathlib.Path, entries: Iterable[Entry]
) -> Iterator[tuple[Entry, np.ndarray | UnreadableError]]:
    """Pixels of every entry's image, each file opened once and each video read front to back.

    Args:
      source: folder that the entries' paths are relative to.
      entries: in any order.

    Yields:
      (entry, image [H, W, 3] uint8 BGR as OpenCV has it), grouped by file; the error in place of
      the image where it does not decode.
    """
    ordered = sorted(entries, key=lambda entry: (entry.medium, entry.frame, entry.number))
    for medium, group in itertools.groupby(ordered, key=lambda entry: entry.medium):
        group = list(group)
        if group[0].is_video:
            yield from _read_video(source / medium, group)
            continue
        try:
            image = read_image(source / medium)
        except UnreadableError as error:
            image = error
        for entry in group:
            yield entry, image


def _read_video(
    path: pathlib.Path, entries: list[Entry]
) -> Iterator[tuple[Entry, np.ndarray | UnreadableError]]:
    """`entries` are of one video, in frame order. No seeking: it is not exact in every codec."""
    capture = cv2.VideoCapture(str(path))
    try:
        reached = -1
        for frame, group in itertools.groupby(entries, key=lambda entry: entry.frame):
            grabbed = True
            while reached < frame and grabbed:
                grabbed = capture.grab()
                reached += 1
            decoded, image = capture.retrieve() if grabbed else (False, None)
            if not decoded:
                image = UnreadableError(f'frame {frame} of the video {path} does not decode')
            for entry in group:
                yield entry, image
    finally:
        capture.release()

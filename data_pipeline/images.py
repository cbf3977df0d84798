"""The one reader of picture files: their size, whether they are whole, their pixels.

Pixels are those of the upright picture, as every viewer shows it: the rotation that a camera writes
into a file (EXIF) is applied before sizes are taken and pixels are read.
"""

from __future__ import annotations

import dataclasses
import io
import pathlib

import cv2
import numpy as np
from PIL import Image, ImageOps

from capf_jax.errors import UserError

_EXIF_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769  # where the tags of the lens are
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003  # of the picture as the camera wrote it
_FOCAL_PLANE_X, _FOCAL_PLANE_UNIT = 0xA20E, 0xA210
_UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of a sensor's resolution, by its EXIF number
_EXIF_TRANSPOSED = (5, 6, 7, 8)  # orientations that swap width and height
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError)  # what Pillow raises on broken files
# First and last bytes of a JPEG and of a PNG file; a few more may follow the last ones.
_WHOLE = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND\xaeB`\x82'}
_TAIL = 64  # the closing bytes are searched for in this many bytes at the end of a file


class UnreadableError(UserError):
    """An image, a video or one of its frames that does not decode; the message says which."""


@dataclasses.dataclass(frozen=True)
class Medium:
    """What a file says of itself before its pixels are decoded."""

    width: int  # pixels, upright
    height: int  # pixels, upright
    frames: int  # 1 for an image


def probe(path: pathlib.Path, whole: bool = False) -> Medium:
    """Size of an image from its header.

    Args:
      path: the image file.
      whole: also read all of the file, to detect one that was cut short behind its header. The
        pixels of a JPEG are then decoded at an eighth of the size, to avoid most of the work.

    Raises:
      UnreadableError: the file is no image, or is cut short.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            # The base class's method is called, since that of PNG files decodes every pixel first.
            exif = Image.Image.getexif(image)
            if exif.get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED:
                width, height = height, width
            if whole:
                image.draft(None, (1, 1))
                image.load()
    except _PILLOW_ERRORS:
        raise UnreadableError(f'the image {path} does not decode; copy it again') from None
    return Medium(width, height, 1)


@dataclasses.dataclass(frozen=True)
class LensTags:
    """What a camera wrote into a picture about its lens; None for what it did not write."""

    focal_mm: float | None = None  # focal length
    focal_35mm: float | None = None  # focal length of the same angle of view on 35 mm film
    sensor_mm: float | None = None  # the longer side of that part of the sensor that is shown


def lens_tags(encoded: bytes) -> LensTags | None:
    """The lens of an encoded picture by its EXIF; None where it says nothing of it.

    A picture that does not decode says nothing either.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            exif = Image.Image.getexif(image).get_ifd(_EXIF_IFD)
    except _PILLOW_ERRORS:
        return None

    def number(tag: int) -> float | None:
        try:
            value = float(exif.get(tag, 0))
        except (TypeError, ValueError, ZeroDivisionError):
            return None
        return value if 0 < value < float('inf') else None

    sensor = None
    resolution, unit = number(_FOCAL_PLANE_X), _UNITS_MM.get(exif.get(_FOCAL_PLANE_UNIT, 2))
    sides = [side for side in (number(_PIXEL_WIDTH), number(_PIXEL_HEIGHT)) if side]
    if resolution and unit and sides:
        sensor = max(sides) / resolution * unit
    tags = LensTags(number(_FOCAL_LENGTH), number(_FOCAL_LENGTH_35MM), sensor)
    return None if tags == LensTags(sensor_mm=sensor) else tags


def read(path: pathlib.Path) -> np.ndarray:
    """Pixels of an image file, [H, W, 3] uint8 BGR as OpenCV has them.

    Raises:
      UnreadableError: the file does not decode, or is cut short.
      OSError: the file cannot be read.
    """
    encoded = path.read_bytes()
    try:
        return decode(encoded)
    except UnreadableError as error:
        raise UnreadableError(f'the image {path} {error}; copy it again') from None


def ends_whole(encoded: bytes) -> bool:
    """Whether bytes end as a whole JPEG or PNG file does; False for files of other kinds."""
    ending = _WHOLE.get(encoded[:2])
    return ending is not None and ending in encoded[-_TAIL:]


def decode(encoded: bytes) -> np.ndarray:
    """Pixels of an encoded image, [H, W, 3] uint8 BGR as OpenCV has them.

    OpenCV decodes files that end as whole JPEG and PNG files do. All others are decoded by Pillow,
    which refuses a file that was cut short; OpenCV would fill its rest with grey without an error.

    Raises:
      UnreadableError: the bytes do not decode; the message is what is wrong with them, to follow
        the name of a picture.
    """
    is_whole = ends_whole(encoded)
    if is_whole:
        try:
            pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            pixels = None
        if pixels is not None:
            return pixels
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
    except _PILLOW_ERRORS:
        is_cut = encoded[:2] in _WHOLE and not is_whole
        raise UnreadableError('is cut short' if is_cut else 'does not decode') from None
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)

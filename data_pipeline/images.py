"""The one reader of picture files: their size, whether they are whole, their pixels.

Pixels are those of the upright picture, as every viewer shows it: the rotation that a camera writes
into a file (EXIF) is applied before sizes are taken and pixels are read. They are of sRGB: where a
file has the colour profile of another space, its pixels are converted.
"""

from __future__ import annotations

import dataclasses
import io
import pathlib
import struct
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from capf_jax.errors import UserError
from data_pipeline import heic, picture_colours
from data_pipeline.picture_colours import ColourError

_EXIF_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769  # where the tags of the lens are
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003  # of the picture as the camera wrote it
_FOCAL_PLANE_X, _FOCAL_PLANE_UNIT = 0xA20E, 0xA210
_UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of a sensor's resolution, by its EXIF number
_EXIF_TRANSPOSED = (5, 6, 7, 8)  # orientations that swap width and height
MOST_PIXELS = 178_956_970  # of a picture; Pillow itself refuses larger ones
# First and last bytes of a JPEG and of a PNG file; a few more may follow the last ones.
_WHOLE = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND\xaeB`\x82'}
_START = 1024  # bytes of a file that tell of which kind it is
_TAIL = 64  # the closing bytes are searched for in this many bytes at the end of a file
_RIFF, _WEBP = b'RIFF', b'WEBP'  # at the beginning of a WebP file, and eight bytes later
_JPEG_PROFILE = b'ICC_PROFILE\0'  # at the beginning of a segment that holds one
_PLAIN_WEBP = (b'VP8 ', b'VP8L')  # kinds that hold neither a profile nor a rotation


class UnreadableError(UserError):
    """An image, a video or one of its frames that does not decode; the message says which."""


class MissingPackageError(UnreadableError):
    """An image of a kind that a package opens which is not installed."""


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
        with _opened(path) as image:
            width, height = image.size
            _check_size(width, height)
            # The base class's method is called, since that of PNG files decodes every pixel first.
            exif = Image.Image.getexif(image)
            if exif.get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED:
                width, height = height, width
            if whole:
                image.draft(None, (1, 1))
                image.load()
    except (_TooLargeError, MissingPackageError) as error:
        raise UnreadableError(f'the image {path} {error}') from None
    except Exception as error:  # Pillow's decoders raise errors of every kind.
        what = _TOO_LARGE if isinstance(error, Image.DecompressionBombError) else _BROKEN
        raise UnreadableError(f'the image {path} {what}') from None
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
        with _opened(encoded) as image:
            exif = Image.Image.getexif(image).get_ifd(_EXIF_IFD)
    except Exception:  # Pillow's decoders raise errors of every kind.
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
        has_advice = isinstance(error, (_TooLargeError, _ColoursError, MissingPackageError))
        advice = '' if has_advice else '; copy it again'
        raise UnreadableError(f'the image {path} {error}{advice}') from None


def ends_whole(encoded: bytes) -> bool:
    """Whether bytes end as a whole JPEG, PNG or WebP file does; False for files of other kinds."""
    if encoded[:4] == _RIFF:
        return len(encoded) >= 8 + int.from_bytes(encoded[4:8], 'little')
    ending = _WHOLE.get(encoded[:2])
    return ending is not None and ending in encoded[-_TAIL:]


def decode(encoded: bytes) -> np.ndarray:
    """Pixels of an encoded image, [H, W, 3] uint8 BGR as OpenCV has them, of sRGB.

    OpenCV decodes files that end as whole JPEG, PNG and WebP files do. All others, and those with a
    colour profile, are decoded by Pillow, which refuses a file that was cut short; OpenCV would
    fill its rest with grey without an error.

    Raises:
      UnreadableError: the bytes do not decode; the message is what is wrong with them, to follow
        the name of a picture. A MissingPackageError, if a package is not installed that opens them.
    """
    is_whole = ends_whole(encoded)
    header = _header(encoded)
    if header is not None:
        _check_size(header.width, header.height)
    if is_whole and header is not None and header.is_simple:
        try:
            pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            pixels = None
        if pixels is not None:
            return pixels
    try:
        with _opened(encoded) as image:
            _check_size(*image.size)
            is_dark = picture_colours.numbers_are_darkness(image)
            upright = ImageOps.exif_transpose(image)
    except (_TooLargeError, MissingPackageError):
        raise
    except Exception as error:  # Pillow's decoders raise errors of every kind.
        if isinstance(error, Image.DecompressionBombError):
            raise _TooLargeError(_TOO_LARGE) from None
        is_cut = (encoded[:2] in _WHOLE or encoded[:4] == _RIFF) and not is_whole
        raise UnreadableError('is cut short' if is_cut else 'does not decode') from None
    try:
        pixels = picture_colours.to_srgb(upright, is_dark)
    except ColourError as error:
        raise _ColoursError(str(error)) from None
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def _opened(file: pathlib.Path | bytes) -> Image.Image:
    """A picture as Pillow opens it; pictures of HEIC by a package of their own.

    Raises:
      MissingPackageError: that package is not installed.
      Exception: it is no picture; Pillow raises errors of every kind.
    """
    try:
        return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
    except UnidentifiedImageError:
        if isinstance(file, bytes):
            start = file[:_START]
        else:
            with file.open('rb') as stream:
                start = stream.read(_START)
        if not heic.is_heic(start):
            raise
    if not heic.register():
        raise MissingPackageError(
            'is of HEIC, which the package pillow-heif opens: pip install pillow-heif'
        )
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)


class _ColoursError(UnreadableError):
    """A picture that is refused for its colours."""


class _TooLargeError(UnreadableError):
    """A picture that is refused for its size."""


_BROKEN = 'does not decode; copy it again'
_TOO_LARGE = f'declares more than {MOST_PIXELS / 1e6:.0f} million pixels; make it smaller'


def _check_size(width: int, height: int) -> None:
    """Raises an error before memory is taken for a picture that only says it is gigantic."""
    if width * height > MOST_PIXELS:
        raise _TooLargeError(f'declares {width}x{height} pixels; make it smaller')


class _Header(NamedTuple):
    width: int  # as stored, pixels
    height: int  # as stored, pixels
    is_simple: bool  # whether OpenCV gives the right colours: no profile, and no CMYK


def _header(encoded: bytes) -> _Header | None:
    """What a JPEG, PNG or WebP file declares; None for other files and for broken ones."""
    if encoded[:8] == b'\x89PNG\r\n\x1a\n' and len(encoded) >= 24:
        before_pixels = encoded[: encoded.find(b'IDAT')]
        return _Header(*struct.unpack('>II', encoded[16:24]), b'iCCP' not in before_pixels)
    if encoded[:4] == _RIFF and encoded[8:12] == _WEBP and encoded[12:16] in _PLAIN_WEBP:
        return _webp_header(encoded)
    if encoded[:2] != b'\xff\xd8':
        return None
    place, is_simple = 2, True
    while place + 10 <= len(encoded) and encoded[place] == 0xFF:
        kind, length = encoded[place + 1], int.from_bytes(encoded[place + 2 : place + 4])
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # start of a frame
            height, width, colours = struct.unpack('>HHB', encoded[place + 5 : place + 10])
            # OpenCV takes every JPEG of four colours for one that Adobe's programs wrote.
            return _Header(width, height, is_simple and colours != 4)
        if encoded[place + 4 : place + 4 + len(_JPEG_PROFILE)] == _JPEG_PROFILE:
            is_simple = False
        # A marker may be preceded by any number of filling bytes.
        place += 1 if kind == 0xFF else 2 + length
    return None


def _webp_header(encoded: bytes) -> _Header | None:
    """What a WebP file of one still picture, which has no other chunks, declares."""
    if len(encoded) < 30:
        return None
    if encoded[12:16] == b'VP8L':  # after a byte of signature, 14 bits each of size less one
        bits = int.from_bytes(encoded[21:25], 'little')
        return _Header((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, True)
    width, height = struct.unpack('<HH', encoded[26:30])
    return _Header(width & 0x3FFF, height & 0x3FFF, True)

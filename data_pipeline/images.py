"""The one reader of picture files: their size, whether they are whole, their pixels.

Pixels are those of the upright picture, as every viewer shows it: the rotation that a camera writes
into a file (EXIF) is applied before sizes are taken and pixels are read.
"""

from __future__ import annotations

import dataclasses
import io
import pathlib
import struct
import zlib
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from capf_jax.errors import UserError

_EXIF_ORIENTATION = 0x0112
_EXIF_IFD = 0x8769  # where the tags of the lens are
_FOCAL_LENGTH, _FOCAL_LENGTH_35MM = 0x920A, 0xA405
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003  # of the picture as the camera wrote it
_FOCAL_PLANE_X, _FOCAL_PLANE_UNIT = 0xA20E, 0xA210
_UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # of a sensor's resolution, by its EXIF number
_EXIF_TRANSPOSED = (5, 6, 7, 8)  # orientations that swap width and height
# What Pillow raises on broken files; struct.error, KeyError and others are among its decoders' own.
_PILLOW_ERRORS = (
    OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError,
    NotImplementedError, MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip
MOST_PIXELS = 178_956_970  # of a picture; Pillow itself refuses larger ones
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
            _check_size(width, height)
            # The base class's method is called, since that of PNG files decodes every pixel first.
            exif = Image.Image.getexif(image)
            if exif.get(_EXIF_ORIENTATION) in _EXIF_TRANSPOSED:
                width, height = height, width
            if whole:
                image.draft(None, (1, 1))
                image.load()
    except _TooLargeError as error:
        raise UnreadableError(f'the image {path} {error}') from None
    except _PILLOW_ERRORS as error:
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
        advice = '' if isinstance(error, _TooLargeError) else '; copy it again'
        raise UnreadableError(f'the image {path} {error}{advice}') from None


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
    header = _header(encoded)
    if header is not None:
        _check_size(header.width, header.height)
    # OpenCV takes every JPEG of four colours for one that Adobe's programs wrote.
    if is_whole and not (header and header.colours == 4):
        try:
            pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            pixels = None
        if pixels is not None:
            return pixels
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            _check_size(*image.size)
            pixels = _rgb(ImageOps.exif_transpose(image))
    except UnreadableError:
        raise
    except _PILLOW_ERRORS as error:
        if isinstance(error, Image.DecompressionBombError):
            raise _TooLargeError(_TOO_LARGE) from None
        is_cut = encoded[:2] in _WHOLE and not is_whole
        raise UnreadableError('is cut short' if is_cut else 'does not decode') from None
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def _rgb(image: Image.Image) -> np.ndarray:
    """Pixels [H, W, 3] uint8 RGB of a picture in any of Pillow's modes.

    Numbers of more than 8 bits are scaled to 8, which Pillow's own conversion does not do: it
    takes all that is above 255 for white.
    """
    if image.mode == 'LAB':
        transform = ImageCms.buildTransformFromOpenProfiles(
            ImageCms.createProfile('LAB'), ImageCms.createProfile('sRGB'), 'LAB', 'RGB'
        )
        converted = ImageCms.applyTransform(image, transform)
        assert converted is not None  # It is None where the picture is changed in place.
        return np.asarray(converted)
    if image.mode == 'F' or image.mode.startswith('I'):
        values = np.asarray(image).astype(np.float64)
        top = values.max(initial=0)
        if not np.isfinite(values).all() or values.min(initial=0) < 0:
            raise UnreadableError('holds numbers that are no brightness')
        if image.mode == 'F':
            white = 1.0 if top <= 1 else 255.0 if top <= 255 else 65535.0
        else:
            white = 65535.0 if top <= 65535 else 2.0**32 - 1
        grey = np.rint(values * (255 / white)).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.asarray(image.convert('RGB'))


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
    colours: int  # of a JPEG; 0 for a PNG file


def _header(encoded: bytes) -> _Header | None:
    """What a JPEG or PNG file declares; None for other files and for broken ones."""
    if encoded[:8] == b'\x89PNG\r\n\x1a\n' and len(encoded) >= 24:
        return _Header(*struct.unpack('>II', encoded[16:24]), 0)
    if encoded[:2] != b'\xff\xd8':
        return None
    place = 2
    while place + 10 <= len(encoded) and encoded[place] == 0xFF:
        kind, length = encoded[place + 1], int.from_bytes(encoded[place + 2 : place + 4])
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # start of a frame
            height, width, colours = struct.unpack('>HHB', encoded[place + 5 : place + 10])
            return _Header(width, height, colours)
        # A marker may be preceded by any number of filling bytes.
        place += 1 if kind == 0xFF else 2 + length
    return None

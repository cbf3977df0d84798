"""The colours of a picture that Pillow has opened: 8 bits of sRGB, whatever the file holds.

Numbers of other depths are scaled, other colour spaces are converted, and so is a picture whose
embedded (ICC) profile is another than sRGB's, as every viewer does. Transparency is left out: a
transparent pixel has the colour that the file gives it.
"""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

from capf_jax.errors import UserError, printable

PROFILE = 'icc_profile'  # the key of Pillow's `Image.info`
_PHOTOMETRIC = 262  # the tag of a TIFF file that says what its numbers mean
# Colour space of a profile -> the Pillow mode of pictures that it is for.
_MODES = {'RGB ': 'RGB', 'GRAY': 'L', 'CMYK': 'CMYK'}
_SRGB_TOLERANCE = 2  # of 255: profiles called sRGB differ among each other by so much


class ColourError(UserError):
    """Colours that have no meaning; the message follows the name of a picture."""


def numbers_are_darkness(image: Image.Image) -> bool:
    """Whether 0 is white in a picture as it was opened, and Pillow has not turned that round.

    It does so for numbers of 8 bits and fewer.
    """
    tags = getattr(image, 'tag_v2', {})  # which only a TIFF file has
    return image.mode.startswith('I') and tags.get(_PHOTOMETRIC) == 0


def to_srgb(image: Image.Image, darkness: bool = False) -> np.ndarray:
    """Pixels [H, W, 3] uint8 sRGB of a picture in any of Pillow's modes.

    Args:
      image: the picture, upright.
      darkness: what `numbers_are_darkness` says of it.

    Raises:
      ColourError: its numbers are no brightness, or its profile does not read or does not fit.
    """
    profile = image.info.get(PROFILE)
    if image.mode == 'LAB':
        return np.asarray(_converted(image, ImageCms.createProfile('LAB'), 'RGB'))
    plain = _eight_bits(image)
    if darkness:
        plain = ImageOps.invert(plain)
    if profile and not is_srgb(profile):
        opened = _opened(profile)
        mode = _MODES.get(_colour_space(opened), '')
        if plain.mode == 'L' and mode == 'RGB':
            plain = plain.convert('RGB')
        if plain.mode != mode:
            raise ColourError(
                f'has a colour profile of {_colour_space(opened).strip()} beside pixels of '
                f'{image.mode}; save it again as sRGB'
            )
        plain = _converted(plain, opened, 'RGB')
    return np.asarray(plain.convert('RGB'))


@functools.lru_cache(maxsize=64)
def is_srgb(profile: bytes) -> bool:
    """Whether a profile of RGB leaves sRGB colours as they are, by trying some of them.

    Raises:
      ColourError: it does not read.
    """
    opened = _opened(profile)
    if _colour_space(opened) != 'RGB ':
        return False
    levels = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(6, 36, 3)
    converted = np.asarray(_converted(Image.fromarray(colours), opened, 'RGB'))
    return bool(np.abs(converted.astype(int) - colours).max() <= _SRGB_TOLERANCE)


def _colour_space(profile: ImageCms.ImageCmsProfile) -> str:
    """What a profile describes, such as 'RGB ', four letters."""
    inner: Any = profile.profile  # Pillow's types take it for a file.
    return inner.xcolor_space


def _opened(profile: bytes) -> ImageCms.ImageCmsProfile:
    try:
        return ImageCms.getOpenProfile(io.BytesIO(profile))
    except (ImageCms.PyCMSError, OSError):
        raise ColourError('has a colour profile that does not read; save it as sRGB') from None


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile, mode: str) -> Image.Image:
    """A picture whose colours are of a profile, in sRGB."""
    try:
        srgb = ImageCms.createProfile('sRGB')
        converted = ImageCms.profileToProfile(image, profile, srgb, outputMode=mode)
    except (ImageCms.PyCMSError, ValueError) as error:
        reason = printable(' '.join(str(error).split())[:100])
        raise ColourError(
            f'has a colour profile that cannot be applied ({reason}); save it as sRGB'
        ) from None
    assert converted is not None  # It is None where the picture is changed in place.
    return converted


def _eight_bits(image: Image.Image) -> Image.Image:
    """A picture of mode L, CMYK or RGB.

    Pillow's own conversion of numbers of more than 8 bits takes all that is above 255 for white.
    """
    if image.mode == 'F' or image.mode.startswith('I'):
        return Image.fromarray(_scaled(np.asarray(image).astype(np.float64), image.mode == 'F'))
    if image.mode in ('1', 'L', 'LA', 'La'):
        return image.convert('L')
    if image.mode == 'CMYK':
        return image
    if image.mode in ('P', 'PA'):  # Pillow warns of a transparent palette that becomes RGB at once.
        image = image.convert('RGBA')
    return image.convert('RGB')


def _scaled(values: np.ndarray, fractions: bool) -> np.ndarray:
    """[H, W] uint8 brightness of numbers of any size; white is the most that the type holds."""
    top = values.max(initial=0)
    if not np.isfinite(values).all() or values.min(initial=0) < 0:
        raise ColourError('holds numbers that are no brightness; save it with 8 bits')
    if fractions:
        white = 1.0 if top <= 1 else 255.0 if top <= 255 else 65535.0
    else:
        white = 65535.0 if top <= 65535 else 2.0**32 - 1
    return np.rint(values * (255 / white)).clip(0, 255).astype(np.uint8)

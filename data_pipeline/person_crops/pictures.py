"""One person of one image -> a Record: crop, encode, label."""

from __future__ import annotations

import pathlib
from typing import Any

import cv2
import numpy as np

from capf_jax.pose import crops
from data_pipeline.person_crops.settings import Settings
from data_pipeline.records import Record

# A JPEG that is cut short decodes with grey below and no word about it.
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'


def read_image(path: pathlib.Path) -> np.ndarray:
    """Image file -> [H, W, 3] uint8, BGR as OpenCV has it.

    Raises:
      ValueError: it does not decode, or is cut short.
      OSError: it cannot be read.
    """
    encoded = path.read_bytes()
    if encoded[:2] == _JPEG_START and _JPEG_END not in encoded[-64:]:
        raise ValueError(f'{path} is cut short; copy it again')
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file
        image = None
    if image is None:
        raise ValueError(f'{path} does not decode as an image; copy it again')
    return image


def make_record(
    image: np.ndarray,
    centre: np.ndarray,
    width: float,
    settings: Settings,
    **labels: Any,
) -> Record:
    """Crops a person and encodes the crop.

    Args:
      image: [H, W, 3] uint8, BGR.
      centre: [2] middle of the box, whole-image pixels.
      width: width of the box, whole-image pixels; its height follows from the crop's shape.
      settings: size and quality of the crop.
      **labels: every other field of Record, without image, image_size, affine and box.

    Returns:
      The Record, its box as wide as asked for and as high as the crop's shape makes it.

    Raises:
      ValueError: the box is at most a pixel wide, or not finite.
    """
    affine = crops.box_affine(centre, width, settings.crop_size)
    crop = crops.crop_image(image, affine, settings.crop_size)
    encoded = cv2.imencode('.jpg', crop, [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality])[1]
    # The pixel centres at the crop's corners, back in the whole image.
    corner = np.array(settings.crop_size) - 1.0
    first, last = crops.apply_affine(crops.invert_affine(affine), np.stack([np.zeros(2), corner]))
    return Record(
        image=encoded.tobytes(),
        image_size=(image.shape[1], image.shape[0]),
        affine=affine,
        box=np.concatenate([first, last - first]),
        **labels,
    )

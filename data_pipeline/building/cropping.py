"""One person of one image -> a Record: crop, encode, label."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from capf_jax.pose import crops
from data_pipeline.building.settings import Settings
from data_pipeline.records import Record


def make_record(
    image: np.ndarray,
    centre: np.ndarray,
    width: float,
    settings: Settings,
    *,
    average: bool = False,
    keep_box: bool = True,
    **labels: Any,
) -> Record:
    """Crops a person and encodes the crop.

    Args:
      image: [H, W, 3] uint8, BGR.
      centre: [2] middle of the box, whole-image pixels.
      width: width of the box, whole-image pixels; its height follows from the crop's shape.
      settings: size, format and quality of the crop.
      average: average blocks of pixels first where the person is much larger than the crop.
      keep_box: whether the Record has the box, whose height follows from the crop's shape.
      **labels: every other field of Record, without image, image_size, affine and box.

    Raises:
      UserError: the box is at most a pixel wide, or not finite.
    """
    affine = crops.box_affine(centre, width, settings.crop_size)
    source = _averaged(image, affine) if average else (image, affine)
    crop = crops.crop_image(*source, settings.crop_size)
    return Record(
        image=encode_crop(crop, settings),
        image_size=(image.shape[1], image.shape[0]),
        affine=affine,
        box=_box(affine, settings.crop_size) if keep_box else None,
        **labels,
    )


def encode_crop(image: np.ndarray, settings: Settings) -> bytes:
    """File of an image [H, W, 3] uint8 BGR, of the format and quality that the settings ask for."""
    if settings.crop_format == 'png':
        return cv2.imencode('.png', image)[1].tobytes()
    if settings.crop_format == 'webp':  # A quality above 100 asks OpenCV for the lossless kind.
        return cv2.imencode('.webp', image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    options = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    if settings.crop_format == 'jpeg444':  # OpenCV's own choice is 4:2:0.
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode('.jpg', image, options)[1].tobytes()


def _box(affine: np.ndarray, crop_size: tuple[int, int]) -> np.ndarray:
    """[4] x y width height of a crop, whole-image pixels, from first to last pixel centres."""
    corner = np.array(crop_size) - 1.0
    corners = np.stack([np.zeros(2), corner])
    first, last = crops.apply_affine(crops.invert_affine(affine), corners)
    return np.concatenate([first, last - first])


def _averaged(image: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A smaller image, and the affine from it to the same crop.

    Bilinear sampling at less than half the size skips pixels, so that a thin arm breaks into dots.
    Whole blocks of pixels are therefore averaged first.
    """
    block = int(1 / affine[0, 0])
    if block < 2:
        return image, affine
    height, width = (side // block for side in image.shape[:2])
    whole_blocks = image[: height * block, : width * block]
    small = cv2.resize(whole_blocks, (width, height), interpolation=cv2.INTER_AREA)
    # The middle of small pixel i is the middle of its block, i * block + (block - 1) / 2.
    linear, shift = affine[:, :2], affine[:, 2:]
    offset = np.full((2, 1), (block - 1) / 2)
    return small, np.concatenate([linear * block, shift + linear @ offset], axis=1)

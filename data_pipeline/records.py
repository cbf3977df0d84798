"""`Record`: one person as every TFDS builder stores them, and the TFDS features for it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds


@dataclasses.dataclass(frozen=True)
class Record:
    """One person in one image, cropped once. The 3D joints keep the camera's position."""

    image: bytes  # encoded JPEG, PNG or WebP of the crop, RGB when decoded by any viewer
    joints2d_detected: np.ndarray  # [J, 2] float32, pixels of the whole image
    joints2d_truth: np.ndarray  # [J, 2] float32, pixels of the whole image
    confidence: np.ndarray  # [J] float32, the 2D detector's confidence in each joint, 0 to 1
    joints3d: np.ndarray  # [J, 3] float32, metres, camera frame, not relative to the root
    intrinsics: np.ndarray  # [4] float32, fx fy cx cy, pixels of the whole image
    image_size: tuple[int, int]  # (width, height) of the whole image, pixels
    affine: np.ndarray  # [2, 3] float32, whole-image pixels -> crop pixels
    subject: str
    action: str
    sequence: str
    camera: str
    frame: int  # position in the sequence; consecutive frames are one apart
    # [4] float32, x y width height of the box that was cropped, pixels of the whole image: the
    # centre of its top left pixel, and the distances from there to the centre of its bottom right
    # one. None where the builder keeps no boxes.
    box: np.ndarray | None = None


# The fields that say who, what and where; they can be read without the pixels.
LABELS = ('subject', 'action', 'sequence', 'camera', 'frame')


def features(
    num_joints: int, height: int, width: int, *, box: bool = False
) -> tfds.features.FeaturesDict:
    """TFDS features of a Record with J = `num_joints` and crops of `height` x `width` pixels.

    A dataset without boxes has no feature for them, so that older datasets stay readable.
    """

    def floats(*shape: int) -> tfds.features.Tensor:
        return tfds.features.Tensor(shape=shape, dtype=np.float32)

    return tfds.features.FeaturesDict(
        {
            'image': tfds.features.Image(shape=(height, width, 3)),
            'joints2d_detected': floats(num_joints, 2),
            'joints2d_truth': floats(num_joints, 2),
            'confidence': floats(num_joints),
            'joints3d': floats(num_joints, 3),
            'intrinsics': floats(4),
            'image_size': tfds.features.Tensor(shape=(2,), dtype=np.int32),
            'affine': floats(2, 3),
            'subject': tfds.features.Text(),
            'action': tfds.features.Text(),
            'sequence': tfds.features.Text(),
            'camera': tfds.features.Text(),
            'frame': tfds.features.Scalar(dtype=np.int32),
        }
        | ({'box': floats(4)} if box else {})
    )


def to_example(record: Record) -> dict[str, Any]:
    """What a builder's `_generate_examples` yields for a Record, beside a unique key."""
    example = {field.name: getattr(record, field.name) for field in dataclasses.fields(Record)}
    if record.box is None:
        del example['box']
    for name, value in example.items():
        if isinstance(value, np.ndarray):
            example[name] = value.astype(np.float32)
    example['image_size'] = np.asarray(record.image_size, np.int32)
    return example

"""`People`: records of a built dataset that are drawn at random, as arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from capf_jax.errors import UserError
from data_pipeline.records import LABELS


@dataclasses.dataclass(frozen=True)
class People:
    """N people, as `data_pipeline.records.Record` defines them.

    Attributes:
      images: [N, H, W, 3] uint8, crops, RGB.
      joints2d_detected: [N, J, 2], detected 2D joints, pixels of the whole image.
      joints2d_truth: [N, J, 2], true 2D joints, pixels of the whole image.
      confidence: [N, J], confidence of the 2D detector, 0 to 1.
      joints3d: [N, J, 3], camera frame, metres.
      intrinsics: [N, 4], fx, fy, cx and cy, pixels of the whole image; 0 where there is no camera.
      affine: [N, 2, 3], maps pixels of the whole image to pixels of the crop.
      labels: N values each of 'subject', 'action', 'sequence' and 'camera' (str) and of 'frame'
        (int).
    """

    images: np.ndarray
    joints2d_detected: np.ndarray
    joints2d_truth: np.ndarray
    confidence: np.ndarray
    joints3d: np.ndarray
    intrinsics: np.ndarray
    affine: np.ndarray
    labels: dict[str, list]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def finite(self) -> np.ndarray:
        """[N] bool, whether all joints and the crop of each person are finite numbers."""
        arrays = (self.joints2d_detected, self.joints2d_truth, self.joints3d, self.affine)
        each = [np.isfinite(array).reshape(len(self), -1).all(axis=1) for array in arrays]
        return np.logical_and.reduce(each)

    def take(self, rows: np.ndarray) -> People:
        """The people at these rows, an array of indices, in its order."""
        arrays = {name: getattr(self, name)[rows] for name in ('images', *_ARRAYS)}
        labels = {name: [values[row] for row in rows] for name, values in self.labels.items()}
        return People(**arrays, labels=labels)


_ARRAYS = (
    'joints2d_detected', 'joints2d_truth', 'confidence', 'joints3d', 'intrinsics', 'affine',
)  # fmt: skip


def draw(builder: tfds.core.DatasetBuilder, split: str, count: int, seed: int = 0) -> People:
    """Draws people of a split at random.

    Args:
      builder: the built dataset.
      split: name of the split.
      count: number of people; a smaller split is taken whole.
      seed: seed of the draw.

    Returns:
      Different people, in the order in which they are stored.

    Raises:
      UserError: an image does not decode.
    """
    open_source: Any = builder.as_data_source  # TFDS's decorator hides its signature.
    source = open_source(split)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(source), min(count, len(source)), replace=False))
    examples = []
    for index in rows:
        try:
            examples.append(source[int(index)])
        except Exception as error:  # An image decoder may raise any error.
            raise UserError(
                f'record {index} of split {split!r} of {builder.data_dir} does not decode '
                f'({error}); delete this folder and build it again'
            ) from error
    labels = {
        name: [
            int(example[name]) if name == 'frame' else example[name].decode()
            for example in examples
        ]
        for name in LABELS
    }
    arrays = {
        name: np.stack([example[name] for example in examples]).astype(np.float64)
        for name in _ARRAYS
    }
    images = np.stack([example['image'] for example in examples])
    return People(images, **arrays, labels=labels)

"""`People`: randomly drawn records of a built dataset, as arrays."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from data_pipeline.records import LABELS


@dataclasses.dataclass(frozen=True)
class People:
    """N records; see records.Record for units and frames."""

    images: np.ndarray  # [N, H, W, 3] uint8 RGB
    joints2d_detected: np.ndarray  # [N, J, 2]
    joints2d_truth: np.ndarray  # [N, J, 2]
    confidence: np.ndarray  # [N, J]
    joints3d: np.ndarray  # [N, J, 3]
    intrinsics: np.ndarray  # [N, 4]
    affine: np.ndarray  # [N, 2, 3]
    labels: dict[str, list]  # 'subject', 'action', 'sequence', 'camera' (str), 'frame' (int)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def finite(self) -> np.ndarray:
        """[N] bool: every number of the record is finite."""
        arrays = (self.joints2d_detected, self.joints2d_truth, self.joints3d, self.affine)
        each = [np.isfinite(array).reshape(len(self), -1).all(axis=1) for array in arrays]
        return np.logical_and.reduce(each)

    def take(self, rows: np.ndarray) -> People:
        """The records at these rows, in their order."""
        arrays = {name: getattr(self, name)[rows] for name in ('images', *_ARRAYS)}
        labels = {name: [values[row] for row in rows] for name, values in self.labels.items()}
        return People(**arrays, labels=labels)


_ARRAYS = (
    'joints2d_detected', 'joints2d_truth', 'confidence', 'joints3d', 'intrinsics', 'affine',
)  # fmt: skip


def draw(builder: tfds.core.DatasetBuilder, split: str, count: int, seed: int = 0) -> People:
    """At most `count` different records of a split, in stored order; the seed chooses.

    Raises:
      ValueError: an image does not decode.
    """
    source = builder.as_data_source(split)
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(source), min(count, len(source)), replace=False))
    examples = []
    for index in chosen:
        try:
            examples.append(source[int(index)])
        except Exception as error:  # whatever the image decoder raises
            raise ValueError(
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

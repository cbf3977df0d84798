"""The records of a split as they are stored: opened, parsed, and the labels of all of them.

Records are read through TFDS's data source and parsed here, a batch at a time. This avoids TFDS's
own decoding, which keeps the threads waiting for Python's lock. TensorFlow and JAX are never
imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from google.protobuf import message
from tensorflow_datasets.proto import tf_example_pb2

from capf_jax import errors
from capf_jax.errors import UserError
from data_pipeline import datasets
from data_pipeline.records import LABELS

_AT_ONCE = 1024  # records that are in memory while all of a split are read


@dataclasses.dataclass(frozen=True)
class Labels:
    """Who, what and where of every sample of a split; position i belongs to `Batch.index` i."""

    subject: np.ndarray  # [N] str
    action: np.ndarray  # [N] str
    sequence: np.ndarray  # [N] str
    camera: np.ndarray  # [N] str
    frame: np.ndarray  # [N] int64, position in the sequence


def open_split(builder: tfds.core.DatasetBuilder, split: str) -> Any:
    """TFDS's source of undecoded records; files that are still in a store are copied first.

    Raises:
      UserError: the split is missing or empty, or the store cannot be reached.
      StateError: what is in the store is not whole.
      OSError: the disk is too small for the files.
    """
    datasets.bring(builder, split)
    try:
        open_source: Any = builder.as_data_source  # TFDS's decorator hides its signature.
        source = open_source(split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        if len(source) < 1:  # Of a part that ends before it begins, len() raises this error.
            raise ValueError('the split is empty')
        return source
    except ValueError as error:
        splits = builder.info.splits.items()
        known = ', '.join(f'{name!r} with {info.num_examples}' for name, info in splits)
        raise UserError(
            f'{builder.data_dir} has no samples in split {split!r}; it has {known}: '
            'choose config.data.train_split and test_split among these'
        ) from error


def examples_at(
    source: Any,
    indices: Sequence[int] | np.ndarray,
    builder: tfds.core.DatasetBuilder,
    split: str,
) -> list:
    """Records at these positions, each a mapping from a feature's name to its values.

    Args:
      source: of `open_split`.
      indices: positions in the split.
      builder: of the dataset, for a message.
      split: its name, for a message.

    Raises:
      RuntimeError: a file of the dataset is damaged.
    """
    try:
        stored = source.__getitems__([int(index) for index in indices])
    except RuntimeError as error:  # ArrayRecord raises it at a wrong checksum, naming no file
        reason = str(error).split(' (')[0]
        raise datasets.not_whole(builder, f'split {split!r} does not read, {reason}') from error
    example: Any = tf_example_pb2.Example  # pyright: ignore[reportAttributeAccessIssue] - built at import
    try:
        return [example.FromString(record).features.feature for record in stored]
    except message.DecodeError as error:
        raise datasets.not_whole(builder, f'a record of split {split!r} does not read') from error


def labels(builder: tfds.core.DatasetBuilder, split: str) -> Labels:
    """Labels of a whole split, aligned to `Batch.index`; no image is decoded.

    Raises:
      UserError: the split is missing or empty.
      RuntimeError: a file of the dataset is damaged.
    """
    lists = {name: [] for name in LABELS}
    for example in stored_examples(builder, split):
        for name, values in lists.items():
            values.append(label(example, name))
    return Labels(**{name: np.array(values) for name, values in lists.items()})


def stored_examples(builder: tfds.core.DatasetBuilder, split: str) -> Iterator[Any]:
    """All records of a split as `examples_at` gives them, a few of which are in memory.

    Raises:
      UserError: the split is missing or empty.
      RuntimeError: a file of the dataset is damaged.
    """
    source = open_split(builder, split)
    for start in range(0, len(source), _AT_ONCE):
        yield from examples_at(
            source, range(start, min(start + _AT_ONCE, len(source))), builder, split
        )


def label(example: Any, name: str) -> str | int:
    """One of the fields in LABELS of a stored record."""
    if name == 'frame':
        return example[name].int64_list.value[0]
    text = example[name].bytes_list.value[0].decode(errors='backslashreplace')
    return text if text.isprintable() else errors.printable(text)  # It may be shown in a terminal.

"""The loader: which samples make which batch, in which order, in which process; Grain reads ahead.

One Grain element is one whole batch of positions, so that Grain's threads read and decode batches
side by side (OpenCV decodes outside Python's lock) and Python's cost is paid once a batch.
Grain imports JAX, and its threads share this process: no reading process is ever forked or spawned.
Every process knows the order of all samples and reads its own part of each global batch, so that
the global batches do not depend on the number of processes. A batch for a sequence lifter is one of
target frames, whose windows the reader adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grain
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from data_pipeline import windows
from data_pipeline.reader import Reader
from data_pipeline.stored_examples import Labels, labels
from data_pipeline.windows import WindowReader

__all__ = [
    'Batches',
    'Labels',
    'check_split',
    'evaluation_batches',
    'labels',
    'open_reader',
    'repetitions',
    'steps_per_epoch',
    'training_batches',
]


class Batches(Iterator[Batch]):
    """Batches in their order, with a position that can be saved and restored.

    Attributes:
      bad_images: what was wrong with each image that did not decode, among the batches given so
        far; filled only where config.data.bad_image is 'skip'.
    """

    def __init__(self, iterator: grain.DatasetIterator, length: int | None):
        self._iterator = iterator
        self._length = length
        self.bad_images: list[str] = []

    def __next__(self) -> Batch:
        batch, complaints = next(self._iterator)
        self.bad_images += [c for c in dict.fromkeys(complaints) if c not in self.bad_images]
        return batch

    def __len__(self) -> int:
        """Number of batches of an evaluation; TypeError for training, which has no end."""
        if self._length is None:
            raise TypeError('training batches have no end')
        return self._length

    def get_state(self) -> dict[str, int]:
        """Position after the last batch given, a small JSON-able dict."""
        return self._iterator.get_state()

    def set_state(self, state: dict[str, int]) -> None:
        """Continues where `get_state` was called, also in another process or session."""
        self._iterator.set_state(state)

    def close(self) -> None:
        """Stops reading ahead."""
        self._iterator.close()


def steps_per_epoch(builder: tfds.core.DatasetBuilder, config: ConfigDict) -> int:
    """Training steps of one pass over the training split; what is left over is dropped.

    Raises:
      UserError: the split is missing or smaller than a batch.
    """
    return _training_steps(open_reader(builder, config, config.data.train_split), config)


def check_split(builder: tfds.core.DatasetBuilder, config: ConfigDict, split: str) -> None:
    """UserError if the split is missing or empty, or cannot be read as the configuration says."""
    open_reader(builder, config, split)


def training_batches(
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    *,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Batches:
    """This process's share of the training batches, without end.

    Every epoch has its own order, given by config.seed and the epoch's number alone: two iterators
    at the same step give identical batches. Where images may be skipped, the next good sample of
    the split takes the place of a bad one.

    Args:
      builder: a built dataset, see datasets.open_or_build.
      config: fields seed, skeleton, data and training.batch_size (over all processes).
      start_step: the step whose batch comes first.
      process_index: this process among `process_count`.
      process_count: number of processes that train together.

    Raises:
      UserError: the split is missing or smaller than a batch, the batch does not divide by the
        processes, or, while iterating, a record is bad (see Reader.batch).
    """
    reader = open_reader(builder, config, config.data.train_split)
    batch_size = config.training.batch_size
    share = _share('training', batch_size, process_index, process_count)
    _training_steps(reader, config)
    # Neighbouring seeds would share orders, since Grain adds the epoch to the seed.
    shuffle_seed = int(np.random.SeedSequence(config.seed).generate_state(1)[0])
    batches = (
        grain.MapDataset.range(len(reader))
        .shuffle(seed=shuffle_seed)
        .batch(batch_size, drop_remainder=True, batch_fn=np.asarray)
        .map(lambda positions: _valid(reader, positions[share]))
        .repeat()
    )
    return _iterate(batches, config.data.threads, None, start_step)


def evaluation_batches(
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    *,
    split: str | None = None,
    process_index: int = 0,
    process_count: int = 1,
) -> Batches:
    """This process's share of one pass over a split, every sample exactly once over processes.

    All batches have the same size and all processes the same number of them. The last ones are
    padded with a repeated sample, marked by valid=False. Where images may be skipped, valid is
    False for a sample whose image does not decode.

    Args:
      builder: a built dataset, see datasets.open_or_build.
      config: fields skeleton, data and evaluation.batch_size (over all processes).
      split: a TFDS split; config.data.test_split if not given.
      process_index: this process among `process_count`.
      process_count: number of processes that evaluate together.

    Raises:
      UserError: the split is missing, the batch does not divide by the processes, or, while
        iterating, a record is bad (see Reader.batch).
    """
    reader = open_reader(builder, config, split or config.data.test_split)
    batch_size = config.evaluation.batch_size
    share = _share('evaluation', batch_size, process_index, process_count)
    steps = -(-len(reader) // batch_size)
    batches = (
        grain.MapDataset.range(steps * batch_size)
        .batch(batch_size, batch_fn=np.asarray)
        .map(lambda positions: _padded(reader, positions[share]))
    )
    return _iterate(batches, config.data.threads, steps, 0)


def open_reader(
    builder: tfds.core.DatasetBuilder, config: ConfigDict, split: str
) -> Reader | WindowReader:
    """What reads the samples of a split; with the frames of their windows for sequence lifters.

    Args:
      builder: a built dataset.
      config: fields task, skeleton, data and model.frame.
      split: a TFDS split.

    Raises:
      UserError: the split is missing or empty, or cannot be read as the configuration says.
    """
    data = config.data
    reader = Reader(
        builder,
        split,
        skeletons.get(config.skeleton),
        joints2d=data.joints2d,
        bad_image=data.bad_image,
        frame=config.model.frame,
        pictures=data.pictures,
        classes=tuple(data.classes) if config.task == 'classifier' else (),
    )
    if config.task != 'sequence':
        return reader
    runs = windows.runs_of(windows.videos_of(builder, split), reader.where)
    return WindowReader(reader, runs, frames=data.frames, step=data.frame_step, causal=data.causal)


def repetitions(builder: tfds.core.DatasetBuilder, config: ConfigDict, split: str) -> str:
    """How many windows of a split repeat frames, in words; '' where none does or there are none.

    Raises:
      UserError: as `open_reader`.
    """
    reader = open_reader(builder, config, split)
    return reader.repetitions if isinstance(reader, WindowReader) else ''


def _training_steps(reader: Reader | WindowReader, config: ConfigDict) -> int:
    """Number of full batches in the split; UserError if there is none."""
    steps = len(reader) // config.training.batch_size
    if not steps:
        raise UserError(
            f'split {config.data.train_split!r} has {len(reader)} samples, fewer than a batch of '
            f'{config.training.batch_size}; lower config.training.batch_size'
        )
    return steps


def _share(name: str, batch_size: int, process_index: int, process_count: int) -> slice:
    """The part of each global batch that a process reads."""
    if batch_size < 1 or batch_size % process_count:
        raise UserError(
            f'config.{name}.batch_size is {batch_size}, which does not divide into '
            f'{process_count} processes; choose a multiple of {process_count}'
        )
    local = batch_size // process_count
    return slice(process_index * local, (process_index + 1) * local)


def _valid(reader: Reader | WindowReader, indices: np.ndarray) -> tuple[Batch, tuple[str, ...]]:
    """The batch at these positions; the next sample replaces one whose image does not decode.

    Raises:
      UserError: as `Reader.batch`, or no image of the split decodes.
      RuntimeError: as `Reader.batch`.
    """
    positions, complaints = np.array(indices), []
    for _ in range(len(reader) + 1):
        batch, more = reader.batch(positions)
        complaints += more
        if batch.valid.all():
            return batch, tuple(complaints)
        positions = np.where(batch.valid, positions, (positions + 1) % len(reader))
    raise UserError(f'no image of {reader.where} decodes; build the dataset again')


def _padded(reader: Reader | WindowReader, positions: np.ndarray) -> tuple[Batch, tuple[str, ...]]:
    """The batch at `positions`; past the end it repeats the last sample with valid=False."""
    inside = positions < len(reader)
    batch, complaints = reader.batch(np.minimum(positions, len(reader) - 1))
    # A share that is all padding reads the last sample again; another share reports its faults.
    return batch._replace(valid=batch.valid & inside), complaints if inside.any() else ()


def _iterate(batches: grain.MapDataset, threads: int, length: int | None, start: int) -> Batches:
    """Iterates from batch number `start`; each thread holds one batch, to bound memory."""
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
    iterator: Any = iter(batches.to_iter_dataset(options))
    result = Batches(iterator, length)
    result.set_state({'next_index': start})
    return result

"""How many people a second the loader reads on one core of this machine and on all of them.

`benchmarks.scaling` runs this file in a fresh process for each number of cores, which it keeps the
process on:

    python -m benchmarks.loader_cores --folder=DATASET

DATASET is the folder of a built dataset. It prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from benchmarks import loader, sequences
from benchmarks.others_share import Others
from capf_jax.runtime import commands
from configs import base
from data_pipeline import loader as data_loader

CROPS, FEATURES = 'JPEG crops, 256x192', 'stored features, 480 numbers a joint'
KINDS = (CROPS, FEATURES)
HEIGHT, WIDTH = 256, 192  # of the crops
CHANNELS = 480  # of HRNet-W32's maps, as its stored features have them
PEOPLE = 3 * loader.PEOPLE  # in a pass, so many that batches read ahead hardly matter


def write_dataset(kind: str, folder: pathlib.Path) -> str:
    """Writes the dataset of one of KINDS; returns its folder."""
    tfds.display_progress_bar(False)
    if kind == CROPS:
        builder = loader.BenchmarkPeople(data_dir=folder, crop_size=(WIDTH, HEIGHT))
        builder.download_and_prepare(file_format='array_record')
    else:
        builder = sequences.stored_features(sequences.source_of(folder, loader.PEOPLE), CHANNELS)
    return os.fspath(builder.data_dir)


def core_counts() -> list[int]:
    """One core and all of them; all alone where a system lets no process choose its cores."""
    if not hasattr(os, 'sched_setaffinity'):
        return [os.cpu_count() or 1]
    return sorted({1, len(os.sched_getaffinity(0))})


@contextlib.contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Processes that are started inside, by this thread, stay on so many cores."""
    if count == core_counts()[-1]:
        yield
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-count:])  # The first core often serves the machine's devices.
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def measure(folder: str, people: int = PEOPLE) -> dict[str, Any]:
    """Reads a dataset as training does, on the cores that this process has.

    Args:
      folder: of the built dataset.
      people: in each of three passes.

    Returns:
      What is to be told of it, as JSON holds it.
    """
    config = base.get_config()
    config.training.batch_size = loader.BATCH
    builder = tfds.builder_from_directory(folder)
    others = Others()
    reading = loader.reading(builder, config, people)
    return {
        'threads': config.data.threads,
        'batch': loader.BATCH,
        **dataclasses.asdict(reading),
        'python_seconds': python_seconds(builder, people // loader.BATCH),
        'others': others.share(),
    }


def python_seconds(builder: tfds.core.DatasetBuilder, batches: int) -> float:
    """The processor's seconds that a reading thread spends on a person beside decoding.

    ArrayRecord reads in threads of its own and OpenCV decodes outside of Python's lock. Nearly all
    that is left to the thread is Python's, and one thread at a time can do it.
    """
    config = base.get_config()
    config.data.pictures = False
    reader = data_loader.open_reader(builder, config, 'train')
    random = np.random.default_rng(0)
    chosen = random.integers(0, len(reader), (batches + 1, loader.BATCH))
    reader.batch(chosen[0])
    start = time.thread_time()
    for positions in chosen[1:]:
        reader.batch(positions)
    return (time.thread_time() - start) / chosen[1:].size


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('benchmarks.loader_cores', __doc__)
    parser.add_argument('--folder', required=True, help='of a built dataset')
    print(json.dumps(measure(parser.parse(argv).folder)))
    return 0


if __name__ == '__main__':
    commands.run(main)

"""Building Human3.6M from a generated raw tree: people per second, size, reading speed afterwards.

    python -m benchmarks.run build [--people=20000]

The tree is that of the tests (CDF labels, CPN detections), with longer videos and pictures of
1000x1000 pixels. They show smooth noise, whose JPEGs are as large as real ones (70 kB), and so are
their crops (15 kB). All names are links to a few pictures, so that the disk's reading time is not
measured. The command of the README builds the tree, with 1 process and with 2, start-up included.
The times of the real datasets are extrapolated from that with 2 processes, by the number of people
alone, although frames of MPI-INF-3DHP are four times as large and come from videos.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
from ml_collections import ConfigDict

from benchmarks.loader import reading_speed
from benchmarks.machine import Row
from configs import base
from data_pipeline.datasets import human36m
from data_pipeline.datasets.human36m.settings import PUBLISHED_SIZES
from tests.data_pipeline.datasets.human36m import raw_tree

PROCESSES = (1, 2)
PICTURES = 16  # number of different pictures
COARSE, QUALITY = 28, 65  # pixels between the noise's independent values; of the JPEGs
BATCH = 128
READ = 4096  # people in a pass, so many that batches read ahead do not matter
REAL = {  # people of the whole published datasets (docs/method.md)
    'Human3.6M': sum(PUBLISHED_SIZES.values()),
    'MPI-INF-3DHP': 1_052_736 + 2_929,
}


def rows(people: str = '20000') -> list[Row]:
    """Building, reading, and what is extrapolated from that.

    Args:
      people: about how many to build; a multiple of the number of videos is.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, 'source')
        count = write_tree(source, int(people))
        table, size, seconds = [], 0, 0.0
        for processes in PROCESSES:
            data = pathlib.Path(folder, f'data{processes}')
            seconds = build(source, data, processes)
            size = sum(path.stat().st_size for path in data.rglob('*') if path.is_file())
            note = f'{count / seconds:.0f} people/s, {size / count / 1e3:.1f} kB a person'
            name = f'build of {count} people, {processes} processes, a person'
            table.append(Row(name, seconds / count, note=note))
        speed = read(data, count)
    table.append(Row(f'reading them, batch {BATCH}', BATCH / speed, note=f'{speed:.0f} people/s'))
    for name, number in REAL.items():
        hours, gigabytes = number * seconds / count / 3600, number * size / count / 1e9
        note = f'{hours:.1f} h and {gigabytes:.0f} GB: extrapolated to {number:,} people'
        table.append(
            Row(f'{name}, {PROCESSES[-1]} processes, a person', seconds / count, note=note)
        )
    return table


def write_tree(source: pathlib.Path, people: int) -> int:
    """A raw tree of about as many people; returns how many."""
    lengths = dict(raw_tree.LENGTHS)
    keys = raw_tree.videos()
    each = max(2, round(people / len(keys)))
    try:
        raw_tree.LENGTHS.update({1: each + 1, 2: each - 1})  # lengths tell trials apart
        source.mkdir(parents=True)
        raw_tree.write_labels(source, 'cdf')
        pictures = [_picture(source / f'noise{i}.jpg', i) for i in range(PICTURES)]
        number = 0
        for key in keys:
            for frame in range(raw_tree.LENGTHS[key.trial]):
                path = raw_tree.picture_path(source, key, frame)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(pictures[number % PICTURES], path)
                number += 1
    finally:
        raw_tree.LENGTHS.update(lengths)
    return number


def _picture(path: pathlib.Path, seed: int) -> pathlib.Path:
    random = np.random.default_rng(seed)
    side = 1000 // COARSE
    coarse = random.integers(40, 216, (side, side, 3), dtype=np.uint8)
    image = cv2.resize(coarse, (1000, 1000), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return path


def build(source: pathlib.Path, data: pathlib.Path, processes: int) -> float:
    """Seconds of the command that builds the tree, from its start to its end.

    Raises:
      CalledProcessError: the command failed; its messages are on this process's error output.
    """
    command = [sys.executable, '-m', 'data_pipeline.build', 'human36m', f'--source={source}']
    command += [f'--data_dir={data}', f'--processes={processes}']
    command += [f'--{field}={"+".join(names)}' for field, names in raw_tree.SUBSET.items()]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def read(data: pathlib.Path, people: int) -> float:
    """Images per second of the loader from what was built there, as training reads it."""
    config = base.get_config()
    config.training.batch_size = min(BATCH, people // 2)
    config.data.name, config.data.dir = 'human36m', str(data)
    with config.data.unlocked():
        config.data.builder = ConfigDict(raw_tree.SUBSET)
    builder = human36m.builder_from_config(config.data)
    return reading_speed(builder, config, max(people // 2, READ))

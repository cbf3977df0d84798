"""Windows of frames: reading, training and streaming them, their memory, and rendering clips.

    python -m benchmarks.run sequences [--only=training+streaming]

Parts of `--only`, all of them without it:

- reading: the stored features are as large as those of HRNet-32 (480 numbers for each of 17 joints,
  plain and mirrored), and are random. Windows have random targets, as in training, or neighbouring
  ones, as in an evaluation.
- memory: the largest memory of a process that stores the features of a small and of a large
  dataset, and of one that reads windows of them; the features are small.
- training: window_training.py, steps on stored features beside steps with the detector running.
- streaming: window_streams.py, a new frame beside its window again and beside PoseFormer.
- clips: rendering those of `builder.clip_frames=27` of 128x96 pixels.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from benchmarks import window_streams, window_training
from benchmarks.machine import Row, memory
from capf_jax.errors import unknown
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from configs import base
from data_pipeline import features, loader, records
from data_pipeline.datasets import synthetic
from data_pipeline.features import PeopleFeatures
from data_pipeline.reader import Reader

FRAMES = 27
VIDEO = 400  # frames of a video
BATCH = 64  # windows
PEOPLE, CHANNELS = 4096, 480  # whose features are read for the speed
# People, and channels of their features, for the memory: so many that a batch repeats few of them.
FEW, MANY, SMALL = 16_000, 48_000, 4
CLIP_FRAMES = 4_050  # frames that are rendered
PROCESSES = 2
HEADER = ('what', 'ms', 'beside it, ms', 'ratio', 'goal', 'of matmul peak', 'note')


class BenchmarkVideos(tfds.core.GeneratorBasedBuilder):
    """Black pictures of 12x16 pixels in videos of VIDEO frames."""

    VERSION = tfds.core.Version('1.0.0')
    name = 'benchmark_videos'

    def __init__(self, *, people: int, **arguments):
        self.people = people
        super().__init__(**arguments)

    def _info(self) -> tfds.core.DatasetInfo:
        metadata = tfds.core.MetadataDict(skeleton='h36m17')
        return tfds.core.DatasetInfo(
            builder=self, features=records.features(17, 16, 12), metadata=metadata
        )

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        image = cv2.imencode('.png', np.zeros((16, 12, 3), np.uint8))[1].tobytes()
        for i in range(self.people):
            record = records.Record(
                image=image,
                joints2d_detected=np.zeros((17, 2)),
                joints2d_truth=np.zeros((17, 2)),
                confidence=np.ones(17),
                joints3d=np.zeros((17, 3)),
                intrinsics=np.ones(4),
                image_size=(1000, 1000),
                affine=np.eye(2, 3),
                subject='S1',
                action='Walking',
                sequence=f'{i // VIDEO}',
                camera='front',
                frame=i % VIDEO,
            )
            yield i, records.to_example(record)


def source_of(folder: pathlib.Path, people: int) -> BenchmarkVideos:
    """A dataset of so many people, in videos."""
    tfds.display_progress_bar(False)
    source = BenchmarkVideos(data_dir=folder, people=people)
    source.download_and_prepare(file_format='array_record')
    return source


def stored_features(source: tfds.core.DatasetBuilder, channels: int) -> features.Builder:
    """Random features of the people of a dataset."""
    tfds.display_progress_bar(False)
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(64, 2, 17, channels)).astype(np.float16)
    joints = np.zeros((64, 2, 17, 2), np.float32)

    def extract(_: Batch, __: str) -> PeopleFeatures:
        return PeopleFeatures(contexts, joints, np.ones((64, 2, 17), np.float32))

    readers = {'train': Reader(source, 'train', skeletons.H36M17)}
    work = features.Work(extract, readers, 64, 2)
    builder = features.Builder(source, _settings(channels), work)
    builder.download_and_prepare(file_format='array_record')
    return builder


def _settings(channels: int) -> features.Settings:
    return features.Settings(
        name=f'random-{channels}', detector='random', joints2d='detected', joints=17,
        channels=channels,
    )  # fmt: skip


def config_of(batch: int = BATCH) -> ConfigDict:
    """The configuration of windows of FRAMES."""
    config = base.get_config()
    config.task, config.data.frames = 'sequence', FRAMES
    config.training.batch_size = config.evaluation.batch_size = batch
    return config


def seconds_of_batch(batches: loader.Batches, count: int) -> float:
    """Mean time of a batch, after the first ones that were read ahead."""
    for _ in range(config_of().data.threads + 1):
        next(batches)
    start = time.perf_counter()
    for _ in range(count):
        next(batches)
    seconds = (time.perf_counter() - start) / count
    batches.close()
    return seconds


def memory_of_windows(folder: str) -> int:
    """Largest memory of this process, bytes, after reading windows of stored features.

    Args:
      folder: that `source_of` has made a dataset in, and `memory_of_features` its features.
    """
    source = BenchmarkVideos(data_dir=folder, people=0)
    stored = features.Builder(source, _settings(SMALL))
    batches = loader.training_batches(stored, config_of())
    for _ in range(60):
        next(batches)
    return memory('VmHWM')


def memory_of_features(folder: str) -> int:
    """Largest memory of this process, bytes, after storing the features of the dataset there."""
    stored_features(BenchmarkVideos(data_dir=folder, people=0), SMALL)
    return memory('VmHWM')


def rows(only: str = '') -> Iterator[Row]:
    """The rows of all parts.

    Args:
      only: names of parts, joined by +; all of them by default.

    Raises:
      UserError: there is no such part.
    """
    names = only.split('+') if only else list(PARTS)
    for name in names:
        if name not in PARTS:
            raise unknown('--only', name, PARTS)
    for name in names:
        yield from PARTS[name]()


def reading_rows() -> list[Row]:
    """Batches of windows of stored features."""
    table = []
    with tempfile.TemporaryDirectory() as name:
        builder = stored_features(source_of(pathlib.Path(name), PEOPLE), CHANNELS)
        config = config_of()
        ways = {
            'random targets': loader.training_batches(builder, config),
            'neighbouring targets': loader.evaluation_batches(builder, config, split='train'),
        }
        for way, batches in ways.items():
            seconds = seconds_of_batch(batches, 20)
            note = f'{BATCH / seconds:,.0f} windows/s, {BATCH * FRAMES / seconds:,.0f} frames/s'
            title = f'{BATCH} windows of {FRAMES} frames, stored features of {CHANNELS}, {way}'
            table.append(Row(title, seconds, note=note))
    return table


def memory_rows() -> list[Row]:
    """The memory of storing features and of reading their windows, by the number of people."""
    used: dict[str, list[int]] = {'storing features': [], 'reading their windows': []}
    with tempfile.TemporaryDirectory() as name:
        for people in (FEW, MANY):
            folder = pathlib.Path(name, f'{people}')
            source_of(folder, people)
            functions = memory_of_features, memory_of_windows
            for measured, function in zip(used.values(), functions, strict=True):
                measured.append(_in_process(function, folder))
    table = []
    for what, (few, many) in used.items():
        each = (many - few) / (MANY - FEW)
        note = f'{few / 1e6:.0f} MB with {FEW:,} people, {many / 1e6:.0f} MB with {MANY:,}'
        table.append(Row(f'memory of {what}, {each:.0f} bytes a person', 0.0, note=note))
    return table


def _in_process(function: Callable[[str], int], folder: pathlib.Path) -> int:
    """What a function of this file gives in a process of its own."""
    program = 'import sys; from benchmarks import sequences as s; '
    program += f'print(s.{function.__name__}(sys.argv[1]))'
    command = [sys.executable, '-c', program, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])  # behind what the process prints of its work


def clip_rows() -> list[Row]:
    """Rendered clips."""
    with tempfile.TemporaryDirectory() as name:
        seconds = _rendering(pathlib.Path(name))
    note = f'{1 / seconds:.0f} frames/s: 20,000 in {20_000 * seconds / 60:.1f} minutes'
    return [Row(f'a frame of a clip, {PROCESSES} processes', seconds, note=note)]


def _rendering(folder: pathlib.Path) -> float:
    """Seconds of a frame of rendered clips, start-up included."""
    fields = {
        'train_size': CLIP_FRAMES - FRAMES, 'test_size': FRAMES, 'clip_frames': FRAMES,
        'processes': PROCESSES,
    }  # fmt: skip
    builder = synthetic.builder_from_config(ConfigDict({'dir': str(folder), 'builder': fields}))
    start = time.perf_counter()
    builder.download_and_prepare()
    return (time.perf_counter() - start) / CLIP_FRAMES


PARTS: Mapping[str, Callable[[], list[Row]]] = {
    'reading': reading_rows,
    'memory': memory_rows,
    'training': window_training.training_rows,
    'streaming': window_streams.stream_rows,
    'clips': clip_rows,
}

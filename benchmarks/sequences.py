"""Windows of frames: reading them from stored features, their memory, and rendering clips.

    python -m benchmarks.run sequences

The stored features are as large as those of HRNet-32 (480 numbers for each of 17 joints, plain and
mirrored), and are random. Windows have random targets, as in training, or neighbouring ones, as in
an evaluation. The memory is that of a process that reads windows of a small and of a large dataset
of small features. The clips are those of `builder.clip_frames=27` of 128x96 pixels.
"""

from __future__ import annotations

import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from benchmarks.machine import Row
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


def stored_features(folder: pathlib.Path, people: int, channels: int) -> features.Builder:
    """A dataset of random features of so many people, in videos."""
    tfds.display_progress_bar(False)
    source = BenchmarkVideos(data_dir=folder, people=people)
    source.download_and_prepare(file_format='array_record')
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(64, 2, 17, channels)).astype(np.float16)
    joints = np.zeros((64, 2, 17, 2), np.float32)

    def extract(_: Batch, __: str) -> PeopleFeatures:
        return PeopleFeatures(contexts, joints, np.ones((64, 2, 17), np.float32))

    settings = features.Settings(
        name=f'random-{channels}', detector='random', joints2d='detected', joints=17,
        channels=channels,
    )  # fmt: skip
    readers = {'train': Reader(source, 'train', skeletons.H36M17)}
    builder = features.Builder(source, settings, features.Work(extract, readers, 64, 2))
    builder.download_and_prepare(file_format='array_record')
    return builder


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
    """Largest memory of this process, bytes, after a pass over windows of a dataset of features."""
    source = tfds.builder_from_directory(folder)
    batches = loader.training_batches(source, config_of())
    for _ in range(60):
        next(batches)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rows() -> list[Row]:
    """Reading windows, their memory, and rendering clips."""
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        builder = stored_features(folder / 'large', PEOPLE, CHANNELS)
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
        used = []
        for people in (FEW, MANY):
            stored = stored_features(folder / f'{people}', people, SMALL)
            program = 'import sys; from benchmarks import sequences as s; '
            program += 'print(s.memory_of_windows(sys.argv[1]))'
            command = [sys.executable, '-c', program, str(stored.data_dir)]
            used.append(int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        each = (used[1] - used[0]) / (MANY - FEW)
        note = f'{used[0] / 1e6:.0f} MB with {FEW:,} people, {used[1] / 1e6:.0f} MB with {MANY:,}'
        table.append(Row(f'memory of windows, {each:.0f} bytes a person', 0.0, note=note))
        seconds = _rendering(folder / 'clips')
    note = f'{1 / seconds:.0f} frames/s: 20,000 in {20_000 * seconds / 60:.1f} minutes'
    table.append(Row(f'a frame of a clip, {PROCESSES} processes', seconds, note=note))
    return table


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


if __name__ == '__main__':
    for row in rows():
        print(f'{row.name}: {row.note}')

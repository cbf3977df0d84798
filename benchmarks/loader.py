"""Images per second of the loader: reading, decoding, batching, as training sees it."""

from __future__ import annotations

import dataclasses
import tempfile
import time

import cv2
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from benchmarks.machine import Row
from configs import base
from data_pipeline import loader, records

PEOPLE = 2048
BATCH = 128


class BenchmarkPeople(tfds.core.GeneratorBasedBuilder):
    """Smooth noise instead of people: JPEG decoding costs about as much as for photographs."""

    VERSION = tfds.core.Version('1.0.0')
    name = 'benchmark_people'

    def __init__(self, *, crop_size: tuple[int, int], **arguments):
        self.crop_size = crop_size
        super().__init__(**arguments)

    def _info(self) -> tfds.core.DatasetInfo:
        width, height = self.crop_size
        return tfds.core.DatasetInfo(builder=self, features=records.features(17, height, width))

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        rng = np.random.default_rng(0)
        width, height = self.crop_size
        joints2d = np.zeros((17, 2))
        for i in range(PEOPLE):
            coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
            image = cv2.resize(coarse, self.crop_size, interpolation=cv2.INTER_CUBIC)
            encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            yield (
                i,
                records.to_example(
                    records.Record(
                        image=encoded,
                        joints2d_detected=joints2d,
                        joints2d_truth=joints2d,
                        confidence=np.ones(17),
                        joints3d=np.zeros((17, 3)),
                        intrinsics=np.ones(4),
                        image_size=(1000, 1000),
                        affine=np.eye(2, 3),
                        subject='',
                        action='',
                        sequence='',
                        camera='',
                        frame=i,
                    )
                ),
            )


def images_per_second(crop_size: tuple[int, int], threads: int) -> float:
    """Best of three passes over a small built dataset, after the first batch."""
    config = base.get_config()
    config.data.threads, config.training.batch_size = threads, BATCH
    with tempfile.TemporaryDirectory() as folder:
        builder = BenchmarkPeople(data_dir=folder, crop_size=crop_size)
        tfds.display_progress_bar(False)
        builder.download_and_prepare(file_format='array_record')
        return reading_speed(builder, config, PEOPLE)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How fast people are read.

    Attributes:
      speed: people a second.
      processor_seconds: of this process for each of them, all threads together.
    """

    speed: float
    processor_seconds: float


def reading_speed(builder: tfds.core.DatasetBuilder, config: ConfigDict, people: int) -> float:
    """Images per second that training gets: best of three passes over `people`."""
    return reading(builder, config, people).speed


def reading(builder: tfds.core.DatasetBuilder, config: ConfigDict, people: int) -> Reading:
    """What training gets of a dataset: the fastest of three passes over `people`."""
    batches = loader.training_batches(builder, config)
    next(batches)
    count = max(1, people // config.training.batch_size)
    passes = []
    for _ in range(3):
        start, processor = time.perf_counter(), time.process_time()
        for _ in range(count):
            next(batches)
        seconds, processor = time.perf_counter() - start, time.process_time() - processor
        read = count * config.training.batch_size
        passes.append(Reading(read / seconds, processor / read))
    batches.close()
    return max(passes, key=lambda one: one.speed)


def rows() -> list[Row]:
    """A batch of small and of the paper's crops; images per second are in the note.

    No share of the matrix-multiply peak: decoding has no products to count.
    """
    threads = base.get_config().data.threads
    table = []
    for height, width in ((128, 96), (256, 192)):
        speed = images_per_second((width, height), threads)
        name = f'loader, {height}x{width} JPEG crops, batch {BATCH}, {threads} threads'
        table.append(Row(name, BATCH / speed, note=f'{speed:,.0f} images/s'))
    return table


if __name__ == '__main__':
    for row in rows():
        print(f'{row.name}: {row.note}')

"""A builder of very few people whose data follow from their number, for the loader's tests."""

import dataclasses
import pathlib
import sys

import cv2
import numpy as np
import tensorflow_datasets as tfds

import data_pipeline.datasets
from data_pipeline import records

CROP = (12, 16)  # (width, height)


@dataclasses.dataclass
class TinyConfig(tfds.core.BuilderConfig):
    train: int = 10
    test: int = 7
    joints: int = 17
    cut: tuple[int, ...] = ()  # people of every split whose image is cut short
    nan: tuple[int, ...] = ()  # people of every split with a NaN in their 3D joints


class Builder(tfds.core.GeneratorBasedBuilder):
    """Person i is frame i, is grey level 10 i, and has joint j at pixel (i, j)."""

    VERSION = tfds.core.Version('1.0.0')
    name = 'tiny_people'

    def _info(self):
        shape = (self.builder_config.joints, CROP[1], CROP[0])
        return tfds.core.DatasetInfo(
            builder=self,
            features=records.features(*shape),
            metadata=tfds.core.MetadataDict(skeleton='h36m17'),
        )

    def _split_generators(self, dl_manager):
        config = self.builder_config
        return {'train': self._people(config.train), 'test': self._people(config.test)}

    def _generate_examples(self, count):
        return self._people(count)

    def _people(self, count):
        for i in range(count):
            yield i, records.to_example(person(i, self.builder_config))


def person(i, config=TinyConfig(name='default')):  # noqa: B008
    image = np.full((CROP[1], CROP[0], 3), (10 * i, 0, 0), np.uint8)  # RGB
    encoded = cv2.imencode('.png', image[..., ::-1])[1].tobytes()
    truth = np.stack([np.full(config.joints, i), np.arange(config.joints)], axis=-1)
    joints3d = np.concatenate([truth, np.full((config.joints, 1), 5)], axis=-1).astype(np.float32)
    joints3d[-1, -1] = np.nan if i in config.nan else 5
    return records.Record(
        image=encoded[:-20] if i in config.cut else encoded,
        joints2d_detected=truth + 0.5,
        joints2d_truth=truth,
        confidence=np.ones(config.joints),
        joints3d=joints3d,
        intrinsics=np.array([1000, 1000, 50, 40]),
        image_size=(100, 80),
        affine=np.array([[2, 0, 1], [0, 2, -1]]),
        subject=f'S{i % 2}',
        action='walk',
        sequence=f'walk {i // 4}',
        camera='front',
        frame=i,
    )


def builder_from_config(data):
    config = TinyConfig(name=data.builder.get('label', 'default'), **data.builder.get('tiny', {}))
    return Builder(data_dir=data.dir, config=config)


def add_to_data_pipeline(monkeypatch):
    """Makes this package a dataset for a test, so that configs can name it."""
    path = [*data_pipeline.datasets.__path__, str(pathlib.Path(__file__).parents[1])]
    monkeypatch.setattr(data_pipeline.datasets, '__path__', path)
    name = 'data_pipeline.datasets.tiny_people'
    monkeypatch.setitem(sys.modules, name, sys.modules[__name__])


def build(folder, **fields):
    """A built dataset with these fields of TinyConfig, in its own folder."""
    builder = Builder(data_dir=folder, config=TinyConfig(name='tiny', **fields))
    tfds.display_progress_bar(False)
    builder.download_and_prepare(file_format='array_record')
    return builder

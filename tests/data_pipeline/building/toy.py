"""Clips of grey pictures that follow from their numbers, for tests of the build machinery."""

import dataclasses
import os
import pathlib

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import H36M17
from data_pipeline import building


@dataclasses.dataclass(frozen=True)
class ToyClip(building.Clip):
    number: int
    frames: int
    settings: building.Settings
    trouble: str = ''  # what happens after the clip's first frame: 'bad' input, or 'die'
    log: str = ''  # folder that gets a file named after every clip that is begun

    @property
    def name(self):
        return f'clip_{self.number}'

    @property
    def size(self):
        return self.frames

    def records(self):
        for frame in range(self.frames):
            if frame == 1:
                self._act()
            level = 20 * self.number + frame
            yield building.make_record(
                np.full((40, 60, 3), level, np.uint8),
                np.array([30.0, 20.0]),
                20.0,
                self.settings,
                joints2d_detected=np.full((17, 2), frame + 0.5),
                joints2d_truth=np.full((17, 2), frame),
                confidence=np.ones(17),
                joints3d=np.full((17, 3), 5.0 + self.number),
                intrinsics=np.array([100.0, 100, 30, 20]),
                subject='S1',
                action='Stand',
                sequence='1',
                camera=str(self.number),
                frame=frame,
            )

    def _act(self):
        if self.log:
            (pathlib.Path(self.log) / f'{self.name}.{os.getpid()}').touch()
        if self.trouble == 'bad':
            raise UserError(f'{self.name} is bad')
        if self.trouble == 'die':
            os._exit(1)
        if self.trouble == 'interrupt':
            raise KeyboardInterrupt


class Builder(building.Builder):
    """Toy people."""

    name = 'toy'
    VERSION = tfds.core.Version('1.0.0')
    SETTINGS = building.SourceSettings
    BOX_SOURCE = 'none'
    clips = ()

    def _skeleton(self):
        return H36M17

    def _splits(self):
        return {'train': self.clips[:-1], 'test': self.clips[-1:]}


def builder(folder, *, troubles=None, log='', frames=(3, 2, 4, 2), **settings):
    """A builder of as many clips as there are `frames`; `troubles` are by clip number."""
    settings = building.SourceSettings(
        **{'source': 'toys', 'height': 32, 'width': 24, 'processes': 1} | settings
    )
    config = building.BuilderConfig(name='small', settings=settings)
    toy_builder = Builder(data_dir=folder, config=config)
    toy_builder.clips = [
        ToyClip(n, count, settings, (troubles or {}).get(n, ''), str(log))
        for n, count in enumerate(frames)
    ]
    return toy_builder


def contents(builder):
    """Every record of a built dataset, its image as it is stored."""
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    return [
        tf_example_pb2.Example.FromString(record)
        for split in ('train', 'test')
        for record in builder.as_data_source(split, deserialize_method=raw)
    ]

"""The TFDS builder of Human3.6M."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.pose.skeletons import H36M17
from data_pipeline import person_crops
from data_pipeline.human36m import sources
from data_pipeline.human36m.clips import Human36mClip
from data_pipeline.human36m.configuration import SPLITS, Human36mSettings


class Builder(person_crops.Builder):
    """Human3.6M (Ionescu et al. 2014): people in a studio, cropped by the box of SPEC 4."""

    name = 'human36m'
    VERSION = tfds.core.Version('1.0.0')
    SKELETON = H36M17
    BOX_SOURCE = 'true 3D root joint'

    def _splits(self) -> Mapping[str, Sequence[Human36mClip]]:
        settings = self.settings
        found = sources.read(settings)
        print(f'{settings.source}: {sources.KINDS[found.kind]}', file=sys.stderr)
        for sentence in found.missing:
            print(f'left out: {sentence}', file=sys.stderr)
        return {
            split: [
                Human36mClip(key, recording, found.videos[key].pattern, settings)
                for key, recording in found.recordings.items()
                if key.subject in subjects
            ]
            for split, subjects in SPLITS.items()
        }


def builder_from_config(data: ConfigDict) -> Builder:
    """The builder of `config.data`; nothing is read yet.

    Raises:
      ValueError: a field of `data.builder` is unknown or senseless.
    """
    settings = person_crops.from_fields(Human36mSettings, dict(data.builder), 'Human3.6M')
    config = person_crops.BuilderConfig(name=settings.name, settings=settings)
    return Builder(data_dir=data.dir, config=config)

"""The TFDS builder of Human3.6M."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import tensorflow_datasets as tfds

from capf_jax.pose.skeletons import H36M17, Skeleton
from data_pipeline import building
from data_pipeline.datasets.human36m import sources
from data_pipeline.datasets.human36m.clips import VideoClip
from data_pipeline.datasets.human36m.settings import SPLITS, Settings


class Builder(building.Builder):
    """Human3.6M (Ionescu et al. 2014): people in a studio, cropped by the published box."""

    name = 'human36m'
    VERSION = tfds.core.Version('1.0.0')
    SETTINGS = Settings
    BOX_SOURCE = 'true 3D root joint'

    def _skeleton(self) -> Skeleton:
        return H36M17

    def _splits(self) -> Mapping[str, Sequence[VideoClip]]:
        settings = self.settings
        source = sources.read(settings)
        print(f'{settings.source}: {sources.KINDS[source.kind]}', file=sys.stderr)
        for sentence in source.missing:
            print(f'left out: {sentence}', file=sys.stderr)
        return {
            split: [
                VideoClip(key, recording, source.videos[key].pattern, settings)
                for key, recording in source.recordings.items()
                if key.subject in subjects
            ]
            for split, subjects in SPLITS.items()
        }

"""The TFDS builder of the synthetic dataset."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow_datasets as tfds

from capf_jax.pose.skeletons import Skeleton
from data_pipeline import building
from data_pipeline.datasets.synthetic import motion_capture
from data_pipeline.datasets.synthetic.clips import SampleClip, clips_of
from data_pipeline.datasets.synthetic.settings import SPLITS, Settings


class Builder(building.Builder):
    """People rendered in rooms, with true and detected joints, in the order of their number."""

    name = 'synthetic'
    VERSION = tfds.core.Version('1.0.0')
    SETTINGS = Settings
    BOX_SOURCE = 'detected 2D joints, shifted and scaled at random'
    KEEPS_BOXES = False
    FILE_SIZE = 5000

    def _skeleton(self) -> Skeleton:
        return self.settings.skeleton

    def _splits(self) -> Mapping[str, Sequence[SampleClip]]:
        for path in self.settings.pose_files:
            _check_recordings(path)
        return {split: clips_of(self.settings, split) for split in SPLITS}


def _check_recordings(path: str) -> None:
    """Warns of a file with one clip only.

    Raises:
      UserError: the file is damaged, see motion_capture.load.
    """
    clips = np.unique(motion_capture.load(path).clips)
    if len(clips) == 1:
        logging.warning(
            '%s holds one clip, %r, whose last part is the test split: neighbouring frames are '
            'alike, and the test flatters; take a file with several clips to measure anything',
            path,
            str(clips[0]),
        )

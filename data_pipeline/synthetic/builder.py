"""The TFDS builder of the synthetic dataset."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict
from tqdm import tqdm

from data_pipeline import records, shards
from data_pipeline.synthetic import motion_capture
from data_pipeline.synthetic.configuration import SPLITS, SyntheticConfig, from_fields
from data_pipeline.synthetic.workers import render_split

SHARD = 5000  # samples in a file of the dataset


@dataclasses.dataclass(eq=False)
class SyntheticBuilderConfig(tfds.core.BuilderConfig):
    """TFDS' wrapper of a SyntheticConfig."""

    synthetic: SyntheticConfig = dataclasses.field(default_factory=SyntheticConfig)


class Builder(tfds.core.ShardBasedBuilder):
    """People rendered in rooms, with true and detected joints.

    Samples are stored in order. A GeneratorBasedBuilder would sort them by keys, for which it
    needs TensorFlow as soon as a split exceeds 1000 MiB.
    """

    VERSION = tfds.core.Version('1.0.0')
    name = 'synthetic'

    def __init__(self, *, config: SyntheticBuilderConfig, **kwargs: Any):
        # TFDS writes and reads ArrayRecord without TensorFlow.
        super().__init__(config=config, file_format='array_record', **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config.synthetic
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=records.features(len(config.skeleton), config.height, config.width),
            metadata=tfds.core.MetadataDict(
                skeleton=config.skeleton.name,
                box_source='detected 2D joints, shifted and scaled at random',
            ),
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Callable[[], shards.Examples]]]:
        del dl_manager  # nothing is downloaded
        tfds.disable_progress_bar()  # our own knows the total, and so the time left
        config = self.builder_config.synthetic
        if config.poses:
            _check_recordings(config.poses)
        return {
            split: shards.cut(self._generate_examples(split), config.size(split), SHARD)
            for split in SPLITS
        }

    def _generate_examples(self, split: str) -> shards.Examples:
        config = self.builder_config.synthetic
        with tqdm(total=config.size(split), desc=f'rendering {split}', unit=' images') as progress:
            for index, record in enumerate(render_split(config, split)):
                yield index, records.to_example(record)
                progress.update()


def _check_recordings(path: str) -> None:
    """Warns of a file with one clip only.

    Raises:
      ValueError: the file is damaged, see motion_capture.load.
    """
    clips = np.unique(motion_capture.load(path).clips)
    if len(clips) == 1:
        logging.warning(
            '%s holds one clip, %r, whose last part is the test split: neighbouring frames are '
            'alike, and the test flatters; take a file with several clips to measure anything',
            path,
            str(clips[0]),
        )


def builder_from_config(data: ConfigDict) -> Builder:
    """The builder of `config.data`; nothing is rendered yet.

    Raises:
      ValueError: a field of `data.builder` is unknown or senseless.
    """
    synthetic = from_fields(dict(data.builder))
    config = SyntheticBuilderConfig(name=synthetic.name, synthetic=synthetic)
    return Builder(data_dir=data.dir, config=config)

"""The TFDS builder of the synthetic dataset."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow_datasets as tfds
from ml_collections import ConfigDict
from tqdm import tqdm

from capf_jax.skeleton import H36M17
from data_pipeline import records
from data_pipeline.synthetic.configuration import SPLITS, SyntheticConfig, from_fields
from data_pipeline.synthetic.workers import render_split

Examples = Iterator[tuple[int, dict[str, Any]]]
SHARD = 5000  # samples in a file of the dataset; TFDS holds one file's crops in memory


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
            features=records.features(len(H36M17), config.height, config.width),
            metadata=tfds.core.MetadataDict(
                skeleton=H36M17.name, box_source='detected 2D joints, shifted and scaled at random'
            ),
        )

    def _shard_iterators_per_split(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, list[Callable[[], Examples]]]:
        del dl_manager  # nothing is downloaded
        tfds.disable_progress_bar()  # our own knows the total, and so the time left
        shards = {}
        for split in SPLITS:
            # All shards draw on one stream, so that the processes start once a split.
            stream = self._generate_examples(split)
            count = -(-self.builder_config.synthetic.size(split) // SHARD)
            shards[split] = [functools.partial(itertools.islice, stream, SHARD)] * count
        return shards

    def _generate_examples(self, split: str) -> Examples:
        config = self.builder_config.synthetic
        with tqdm(total=config.size(split), desc=f'rendering {split}', unit=' images') as progress:
            for index, record in enumerate(render_split(config, split)):
                yield index, records.to_example(record)
                progress.update()


def builder_from_config(data: ConfigDict) -> Builder:
    """The builder of `config.data`; nothing is rendered yet.

    Raises:
      ValueError: a field of `data.builder` is unknown or senseless.
    """
    synthetic = from_fields(dict(data.builder))
    config = SyntheticBuilderConfig(name=synthetic.name, synthetic=synthetic)
    return Builder(data_dir=data.dir, config=config)

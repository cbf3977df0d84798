"""The dataset of features: what a frozen detector tells of every person of another dataset.

It lies beside the dataset that it is made from, in the folder `features`. Each record is that of
the source without its picture, and with two copies, plain and mirrored, of the 2D joints that the
lifter takes, their confidences, and what every map of the detector shows at the joints (float16).
`python -m capf_jax.features` makes it, and `config.data.features` reads it through `Reader`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2
from tqdm import tqdm

from capf_jax.errors import StateError
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import Skeleton
from data_pipeline import building, datasets, local_copies
from data_pipeline.building import parts, workers
from data_pipeline.building.estimates import check_room, free_bytes, say, size_text
from data_pipeline.reader import Reader
from data_pipeline.records import Record

COMMAND = 'python -m capf_jax.features --config=<your config file>'
_CLIP = 512  # people in a clip, which an interrupted command makes again
_LABEL_BYTES = 1200  # of a record beside its features, about
_Example: Any = tf_example_pb2.Example  # pyright: ignore[reportAttributeAccessIssue] - built at import


class PeopleFeatures(NamedTuple):
    """What a detector tells of B people; the axis of two is the plain crop and the mirrored one."""

    contexts: np.ndarray  # [B, 2, J, C] float16
    context_joints: np.ndarray  # [B, 2, J, 2] float32, pixels of the plain or the mirrored crop
    context_confidence: np.ndarray  # [B, 2, J] float32


Extract = Callable[[Batch, str], PeopleFeatures]  # of people of a split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What features are made with.

    Attributes:
      name: of the dataset on disk; it differs for different features.
      detector: the detector's name.
      joints2d: where the joints come from, in words.
      joints: number J of the lifter's joints.
      channels: number C of all maps' channels together.
    """

    name: str
    detector: str
    joints2d: str
    joints: int
    channels: int

    @property
    def bytes_of_person(self) -> int:
        """Bytes of a record, about."""
        return 2 * self.joints * (2 * self.channels + 3 * 4) + _LABEL_BYTES


@dataclasses.dataclass(frozen=True)
class Work:
    """What the features of a dataset are made with and from.

    Attributes:
      extract: the detector.
      readers: of the source's splits by name.
      at_once: people in a batch of the detector.
      threads: number of threads that read, decode and detect side by side.
    """

    extract: Extract
    readers: Mapping[str, Reader]
    at_once: int
    threads: int


class _Made(NamedTuple):
    """A few people's stored examples and features, and what is wrong with pictures of theirs."""

    examples: Sequence[Any]
    valid: np.ndarray
    features: PeopleFeatures
    complaints: Sequence[str]


@dataclasses.dataclass(frozen=True)
class _People(building.Clip):
    """People `start` to `stop` of a split of the source."""

    split: str
    start: int
    stop: int
    may_lack: bool = False

    @property
    def name(self) -> str:
        """Number of the first person."""
        return f'{self.start:08d}'

    @property
    def size(self) -> int:
        """People."""
        return self.stop - self.start

    def records(self) -> Iterator[Record]:
        """There are none: `Builder` makes examples of them."""
        raise NotImplementedError

    def batches(self, work: Work) -> Iterator[_Made]:
        """Stored examples of the source with their features, in their order."""
        reader = work.readers[self.split]

        def make(start: int) -> _Made:
            positions = np.arange(start, min(start + work.at_once, self.stop))
            # A last batch of another size would be compiled anew.
            padded = np.pad(positions, (0, work.at_once - len(positions)), 'edge')
            batch, complaints = reader.batch(padded)
            features = work.extract(batch, self.split)
            return _Made(reader.examples(positions), batch.valid, features, complaints)

        with futures.ThreadPoolExecutor(work.threads) as pool:
            yield from pool.map(make, range(self.start, self.stop, work.at_once))


class Builder(building.Builder):
    """Features of a frozen detector, made in advance: see data_pipeline/features.py."""

    name = 'features'
    VERSION = tfds.core.Version('1.0.0')
    BOX_SOURCE = 'as in the source'
    COMMAND = COMMAND  # what builds it again

    def __init__(
        self, source: tfds.core.DatasetBuilder, settings: Settings, work: Work | None = None
    ):
        """The builder of the features of a dataset, which may be absent where they only are read.

        Args:
          source: the builder of the dataset; its `data_dir` root is where the features go, too.
          settings: what the features are made with.
          work: what makes them; None for a builder that only reads.
        """
        self.source, self.work = source, work
        config: Any = building.BuilderConfig(name=settings.name, settings=settings)  # pyright: ignore[reportArgumentType]
        with datasets.quiet():
            super().__init__(config=config, data_dir=source.data_dir_root)

    def _skeleton(self) -> Skeleton:
        return skeletons.get(self._notes()['skeleton'])

    def _notes(self) -> dict[str, Any]:
        return dict((self.source.info.metadata or {}).items())

    def _info(self) -> tfds.core.DatasetInfo:
        settings = self.settings
        source: Any = self.source.info.features

        def stored(dtype: Any, *shape: int) -> tfds.features.Tensor:
            encoding = tfds.features.Encoding.BYTES
            return tfds.features.Tensor(shape=shape, dtype=dtype, encoding=encoding)

        features = {name: feature for name, feature in source.items() if name != 'image'}
        features['contexts'] = stored(np.float16, 2, settings.joints, settings.channels)
        features['context_joints'] = stored(np.float32, 2, settings.joints, 2)
        features['context_confidence'] = stored(np.float32, 2, settings.joints)
        notes = self._notes() | {
            'source': self.source.info.full_name,
            'crop_size': source['image'].shape[:2],
            'detector': settings.detector,
            'joints2d': settings.joints2d,
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(features),
            metadata=tfds.core.MetadataDict(**notes),
        )

    def _splits(self) -> dict[str, list[_People]]:
        assert self.work is not None  # a builder that only reads is not asked
        return {
            split: [
                _People(split, start, min(start + _CLIP, len(reader)), reader.skips)
                for start in range(0, len(reader), _CLIP)
            ]
            for split, reader in self.work.readers.items()
        }

    def _make_parts(self, jobs: Mapping[str, Sequence[workers.Job]]) -> None:
        """Makes every part that is missing, in this process, whose threads share one detector."""
        assert self.work is not None
        every = [job for some in jobs.values() for job in some]
        missing = [job for job in every if not job.part.exists()]
        left, total = (sum(job.clip.size for job in some) for some in (missing, every))
        if left < total:
            say(f'going on: {total - left} of {total} people are finished')
        if missing:
            self._estimate_work(total, left)
        with tqdm(total=total, initial=total - left, desc='features', unit=' people') as progress:
            for job in missing:
                parts.write_serialized(job.part, self._serialized(job.clip, progress))

    def _serialized(self, clip: Any, progress: tqdm) -> Iterator[bytes]:
        """The records of a clip; a person whose picture does not decode is left out."""
        assert self.work is not None
        for made in clip.batches(self.work):
            for complaint in dict.fromkeys(made.complaints):
                say(f'skipped: {complaint}')
            for row, example in enumerate(made.examples):
                if made.valid[row]:
                    yield _with_features(example, made.features, row)
                progress.update()

    def _estimate_work(self, total: int, left: int) -> None:
        """Tells how large the dataset will be and how long it takes, from a few batches.

        Raises:
          OSError: the disk has no room for it.
        """
        work, each = self.work, self.settings.bytes_of_person
        assert work is not None
        split, reader = next(iter(work.readers.items()))
        people = min(len(reader), work.at_once * work.threads)
        clip = _People(split, 0, people)
        next(clip.batches(dataclasses.replace(work, threads=1)))  # The detector is compiled first.
        start = time.perf_counter()
        for _ in clip.batches(work):
            pass
        seconds = (time.perf_counter() - start) / people
        say(
            f'features of {total} people, two copies each: about {size_text(total * each)} in '
            f'{self.parts_folder.parent}, where {size_text(free_bytes(self.parts_folder))} are '
            f'free; about {minutes_text(seconds * left)} at {1 / seconds:.0f} people a second'
        )
        check_room(self.parts_folder, left * each)


def open_features(source: tfds.core.DatasetBuilder, settings: Settings) -> Builder:
    """The features of a dataset, complete and ready to read.

    Raises:
      FileNotFoundError: they are not made yet.
      StateError: they are there and not whole.
    """
    local_copies.copy_beside(source, Builder.name)
    builder = Builder(source, settings)
    if not builder.data_path.exists():
        raise FileNotFoundError(
            f'there are no features of {settings.detector} in {builder.data_dir}; make them with '
            f'`{COMMAND}`, or set config.data.features to False'
        )
    datasets.check_whole(builder)
    return builder


def minutes_text(seconds: float) -> str:
    """A time, such as '17 minutes'."""
    for unit, length in (('hours', 3600), ('minutes', 60)):
        if seconds >= 2 * length:
            return f'{seconds / length:.3g} {unit}'
    return f'{seconds:.0f} seconds'


def _with_features(example: Any, features: PeopleFeatures, row: int) -> bytes:
    """The source's stored record, without its picture and with a person's features, serialized."""
    record = _Example()
    for name, value in example.items():
        if name != 'image':
            record.features.feature[name].CopyFrom(value)
    for name, values in zip(features._fields, features, strict=True):
        one = values[row]
        if not np.isfinite(one).all():
            raise StateError(f'the {name} of a person are not finite: are the weights whole?')
        record.features.feature[name].bytes_list.value.append(np.ascontiguousarray(one).tobytes())
    return record.SerializeToString()

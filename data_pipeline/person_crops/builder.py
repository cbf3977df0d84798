"""`Builder`: the TFDS builder that datasets of person crops derive from.

Each clip becomes one file of the dataset. They are made as parts beside it (see `parts`), by many
processes (see `workers`), and linked into TFDS's own temporary folder at the end; TFDS renames
that one. So a dataset is whole or absent, and what an interrupted build had finished is not lost.

A GeneratorBasedBuilder would sort examples by keys, for which it needs TensorFlow as soon as a
split exceeds 1000 MiB.
"""

from __future__ import annotations

import abc
import collections
import contextlib
import dataclasses
import os
import pathlib
import pickle
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import splits as tfds_splits
from tqdm import tqdm

from capf_jax.pose.skeletons import Skeleton
from data_pipeline import records
from data_pipeline.person_crops import parts, workers
from data_pipeline.person_crops.clips import Clip
from data_pipeline.person_crops.problems import InputError
from data_pipeline.person_crops.settings import Settings

_SAMPLED = 24  # records cropped ahead, from clips far apart, to estimate the dataset's size
_ROOM = 0.8  # share of the estimated size that must be free for a build to begin


@dataclasses.dataclass(eq=False, kw_only=True)
class BuilderConfig(tfds.core.BuilderConfig):
    """TFDS's wrapper of Settings. `name` must change with whatever changes the data."""

    settings: Settings = dataclasses.field(default_factory=Settings)


class Builder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """A dataset whose files are clips.

    Derived builders set `name`, `VERSION`, `SKELETON` and `BOX_SOURCE`, and say in `_splits` which
    clips there are.
    """

    SKELETON: Skeleton
    BOX_SOURCE: str  # where boxes come from, as reports print it

    def __init__(self, *, config: BuilderConfig, **kwargs: Any):
        # TFDS writes and reads ArrayRecord without TensorFlow.
        super().__init__(config=config, file_format='array_record', **kwargs)
        path = pathlib.Path(os.fspath(self.data_path))  # while preparing, TFDS says another
        # Where clips that are finished wait for the others.
        self.parts_folder = path.with_name(f'{path.name}.parts')

    @abc.abstractmethod
    def _splits(self) -> Mapping[str, Sequence[Clip]]:
        """Clips of each split, in the order in which they are stored.

        Reads every label and looks for every picture, but decodes none: what takes long comes
        afterwards. Clips without a record are left out.

        Raises:
          InputError: all that is wrong with the source.
        """

    def _metadata(self) -> dict[str, Any]:
        """What the dataset's information file says beside skeleton and box source."""
        return {}

    @property
    def settings(self) -> Settings:
        """The user's choices."""
        return self.builder_config.settings

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=records.features(*self._shape, box=True),
            metadata=tfds.core.MetadataDict(
                skeleton=self.SKELETON.name, box_source=self.BOX_SOURCE, **self._metadata()
            ),
        )

    @property
    def _shape(self) -> tuple[int, int, int]:
        return len(self.SKELETON), self.settings.height, self.settings.width

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Builds the dataset, or goes on with building it; see TFDS for the arguments.

        Raises:
          InputError: all that is wrong with the source, or with pictures met on the way.
          FileNotFoundError: no source folder is named.
          RuntimeError: another process is building it, or one of ours was ended from outside.
          OSError: the disk is full.
        """
        if self.data_path.exists():
            return
        if not self.settings.source:
            raise FileNotFoundError(
                f'{self.name} is not built in {self.data_path.parent} and no folder to build it '
                'from is named; set config.data.builder.source to the one with its files, or '
                'config.data.dir to where it is built'
            )
        with parts.locked(self.parts_folder):
            for path in self.parts_folder.parent.glob(f'incomplete.*_{self.version}'):
                shutil.rmtree(path)  # TFDS's own, where a process was killed
            try:
                super().download_and_prepare(**kwargs)
            finally:
                # What a failed build had finished is kept; where that is nothing, nothing is left.
                if self.data_path.exists() or not any(self.parts_folder.glob(f'*{parts.SUFFIX}')):
                    shutil.rmtree(self.parts_folder, ignore_errors=True)
                    with contextlib.suppress(OSError):  # it is not empty
                        self.parts_folder.parent.rmdir()

    def _download_and_prepare(self, dl_manager, download_config=None) -> None:
        if download_config is not None and download_config.beam_runner is not None:
            super()._download_and_prepare(dl_manager, download_config)
            return
        splits = _checked(self._splits(), self.settings.source)
        jobs = self._jobs(splits)
        parts.clean(self.parts_folder, [job.part.name for job in _all(jobs)])
        self._make_parts(jobs)
        self.info.set_splits(
            tfds_splits.SplitDict([self._gather(split, found) for split, found in jobs.items()])
        )
        _say(f'{self.name} takes {_bytes(self.info.dataset_size)}')

    def _shard_iterators_per_split(self, dl_manager) -> dict[str, list[_ClipExamples]]:
        """The route of Apache Beam: TFDS makes one file of each."""
        del dl_manager  # nothing is downloaded
        jobs = self._jobs(_checked(self._splits(), self.settings.source))
        parts.clean(self.parts_folder, ())
        generators: dict[str, list[_ClipExamples]] = {split: [] for split in jobs}
        for split, found in jobs.items():
            for job in found:  # a pipeline's graph may hold no labels, only their files' names
                path = job.part.with_suffix('.clip')
                path.write_bytes(pickle.dumps(job.clip))
                generators[split].append(_ClipExamples(str(path)))
        return generators

    def _jobs(self, splits: Mapping[str, Sequence[Clip]]) -> dict[str, list[workers.Job]]:
        folder = self.parts_folder
        return {
            split: [workers.Job(clip, folder / parts.part_name(split, clip)) for clip in clips]
            for split, clips in splits.items()
        }

    def _make_parts(self, jobs: Mapping[str, Sequence[workers.Job]]) -> None:
        """Every part that is missing; raises what went wrong in any."""
        every = _all(jobs)
        missing = [job for job in every if not job.part.exists()]
        left, total = (sum(job.clip.size for job in some) for some in (missing, every))
        _say(f'{self.name}: {total} people in {len(every)} clips of {", ".join(jobs)}')
        if len(missing) < len(every):
            _say(f'going on: {len(every) - len(missing)} clips with {total - left} are finished')
        if missing:
            self._estimate([job.clip for job in every], total, left)
        # Long clips first, so that no process is left with one at the end.
        missing.sort(key=lambda job: -job.clip.size)
        with tqdm(
            total=total, initial=total - left, desc=f'cropping {self.name}', unit=' people'
        ) as progress:
            problems = workers.run(missing, self._shape, self.settings.processes, progress)
        if problems:
            raise InputError(self.settings.source, problems)

    def _estimate(self, clips: Sequence[Clip], total: int, left: int) -> None:
        """Says how large the dataset will be, from a few records of clips far apart.

        Raises:
          OSError: the disk does not hold as much.
        """
        sizes = []
        for clip in clips[:: -(-len(clips) // _SAMPLED)]:
            with contextlib.suppress(ValueError):  # the build says what is wrong in all clips
                sizes.append(len(next(clip.records()).image))
        if not sizes:
            return
        # Labels take about 60 bytes a joint.
        each = sum(sizes) / len(sizes) + 60 * len(self.SKELETON)
        free = shutil.disk_usage(self.parts_folder).free
        _say(
            f'estimated size: {_bytes(total * each)}, of which {_bytes(left * each)} are still to '
            f'be made; {_bytes(free)} are free in {self.parts_folder.parent}'
        )
        if _ROOM * left * each > free:
            raise OSError(
                f'{self.parts_folder.parent} has {_bytes(free)} free and about '
                f'{_bytes(left * each)} are needed; make room there, or give another data folder'
            )

    def _gather(self, split: str, jobs: Sequence[workers.Job]) -> tfds_splits.SplitInfo:
        """Links a split's parts into TFDS's temporary folder, as files of the dataset."""
        template = self._get_filename_template(split_name=split)
        lengths, size = [], 0
        for number, job in enumerate(jobs):
            path = template.sharded_filepath(shard_index=number, num_shards=len(jobs))
            _link(job.part, pathlib.Path(os.fspath(path)))
            lengths.append(parts.count(job.part))
            size += job.part.stat().st_size
            if lengths[-1] != job.clip.size:
                raise RuntimeError(
                    f'{job.part} holds {lengths[-1]} of its {job.clip.size} people; delete it '
                    'and give the same command again'
                )
        return tfds_splits.SplitInfo(
            name=split, shard_lengths=lengths, num_bytes=size, filename_template=template
        )


@dataclasses.dataclass(frozen=True)
class _ClipExamples:
    """What Apache Beam calls for a clip's examples, on any machine that sees the data folder."""

    path: str  # of the pickled clip

    def __call__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        clip = pickle.loads(pathlib.Path(self.path).read_bytes())
        for number, record in enumerate(clip.records()):
            yield number, records.to_example(record)


def _checked(splits: Mapping[str, Sequence[Clip]], source: str) -> Mapping[str, Sequence[Clip]]:
    """The splits, if each has something in it and no clip is there twice."""
    for split, clips in splits.items():
        names = collections.Counter(clip.name for clip in clips)
        twice = [name for name, count in names.items() if count > 1]
        if twice:
            raise InputError(source, [f'the {split} split has {twice[0]} more than once'])
    if not any(splits.values()):
        raise InputError(source, ['none of its clips is among those that config.data.builder asks'])
    return {split: clips for split, clips in splits.items() if clips}


def _all(jobs: Mapping[str, Sequence[workers.Job]]) -> list[workers.Job]:
    return [job for found in jobs.values() for job in found]


def _link(part: pathlib.Path, path: pathlib.Path) -> None:
    """The same file under a second name, or a copy where the file system has no such thing."""
    try:
        os.link(part, path)
    except OSError:
        shutil.copyfile(part, path)


def _bytes(number: float) -> str:
    """'41.3 GB'."""
    for unit in ('B', 'kB', 'MB'):
        if number < 1000:
            return f'{number:.1f} {unit}'
        number /= 1000
    return f'{number:.1f} GB'


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

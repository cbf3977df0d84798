"""`Builder`: the TFDS builder that all datasets derive from.

Each clip becomes a part beside the dataset (see `parts`), made by one of many processes (see
`workers`). At the end the parts are linked, or joined, into TFDS's own temporary folder, and TFDS
renames that folder. So a dataset is whole or absent, and the clips that an interrupted build had
finished are not lost.

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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import tensorflow_datasets as tfds
from ml_collections import ConfigDict
from tensorflow_datasets.core import splits as tfds_splits
from tqdm import tqdm

from capf_jax.errors import StateError, UserError
from capf_jax.pose.skeletons import Skeleton
from data_pipeline import records, safe_pickle
from data_pipeline.building import parts, workers
from data_pipeline.building.clips import Clip
from data_pipeline.building.estimates import (
    check_room,
    free_bytes,
    record_bytes,
    say,
    size_text,
)
from data_pipeline.building.problems import InputError
from data_pipeline.building.settings import Settings, SourceSettings, from_fields


@dataclasses.dataclass(eq=False, kw_only=True)
class BuilderConfig(tfds.core.BuilderConfig):
    """TFDS's wrapper of Settings. `name` must change with whatever changes the data."""

    settings: Settings


class Builder(tfds.core.ShardBasedBuilder, skip_registration=True):
    """A dataset that is made from clips.

    Derived builders set `name`, `VERSION`, `SETTINGS` and `BOX_SOURCE`, and say in `_skeleton` and
    `_splits` which joints and which clips there are.
    """

    SETTINGS: type[Settings]
    BOX_SOURCE: str  # where boxes come from, as reports print it
    KEEPS_BOXES = True  # whether a record holds the box that was cropped
    FILE_SIZE: int | None = None  # records in a file of the dataset; None: each clip is a file

    def __init__(self, *, config: BuilderConfig, **kwargs: Any):
        # TFDS writes and reads ArrayRecord without TensorFlow.
        super().__init__(config=config, **{'file_format': 'array_record'} | kwargs)
        path = pathlib.Path(os.fspath(self.data_path))  # TFDS gives another while it prepares
        # Finished clips wait here for the others.
        self.parts_folder = path.with_name(f'{path.name}.parts')

    @classmethod
    def from_config(cls, data: ConfigDict) -> Builder:
        """The builder of `config.data`; no file is read yet, and the source may be absent.

        Raises:
          UserError: a field of `data.builder` is unknown or senseless.
        """
        settings = from_fields(cls.SETTINGS, dict(data.builder), cls.name)
        return cls(data_dir=data.dir, config=BuilderConfig(name=settings.name, settings=settings))

    @abc.abstractmethod
    def _skeleton(self) -> Skeleton:
        """The joints of every record."""

    @abc.abstractmethod
    def _splits(self) -> Mapping[str, Sequence[Clip]]:
        """Clips of each split, in the order in which they are stored.

        It reads every label and looks for every picture, so that all mistakes are known before
        pictures are decoded. Clips without a record are left out.

        Raises:
          InputError: all that is wrong with the source.
        """

    def _metadata(self) -> dict[str, Any]:
        """Further metadata of the dataset, beside skeleton and box source."""
        return {}

    def _input_error(self, problems: Sequence[Any]) -> UserError:
        """The error that tells what is wrong with clips."""
        return InputError(getattr(self.settings, 'source', self.name), problems)

    def _note_lacking(self, split: str, lacking: int, total: int) -> None:
        """Is called if `lacking` of a split's `total` records were left out (`Clip.may_lack`)."""
        say(f'left out: {lacking} of {total} people of {split}, their pictures do not decode')

    @property
    def settings(self) -> Any:
        """The user's choices, of type SETTINGS."""
        return cast(BuilderConfig, self.builder_config).settings

    @property
    def _features(self) -> Any:
        return self.info.features

    def _info(self) -> tfds.core.DatasetInfo:
        skeleton = self._skeleton()
        settings = self.settings
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=records.features(
                len(skeleton), settings.height, settings.width, box=self.KEEPS_BOXES
            ),
            metadata=tfds.core.MetadataDict(
                skeleton=skeleton.name, box_source=self.BOX_SOURCE, **self._metadata()
            ),
        )

    def download_and_prepare(self, **kwargs: Any) -> None:
        """Builds the dataset, or goes on with building it; see TFDS for the arguments.

        Raises:
          UserError: all that is wrong with the source, or with pictures met on the way.
          FileNotFoundError: no source folder is named.
          StateError: a process of ours was ended from outside.
          OSError: the disk is full.
        """
        if self.data_path.exists():
            return
        if isinstance(self.settings, SourceSettings) and not self.settings.source:
            raise FileNotFoundError(
                f'{self.name} is not built in {self.data_path.parent} and no folder to build it '
                'from is named; set config.data.builder.source to the one with its files, or '
                'config.data.dir to where it is built'
            )
        there = next(path for path in self.parts_folder.parents if path.exists())
        with parts.locked(self.parts_folder):
            for path in self.parts_folder.parent.glob(f'incomplete.*_{self.version}'):
                shutil.rmtree(path)  # a folder that TFDS left when a process was killed
            try:
                if self.data_path.exists():  # Another process has built it meanwhile.
                    self.info.read_from_directory(self.data_path)
                    return
                super().download_and_prepare(**kwargs)
            finally:
                # The clips that a failed build had finished are kept; without any, nothing is left.
                if self.data_path.exists() or not any(self.parts_folder.glob(f'*{parts.SUFFIX}')):
                    shutil.rmtree(self.parts_folder, ignore_errors=True)
                    self._remove_empty_folders(there)

    def _remove_empty_folders(self, there: pathlib.Path) -> None:
        """Removes what TFDS and a failed build have made and left empty, but not `there`."""
        downloads = pathlib.Path(os.fspath(self._data_dir_root), 'downloads')
        for path in (downloads / 'extracted', downloads):
            with contextlib.suppress(OSError):  # it is absent, or not empty
                path.rmdir()
        for path in self.parts_folder.parents:
            if path == there:
                return
            with contextlib.suppress(OSError):
                path.rmdir()

    def _download_and_prepare(self, dl_manager, download_config=None) -> None:
        if download_config is not None and download_config.beam_runner is not None:
            super()._download_and_prepare(dl_manager, download_config)
            return
        jobs = self._jobs(self._checked_splits())
        parts.clean(self.parts_folder, [job.part.name for job in _all(jobs)])
        self._make_parts(jobs)
        self.info.set_splits(
            tfds_splits.SplitDict([self._gather(split, some) for split, some in jobs.items()])
        )
        say(f'{self.name} takes {size_text(self.info.dataset_size)}')

    def _shard_iterators_per_split(self, dl_manager) -> dict[str, list[_ClipExamples]]:
        """The way of Apache Beam, for which TFDS makes one file of each clip."""
        del dl_manager  # nothing is downloaded
        splits = self._checked_splits()
        if any(clip.may_lack for clips in splits.values() for clip in clips):
            raise UserError(
                f'Apache Beam cannot count the pictures of {self.name} that are skipped; leave out '
                "--beam_runner, or set config.data.bad_image and data.builder.missing to 'error'"
            )
        jobs = self._jobs(splits)
        parts.clean(self.parts_folder, ())
        generators: dict[str, list[_ClipExamples]] = {split: [] for split in jobs}
        for split, some in jobs.items():
            for job in some:  # Beam's graph holds names of files instead of the labels
                path = job.part.with_suffix('.clip')
                path.write_bytes(pickle.dumps(job.clip))
                generators[split].append(_ClipExamples(str(path)))
        return generators

    def _checked_splits(self) -> Mapping[str, Sequence[Clip]]:
        """The splits that have clips; raises an error if a clip is there twice."""
        splits = self._splits()
        for split, clips in splits.items():
            names = collections.Counter(clip.name for clip in clips)
            twice = [name for name, count in names.items() if count > 1]
            if twice:
                raise self._input_error([f'the {split} split has {twice[0]} more than once'])
        if not any(splits.values()):
            raise self._input_error(
                ['none of its clips is among those that config.data.builder asks']
            )
        return {split: clips for split, clips in splits.items() if clips}

    def _jobs(self, splits: Mapping[str, Sequence[Clip]]) -> dict[str, list[workers.Job]]:
        folder = self.parts_folder
        return {
            split: [workers.Job(clip, folder / parts.part_name(split, clip)) for clip in clips]
            for split, clips in splits.items()
        }

    def _make_parts(self, jobs: Mapping[str, Sequence[workers.Job]]) -> None:
        """Makes every part that is missing; raises one error with all that went wrong."""
        every = _all(jobs)
        missing = [job for job in every if not job.part.exists()]
        left, total = (sum(job.clip.size for job in some) for some in (missing, every))
        say(f'{self.name}: {total} people in {len(every)} clips of {", ".join(jobs)}')
        if len(missing) < len(every):
            say(f'going on: {len(every) - len(missing)} clips with {total - left} are finished')
        if missing:
            self._estimate([job.clip for job in every], total, left)
        # Long clips come first, so that no process works on one alone at the end.
        missing.sort(key=lambda job: -job.clip.size)
        with tqdm(
            total=total, initial=total - left, desc=f'building {self.name}', unit=' people'
        ) as progress:
            problems = workers.run(missing, self._features, self.settings.processes, progress)
        if problems:
            raise self._input_error(problems)

    def _estimate(self, clips: Sequence[Clip], total: int, left: int) -> None:
        """Tells how large the dataset will be; raises OSError if the disk does not hold as much."""
        each = record_bytes(clips, self._features['joints3d'].shape[0])
        if not each:
            return
        folder = self.parts_folder
        say(
            f'estimated size: {size_text(total * each)}, of which {size_text(left * each)} are '
            f'still to be made; {size_text(free_bytes(folder))} are free in {folder.parent}'
        )
        copied = 0 if self.FILE_SIZE is None else total  # parts that are joined are copied
        check_room(folder, (left + copied) * each)

    def _gather(self, split: str, jobs: Sequence[workers.Job]) -> tfds_splits.SplitInfo:
        """Brings a split's parts into TFDS's temporary folder, as files of the dataset."""
        counts = [parts.count(job.part) for job in jobs]
        for job, count in zip(jobs, counts, strict=True):
            if count != job.clip.size and not job.clip.may_lack:
                raise StateError(
                    f'{job.part} holds {count} of its {job.clip.size} people; delete it and give '
                    'the same command again'
                )
        total, expected = sum(counts), sum(job.clip.size for job in jobs)
        if not total:
            raise self._input_error([f'no image of the split {split!r} decodes'])
        if total < expected:
            self._note_lacking(split, expected - total, expected)
        number = len(jobs) if self.FILE_SIZE is None else -(-total // self.FILE_SIZE)
        template = self._get_filename_template(split_name=split)
        paths = [
            pathlib.Path(os.fspath(template.sharded_filepath(shard_index=i, num_shards=number)))
            for i in range(number)
        ]
        if self.FILE_SIZE is None:
            for job, path in zip(jobs, paths, strict=True):
                parts.link(job.part, path)
        else:
            counts = parts.join([job.part for job in jobs], paths, self.FILE_SIZE)
        return tfds_splits.SplitInfo(
            name=split,
            shard_lengths=counts,
            num_bytes=sum(path.stat().st_size for path in paths),
            filename_template=template,
        )


@dataclasses.dataclass(frozen=True)
class _ClipExamples:
    """Apache Beam calls this for a clip's examples, on any machine that sees the data folder."""

    path: str  # of the pickled clip

    def __call__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        clip = safe_pickle.load_clip(pathlib.Path(self.path))
        for number, record in enumerate(clip.records()):
            yield number, records.to_example(record)


def _all(jobs: Mapping[str, Sequence[workers.Job]]) -> list[workers.Job]:
    return [job for some in jobs.values() for job in some]

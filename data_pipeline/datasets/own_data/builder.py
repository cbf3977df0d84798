"""The TFDS builder of a user's own photographs or videos with 3D joints."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import Skeleton
from data_pipeline import building
from data_pipeline.datasets.own_data import annotations, judge
from data_pipeline.datasets.own_data.annotations import AnnotationError, Entry, Problem
from data_pipeline.datasets.own_data.clips import EntriesClip, clips_of
from data_pipeline.datasets.own_data.settings import Settings

_SKIPPED = 'skipped_images'  # key of the dataset's metadata, if images were skipped


@dataclasses.dataclass(eq=False, kw_only=True)
class OwnDataConfig(building.BuilderConfig):
    """One dataset, and whether it may lack entries whose images do not decode."""

    skip_bad_images: bool = False


class Builder(building.Builder):
    """Every person of a checked annotation file, stored by file name, then frame."""

    name = 'own_data'
    VERSION = tfds.core.Version('1.0.0')
    SETTINGS = Settings
    BOX_SOURCE = 'annotated box, else the detected 2D joints'
    KEEPS_BOXES = False
    FILE_SIZE = 4096

    @classmethod
    def from_config(cls, data: ConfigDict) -> Builder:
        """The builder of `config.data`, whose dataset's name changes with fields and annotations.

        The name does not depend on `data.bad_image`, so that a run may go on with another value
        of it on the same dataset.

        Raises:
          FileNotFoundError: the source folder or its annotation file is missing.
          AnnotationError: the annotation file cannot be read at all.
          UserError: `data.builder` has a field that does not exist, or a bad value; or the dataset
            was built without images that do not decode, and these are to be errors.
        """
        settings = building.from_fields(Settings, dict(data.builder), cls.name)
        config = OwnDataConfig(
            name=settings.name,
            description=f'Own data from {settings.source}',
            settings=settings,
            skip_bad_images=data.get('bad_image') == 'skip',
        )
        builder = cls(data_dir=data.dir, config=config)
        lacking = builder._lacking()
        if lacking and not config.skip_bad_images:
            raise UserError(
                f'the dataset in {builder.data_dir} was built without {lacking} entries whose '
                "images do not decode; set config.data.bad_image = 'skip' to use it, or mend them, "
                'delete this folder and build it again'
            )
        return builder

    def _skeleton(self) -> Skeleton:
        return annotations.read_skeleton(annotations.locate(self.settings.source))

    def _splits(self) -> Mapping[str, Sequence[EntriesClip]]:
        skip = cast(OwnDataConfig, self.builder_config).skip_bad_images
        splits = _read_checked(annotations.locate(self.settings.source), self.settings, skip)
        return {split: clips_of(some, self.settings, skip) for split, some in splits.items()}

    def _input_error(self, problems: Sequence[Any]) -> AnnotationError:
        return AnnotationError(
            pathlib.Path(self.settings.source),
            [
                problem if isinstance(problem, Problem) else Problem('images', 'the file', problem)
                for problem in problems
            ],
        )

    def _note_lacking(self, split: str, lacking: int, total: int) -> None:
        notes = cast(dict[str, Any], self.info.metadata)  # `_info` gives one
        notes[_SKIPPED] = notes.get(_SKIPPED, 0) + lacking
        logging.warning(
            '%d of %d entries of the split %r were skipped, their images do not decode',
            lacking,
            total,
            split,
        )

    def _lacking(self) -> int:
        """Entries that the dataset lacks; 0 while it is not built."""
        try:
            # items() reads the file, which get() does not.
            return dict(cast(dict[str, Any], self.info.metadata).items()).get(_SKIPPED, 0)
        except ValueError:  # metadata.json is damaged, which `check_whole` reports
            return 0


def _read_checked(
    source: pathlib.Path, settings: Settings, skip_bad_images: bool
) -> dict[str, list[Entry]]:
    """Entries by split; AnnotationError lists everything that is wrong."""
    content, problems = annotations.read(source)
    problems = problems + judge.check(
        content,
        source,
        max_projection_distance=settings.max_projection_distance,
        skip_bad_images=skip_bad_images,
        outside_source=settings.outside_source,
    )
    rules = {
        'camera': settings.test_cameras,
        'subject': settings.test_subjects,
        'sequence': settings.test_sequences,
    }
    splits, split_problems = judge.assign_splits(content.entries, rules)
    if not content.entries:  # no entry could be read, which says nothing about the splits
        split_problems = []
    if problems or split_problems:
        raise AnnotationError(source, problems + split_problems)
    train, test = ({entry.sequence for entry in splits[name]} for name in annotations.SPLITS)
    if shared := sorted(train & test - {''}):
        logging.warning(
            'frames of %d sequences, such as %r, are in both splits: neighbouring frames are '
            'alike, and the test flatters',
            len(shared),
            shared[0],
        )
    return splits


def layout(source: str | pathlib.Path, **fields: Any) -> list[str]:
    """All that is missing or wrong in a folder of own data, for `data_pipeline.check`.

    Problems of the splits are left out, since the config may say which entries are for testing.

    Args:
      source: the folder.
      **fields: of Settings.
    """
    settings = Settings(**{**fields, 'source': str(source)})
    try:
        folder = annotations.locate(settings.source)
        _read_checked(folder, settings, skip_bad_images=False)
    except AnnotationError as error:
        rest = [problem for problem in error.problems if problem.kind != 'split']
        return [str(AnnotationError(folder, rest))] if rest else []
    except FileNotFoundError as error:
        return [str(error)]
    return []

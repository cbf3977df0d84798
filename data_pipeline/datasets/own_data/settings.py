"""`Settings`: the fields of config.data.builder for `config.data.name = 'own_data'`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any, ClassVar

from data_pipeline import building
from data_pipeline.datasets.own_data import annotations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(building.SourceSettings):
    """What is built; `source` is the folder that holds annotations.json.

    Every field but `processes` and `outside_source` changes the data; see building.Settings.

    Raises:
      UserError: a field has a value that makes no dataset.
    """

    LEAST_SIDE: ClassVar[int] = 2

    margin: float = 1.25  # size of a box made from 2D joints over the smallest that holds them
    test_cameras: tuple[str, ...] = ()  # cameras, subjects and sequences of the test split; where
    test_subjects: tuple[str, ...] = ()  # all three are empty, every entry's own `split` decides
    test_sequences: tuple[str, ...] = ()
    # Largest median distance of projected 3D joints to the 2D joints, as a share of the person's
    # size in pixels.
    max_projection_distance: float = 0.25
    outside_source: bool = False  # whether pictures may lie outside the folder `source`

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        yield from self._outside(0.1, 100, 'margin')
        yield from self._outside(0, math.inf, 'max_projection_distance')

    @property
    def name(self) -> str:
        """Name of the dataset on disk, which changes with the fields and with the annotations.

        It depends on what the folder holds and not on the folder's own name.

        Raises:
          FileNotFoundError: the source folder or its annotation file is missing.
        """
        return self._name(dataclasses.asdict(self))

    @property
    def older_names(self) -> tuple[str, ...]:
        """See building.Settings."""
        if self.crop_format != 'jpeg444':
            return ()
        return (self._name({**dataclasses.asdict(self), 'crop_format': 'jpeg420'}),)

    def _name(self, fields: dict[str, Any]) -> str:
        """The name of a dataset of these fields, which are changed."""
        del fields['processes'], fields['outside_source']
        if fields['crop_format'] == 'jpeg420':  # as datasets were that knew no other format
            del fields['crop_format']
        fields['source'] = annotations.content_hash(annotations.locate(self.source))
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
        return f'{self.height}x{self.width}-{digest[:12]}'

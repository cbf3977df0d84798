"""`Settings`: the fields of config.data.builder for `config.data.name = 'mpi_inf_3dhp'`.

Labels of every stored person, for tables and subsets:
  subject   'S1' ... 'S8', and 'TS1' ... 'TS6' of the test split
  action    an activity of published.ACTIVITIES in the test split, '' in the training split
  sequence  'S1_Seq1' ... 'S8_Seq2', and 'TS1' ... 'TS6'
  camera    '0' ... '8', the video's number; '0' in the test split
  frame     position in the video, from 0 (image number less one)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from data_pipeline import building
from data_pipeline.datasets.mpi_inf_3dhp import annotations, published
from data_pipeline.published_cameras import MPI_INF_3DHP_CAMERAS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(building.SourceSettings):
    """What is built; see building.Settings for size, quality and processes.

    Raises:
      UserError: a field has a value that makes no dataset.
    """

    targets: str = 'univ_annot3'  # 3D joints: 'univ_annot3' (one height for all) or 'annot3'
    subjects: tuple[str, ...] = ()  # such as ('S1', 'TS1'); empty: all fourteen
    sequences: tuple[str, ...] = ()  # of the training split, such as ('Seq1',); empty: both
    cameras: tuple[str, ...] = ()  # of the training split, such as ('0', '4'); empty: all eight
    # One in so many frames of the training videos is taken, from the first on. The test split,
    # 2,929 people, is always whole.
    frame_stride: int = 1
    missing: str = 'error'  # a frame without its picture: 'error', or 'skip' to leave it out

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        yield from self._unknown('targets', annotations.TARGETS)
        yield from self._unknown('subjects', published.SUBJECTS)
        yield from self._unknown('sequences', published.SEQUENCES)
        yield from self._unknown('cameras', published.ALL_CAMERAS)
        yield from self._unknown('missing', ('error', 'skip'))
        yield from self._outside(1, math.inf, 'frame_stride')

    @property
    def name(self) -> str:
        """Name of the dataset on disk: readable, and different for different data.

        It does not depend on the source folder, which a machine that only trains does not have.
        """
        return self._name(self.crop_name)

    @property
    def older_names(self) -> tuple[str, ...]:
        """See building.Settings."""
        if self.crop_format != 'jpeg444' or self.missing == 'skip':
            return ()
        return (self._name(f'quality{self.jpeg_quality}'),)

    def _name(self, crops: str) -> str:
        """The name, with these words for the format of crops."""
        parts = [f'{self.height}x{self.width}', crops]
        if self.targets != 'univ_annot3':
            parts.append(self.targets)
        for chosen, known, word in (
            (self.subjects, published.SUBJECTS, ''),
            (self.sequences, published.SEQUENCES, ''),
            (self.cameras, MPI_INF_3DHP_CAMERAS, 'camera'),
        ):
            if chosen and set(chosen) != set(known):  # in any order
                parts.append(word + '+'.join(sorted(set(chosen), key=lambda one: (len(one), one))))
        if self.frame_stride > 1:
            parts.append(f'stride{self.frame_stride}')
        if self.missing == 'skip':
            parts.append('without_missing_frames')
        return '-'.join(parts)

    @property
    def train_recordings(self) -> tuple[tuple[str, str], ...]:
        """(subject, sequence) of the training split, in the dataset's order."""
        return tuple(
            (who, what)
            for who, what in published.FRAME_LIMITS
            if who in (self.subjects or published.SUBJECTS)
            and what in (self.sequences or published.SEQUENCES)
        )

    @property
    def test_subjects(self) -> tuple[str, ...]:
        """Sequences of the test split, in the dataset's order."""
        chosen = self.subjects or published.SUBJECTS
        return tuple(name for name in published.TEST_SUBJECTS if name in chosen)

    @property
    def used_cameras(self) -> tuple[str, ...]:
        """Cameras of the training split, in the dataset's order."""
        chosen = self.cameras or MPI_INF_3DHP_CAMERAS
        return tuple(name for name in published.ALL_CAMERAS if name in chosen)

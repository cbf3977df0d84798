"""`Settings`: the fields of config.data.builder for `config.data.name = 'human36m'`.

Labels of every stored person, for tables and subsets:
  subject   'S1' ... 'S11'
  action    one of ACTIONS, the name of the raw files ('TakingPhoto', 'WalkingDog')
  sequence  'act_02_subact_01': action and trial as the H36M-Toolbox numbers them
  camera    one of published_cameras.HUMAN36M_CAMERAS
  frame     position in the video, from 0 (image number less one)
Splits are 'train' (S1 S5 S6 S7 S8) and 'test' (S9 S11), without the trial of DAMAGED.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from data_pipeline import building
from data_pipeline.published_cameras import HUMAN36M_CAMERAS

# In the order of the H36M-Toolbox: act_02 to act_16.
ACTIONS = (
    'Directions', 'Discussion', 'Eating', 'Greeting', 'Phoning', 'Posing', 'Purchases', 'Sitting',
    'SittingDown', 'Smoking', 'TakingPhoto', 'Waiting', 'Walking', 'WalkingDog', 'WalkTogether',
)  # fmt: skip
FIRST_ACTION = 2  # the number of ACTIONS[0]
# Names that other programs give to two of the actions.
OTHER_NAMES = {'Photo': 'TakingPhoto', 'WalkDog': 'WalkingDog'}
SPLITS = {'train': ('S1', 'S5', 'S6', 'S7', 'S8'), 'test': ('S9', 'S11')}
SUBJECTS = SPLITS['train'] + SPLITS['test']
# (subject, action, trial) that no published result uses: one of its four videos (camera 54138969)
# is damaged in Human3.6M itself. VideoPose3D's files and the authors' label pickles lack all four,
# 4 x 1,825 frames; only without them are the published 543,344 test people left.
DAMAGED = ('S11', 'Directions', 2)
PUBLISHED_SIZES = {
    'train': 1_559_752,
    'test': 543_344,
}  # people, of the whole dataset (docs/method.md)
ANNOTATIONS = ('auto', 'cdf', 'pickle', 'npz')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(building.SourceSettings):
    """What is built, and from what; see building.Settings for size, quality and processes.

    Raises:
      UserError: a field has a value that makes no dataset.
    """

    # Which labels in `source` are read: 'cdf' (raw files and CPN detections), 'pickle' (the
    # authors' label files), 'npz' (VideoPose3D's two files); 'auto' takes the one that is there.
    annotations: str = 'auto'
    subjects: tuple[str, ...] = ()  # such as ('S9', 'S11'); empty: all seven
    actions: tuple[str, ...] = ()  # such as ('Walking', 'TakingPhoto'); empty: all fifteen
    cameras: tuple[str, ...] = ()  # such as ('54138969',); empty: all four
    frame_stride: int = 1  # one frame in so many is taken, from the first on
    missing: str = 'error'  # a frame without its picture: 'error', or 'skip' to leave it out

    def __post_init__(self):
        if isinstance(self.actions, (tuple, list)):
            actions = tuple(OTHER_NAMES.get(str(action), action) for action in self.actions)
            object.__setattr__(self, 'actions', actions)
        super().__post_init__()

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        yield from self._unknown('subjects', SUBJECTS)
        yield from self._unknown('actions', ACTIONS)
        yield from self._unknown('cameras', HUMAN36M_CAMERAS)
        yield from self._unknown('annotations', ANNOTATIONS)
        yield from self._unknown('missing', ('error', 'skip'))
        yield from self._outside(1, math.inf, 'frame_stride')

    @property
    def name(self) -> str:
        """Name of the dataset on disk: readable, and different for different data.

        It does not depend on the source folder and the kind of labels, since all of them give the
        same records, and a machine that only trains has neither.
        """
        return self._name(self.crop_name, 'without_missing_frames')

    @property
    def older_names(self) -> tuple[str, ...]:
        """See building.Settings; whole videos were left out that lacked a picture."""
        crops = [self.crop_name]
        if self.crop_format == 'jpeg444':
            crops.append(f'quality{self.jpeg_quality}')
        names = [self._name(crop, 'without_missing') for crop in crops]
        return tuple(name for name in names if name != self.name)

    def _name(self, crops: str, without_missing: str) -> str:
        """The name, with these words for the format of crops and for frames that are left out."""
        parts = [f'{self.height}x{self.width}', crops]
        for chosen, known in (
            (self.subjects, SUBJECTS),
            (self.actions, ACTIONS),
            (self.cameras, HUMAN36M_CAMERAS),
        ):
            names = [name for name in known if name in chosen]  # in the order of the dataset
            if names and len(names) < len(known):
                parts.append('+'.join(names))
        if self.frame_stride > 1:
            parts.append(f'stride{self.frame_stride}')
        if self.missing == 'skip':
            parts.append(without_missing)
        return '-'.join(parts)

    def takes(self, subject: str, action: str, camera: str) -> bool:
        """Whether a clip belongs to the subset that is asked for."""
        chosen = (self.subjects, subject), (self.actions, action), (self.cameras, camera)
        return subject in SUBJECTS and all(not some or one in some for some, one in chosen)

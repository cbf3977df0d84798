"""`Settings`: what a synthetic dataset is made from, the fields of config.data.builder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Iterator

from capf_jax.errors import UserError
from capf_jax.pose.skeletons import H36M17, H36M17_SURFACE, Skeleton
from data_pipeline import building
from data_pipeline.datasets.synthetic.photographs import CAMERAS
from data_pipeline.datasets.synthetic.scenes import LIGHTS

SPLITS = ('train', 'test')
MOST_FRAMES = 2000  # of a clip, all of whose bodies are in memory
# Fields that came later.
_LATER = (
    'surface', 'activities_share', 'cameras', 'truncation', 'crop_format', 'clip_frames', 'fps',
    'noise_seconds', 'noise_bursts',
)  # fmt: skip
_OF_CLIPS = ('fps', 'noise_seconds', 'noise_bursts')  # read if there are clips


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings(building.Settings):
    """Every field but `processes` changes the data; see building.Settings.

    Raises:
      UserError: a field has a value that makes no dataset.
    """

    train_size: int = 20000  # samples to train on
    test_size: int = 2000  # samples to test on: other bodies, clothes and cameras
    height: int = 128  # of the crops, pixels
    width: int = 96  # of the crops, pixels
    seed: int = 0  # decides everything
    light: str = 'overhead'  # 'overhead' (shading tells towards from away) or 'random'
    noise_sigma: float = 8.0  # 2D noise of a visible joint, pixels of the 1000 px image
    train_subjects: int = 200  # people in the training split
    test_subjects: int = 40  # people in the test split
    surface: bool = False  # also points on the body's surface, for a detector to learn
    poses: str = ''  # .npz or .bvh motion capture, several with commas; '' has activities only
    activities_share: float = 0.0  # of people in built-in activities where `poses` names files
    cameras: str = 'studio'  # 'studio' (like Human3.6M's) or 'photographs' (aimed at the crop)
    truncation: float = 0.0  # chance that the border of a photograph cuts the person
    jpeg_quality: int = 92  # of the stored crops, 1 to 100
    crop_format: str = 'jpeg420'  # of the stored crops; the scores in docs/results.md are on these
    supersample: int = 2  # rays per pixel, each way
    clip_frames: int = 0  # frames of a clip of one person in motion; 0 for single pictures
    fps: float = 25.0  # of clips, frames a second
    noise_seconds: float = 0.2  # of clips: how long an error of the 2D joints lasts; 0 for none
    noise_bursts: float = 0.05  # of clips: how often a 2D joint sticks to a wrong place, a second

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        sizes = ('train_size', 'test_size', 'train_subjects', 'test_subjects')
        yield from self._outside(1, math.inf, *sizes)
        yield from self._outside(0, math.inf, 'noise_sigma', 'seed')
        yield from self._outside(0, MOST_FRAMES, 'clip_frames')
        yield from self._outside(5, 120, 'fps')
        yield from self._outside(0, 10, 'noise_seconds')
        yield from self._outside(0, 5, 'noise_bursts')
        yield from self._outside(0, 1, 'activities_share', 'truncation')
        yield from self._outside(1, 8, 'supersample')
        yield from self._unknown('light', LIGHTS)
        yield from self._unknown('cameras', CAMERAS)
        if self.truncation and self.cameras != 'photographs':
            yield (
                'config.data.builder.truncation needs pictures whose border may cut people; set '
                "config.data.builder.cameras = 'photographs', or truncation = 0"
            )
        if self.clip_frames and self.cameras != 'studio':
            yield (
                'config.data.builder.clip_frames needs a camera that stands still; set '
                "config.data.builder.cameras = 'studio', or clip_frames = 0"
            )

    @property
    def skeleton(self) -> Skeleton:
        """The joints of a sample."""
        return H36M17_SURFACE if self.surface else H36M17

    def subjects(self, split: str) -> int:
        """How many people a split shows."""
        return {'train': self.train_subjects, 'test': self.test_subjects}[split]

    def size(self, split: str) -> int:
        """How many samples a split has."""
        return {'train': self.train_size, 'test': self.test_size}[split]

    @property
    def pose_files(self) -> tuple[str, ...]:
        """The motion-capture files."""
        paths = (path.strip() for path in self.poses.split(','))
        return tuple(os.path.expanduser(path) for path in paths if path)

    @property
    def name(self) -> str:
        """Name of the dataset on disk: readable, and different for different data."""
        fields = dataclasses.asdict(self)
        del fields['processes']
        for field in _LATER:  # datasets that were built before it was a choice keep their name
            if fields[field] == getattr(Settings, field):
                del fields[field]
        if not self.clip_frames:
            for field in _OF_CLIPS:
                fields.pop(field, None)
        if self.poses:  # another file under the same name is other data
            fields['poses'] = ','.join(_digest(pathlib.Path(path)) for path in self.pose_files)
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:6]
        clips = f'-clips{self.clip_frames}at{self.fps:g}' if self.clip_frames else ''
        return (
            f'{self.height}x{self.width}-{self.train_size}-{self.test_size}-{self.light}'
            f'-noise{self.noise_sigma:g}-seed{self.seed}{clips}-{digest}'
        )


def _digest(path: pathlib.Path) -> str:
    """Digest of a file's content; UserError if it is not there."""
    if not path.is_file():
        raise UserError(f'config.data.builder.poses names {path}, which is not a file')
    return hashlib.sha256(path.read_bytes()).hexdigest()

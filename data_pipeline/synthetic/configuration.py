"""`SyntheticConfig`: what a synthetic dataset is made from."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from capf_jax.pose.skeletons import H36M17, H36M17_SURFACE, Skeleton
from data_pipeline.synthetic.scenes import LIGHTS

SPLITS = ('train', 'test')


@dataclasses.dataclass(frozen=True)
class SyntheticConfig:
    """Fields of config.data.builder. Every one but `processes` changes the data.

    Raises:
      ValueError: a field has a value that makes no dataset.
    """

    train_size: int = 20000  # samples to train on
    test_size: int = 2000  # samples to test on: other bodies, clothes and cameras
    height: int = 128  # of the crop, pixels
    width: int = 96  # of the crop, pixels
    seed: int = 0  # decides everything
    light: str = 'overhead'  # 'overhead' (shading tells towards from away) or 'random'
    noise_sigma: float = 8.0  # 2D noise of a visible joint, pixels of the 1000 px image
    train_subjects: int = 200  # people in the training split
    test_subjects: int = 40  # people in the test split
    surface: bool = False  # also points on the body's surface, for a detector to learn
    poses: str = ''  # .npz or .bvh motion capture; '' samples poses
    jpeg_quality: int = 92  # of the stored crops
    supersample: int = 2  # rays per pixel, each way
    processes: int = 2  # that render; the data do not depend on it

    def __post_init__(self):
        for name in ('train_size', 'test_size', 'train_subjects', 'test_subjects', 'processes'):
            if getattr(self, name) < 1:
                raise ValueError(f'config.data.builder.{name} is {getattr(self, name)}; give >= 1')
        if min(self.height, self.width) < 16:
            raise ValueError(
                f'config.data.builder asks for crops of {self.height}x{self.width} px; give >= 16'
            )
        if self.light not in LIGHTS:
            raise ValueError(
                f'config.data.builder.light is {self.light!r}; choose one of {", ".join(LIGHTS)}'
            )
        for name in ('noise_sigma', 'seed'):
            if not getattr(self, name) >= 0:
                raise ValueError(f'config.data.builder.{name} is {getattr(self, name)}; give >= 0')
        if not 1 <= self.jpeg_quality <= 100 or not 1 <= self.supersample <= 8:
            raise ValueError(
                'config.data.builder needs jpeg_quality in 1..100 and supersample in 1..8'
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
    def name(self) -> str:
        """Name of the dataset on disk: readable, and different for different data."""
        fields = dataclasses.asdict(self)
        del fields['processes']
        if not self.surface:  # as datasets are called that were built before it was a choice
            del fields['surface']
        if self.poses:  # another file under the same name is other data
            fields['poses'] = _digest(pathlib.Path(self.poses))
        digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:6]
        return (
            f'{self.height}x{self.width}-{self.train_size}-{self.test_size}-{self.light}'
            f'-noise{self.noise_sigma:g}-seed{self.seed}-{digest}'
        )


def _digest(path: pathlib.Path) -> str:
    """Digest of a file's content; ValueError if it is not there."""
    if not path.is_file():
        raise ValueError(f'config.data.builder.poses names {path}, which is not a file')
    return hashlib.sha256(path.read_bytes()).hexdigest()


def from_fields(fields: Mapping[str, Any]) -> SyntheticConfig:
    """The configuration with these fields; ValueError names an unknown one and the nearest."""
    known = [field.name for field in dataclasses.fields(SyntheticConfig)]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.0)[0]
            raise ValueError(
                f'config.data.builder has no field {name!r} for synthetic data; '
                f'the nearest is {near!r}'
            )
    return SyntheticConfig(**fields)

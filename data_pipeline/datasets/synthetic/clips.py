"""`SampleClip` and `MotionClip`: runs of neighbouring samples of the synthetic dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from data_pipeline import building
from data_pipeline.datasets.synthetic.clip_samples import make_clip
from data_pipeline.datasets.synthetic.samples import make_sample
from data_pipeline.datasets.synthetic.settings import Settings
from data_pipeline.records import Record

_SAMPLES = 250  # in a clip: enough clips for many processes, enough samples to start one for


@dataclasses.dataclass(frozen=True)
class SampleClip(building.Clip):
    """Samples `start` to `stop` of a split; each is made from its number alone."""

    settings: Settings
    split: str
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Number of the first sample."""
        return f'{self.start:08d}'

    @property
    def size(self) -> int:
        """Samples."""
        return self.stop - self.start

    def records(self) -> Iterator[Record]:
        """Renders one sample after the other."""
        for index in range(self.start, self.stop):
            yield make_sample(self.settings, self.split, index)


@dataclasses.dataclass(frozen=True)
class MotionClip(SampleClip):
    """Samples of whole videos: `start` is the first frame of one, and `stop` is the end of one."""

    def records(self) -> Iterator[Record]:
        """Renders one video after the other."""
        frames = self.settings.clip_frames
        for first in range(self.start, self.stop, frames):
            number, count = first // frames, min(frames, self.stop - first)
            yield from make_clip(self.settings, self.split, number, count)


def clips_of(settings: Settings, split: str, samples: int = _SAMPLES) -> list[SampleClip]:
    """All samples of a split, in their order, in clips of about so many samples."""
    size, frames, kind = settings.size(split), settings.clip_frames, SampleClip
    if frames:
        samples, kind = max(1, samples // frames) * frames, MotionClip
    return [
        kind(settings, split, start, min(start + samples, size))
        for start in range(0, size, samples)
    ]

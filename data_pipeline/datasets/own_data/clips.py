"""`EntriesClip`: entries of own data whose files follow one another, on their way to Records."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from capf_jax.pose import crops
from data_pipeline import building
from data_pipeline.datasets.own_data import annotations, footage, judge
from data_pipeline.datasets.own_data.annotations import Entry
from data_pipeline.datasets.own_data.settings import Settings
from data_pipeline.images import UnreadableError
from data_pipeline.records import Record

_ENTRIES = 256  # most entries of a clip; those of one long video stay together


@dataclasses.dataclass(frozen=True, eq=False)
class EntriesClip(building.Clip):
    """All entries of some files, in the order of `footage.in_file_order`."""

    number: int  # position in the split
    entries: tuple[Entry, ...]
    settings: Settings
    may_lack: bool  # whether images that do not decode are left out

    @property
    def name(self) -> str:
        """The clip's position in the split."""
        return f'{self.number:06d}'

    @property
    def size(self) -> int:
        """Entries."""
        return len(self.entries)

    def records(self) -> Iterator[Record]:
        """Crops of all entries whose image decodes.

        Raises:
          AnnotationError: images do not decode and are not to be left out; all are listed.
        """
        source = pathlib.Path(self.settings.source)
        bad: list[annotations.Problem] = []
        for entry, image in footage.read(source, self.entries):
            if isinstance(image, UnreadableError):
                bad.append(judge.unreadable(entry, image))
                if self.may_lack:
                    logging.warning('%s is skipped: %s', entry.where, image)
            elif self.may_lack or not bad:  # else further images are only checked
                yield make_record(entry, image, self.settings)
        if bad and not self.may_lack:
            raise annotations.AnnotationError(source, bad)


def clips_of(
    entries: Iterable[Entry], settings: Settings, may_lack: bool, size: int = _ENTRIES
) -> list[EntriesClip]:
    """Entries in clips of at most `size`; the entries of one file always share a clip."""
    by_file = itertools.groupby(footage.in_file_order(entries), key=lambda entry: entry.medium)
    clips: list[list[Entry]] = [[]]
    for _, members in by_file:
        members = list(members)
        if clips[-1] and len(clips[-1]) + len(members) > size:
            clips.append([])
        clips[-1] += members
    return [
        EntriesClip(number, tuple(some), settings, may_lack)
        for number, some in enumerate(clips)
        if some
    ]


def make_record(entry: Entry, image: np.ndarray, settings: Settings) -> Record:
    """Crops one person.

    Args:
      entry: what the annotation file says.
      image: [H, W, 3] uint8, BGR.
      settings: size, quality and box margin of the crop.

    Returns:
      The Record. Its true 2D joints are the projected 3D joints, or, without a camera, the
      detected ones; its intrinsics are zeros without a camera.
    """
    if entry.box is not None:
        centre = entry.box[:2] + entry.box[2:] / 2
        # The crop's aspect ratio is fixed, so that the box grows on its shorter side.
        width = max(entry.box[2], entry.box[3] * settings.width / settings.height)
    else:
        detected = entry.joints2d[entry.confidence > 0]
        centre, width = crops.joints_box(detected, settings.crop_size, settings.margin)
    camera = entry.camera
    return building.make_record(
        image,
        centre,
        width,
        settings,
        average=True,
        keep_box=False,
        joints2d_detected=entry.joints2d,
        joints2d_truth=entry.joints2d if camera is None else camera.project(entry.joints3d),
        confidence=entry.confidence,
        joints3d=entry.joints3d / 1000,
        intrinsics=np.zeros(4) if camera is None else camera.intrinsics,
        subject=entry.subject,
        action=entry.action,
        sequence=entry.sequence,
        camera=camera.name if camera else '',
        frame=entry.frame,
    )

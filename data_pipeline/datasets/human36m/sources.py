"""Reads a folder of Human3.6M: its recordings and pictures, or all that is wrong with it."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from capf_jax.errors import UserError
from data_pipeline.building.problems import InputError, ranges
from data_pipeline.datasets.human36m import (
    frame_folders,
    label_pickles,
    named_recordings,
    raw_files,
    recordings,
    videopose,
)
from data_pipeline.datasets.human36m.recordings import Key, Recording
from data_pipeline.datasets.human36m.settings import (
    ACTIONS,
    DAMAGED,
    SPLITS,
    SUBJECTS,
    Settings,
)
from data_pipeline.published_cameras import HUMAN36M_CAMERAS

TRIALS = (1, 2)
KINDS = {
    'cdf': 'raw CDF files and CPN detections',
    'pickle': "the authors' label files",
    'npz': "VideoPose3D's world-frame joints and CPN detections",
}
LAYOUT = (
    f'{frame_folders.LAYOUT} and one of: (cdf) {raw_files.LAYOUT} with {videopose.DETECTIONS}; '
    f'(pickle) {" and ".join(label_pickles.FILES.values())}; '
    f'(npz) {videopose.POSITIONS} with {videopose.DETECTIONS}'
)


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """The part of a folder that is asked for."""

    kind: str  # one of KINDS
    recordings: Mapping[Key, Recording]  # in the order in which they are stored
    videos: Mapping[Key, frame_folders.Video]
    missing: tuple[str, ...]  # sentences on what was left out, if that is allowed


def find_file(source: pathlib.Path, name: str) -> pathlib.Path | None:
    """The path of a label file in the source or in a folder of it; None if there is none."""
    for path in (source / name, *sorted(source.glob(f'*/{name}'))):
        if path.is_file():
            return path
    return None


def present(source: pathlib.Path) -> tuple[str, ...]:
    """Which kinds of labels lie in a folder."""
    there = {
        'cdf': bool(raw_files.find(source)['3d']),
        'pickle': any(find_file(source, name) for name in label_pickles.FILES.values()),
        'npz': find_file(source, videopose.POSITIONS) is not None,
    }
    return tuple(kind for kind, is_there in there.items() if is_there)


def recognise(source: pathlib.Path, annotations: str) -> str:
    """The kind of labels that will be read.

    Raises:
      FileNotFoundError: the folder is not there, or does not have the kind that is asked for.
    """
    if not source.is_dir():
        raise FileNotFoundError(
            f'there is no folder {source}; give --source=DIR, the folder that has {LAYOUT}'
        )
    kinds = present(source)
    if annotations == 'auto' and kinds:
        return kinds[0]
    if annotations not in kinds:
        labels = 'labels of Human3.6M' if annotations == 'auto' else KINDS[annotations]
        have = f'it has {", ".join(KINDS[kind] for kind in kinds)}; ' if kinds else ''
        raise FileNotFoundError(f'{source} has no {labels}; {have}it should have {LAYOUT}')
    return annotations


def read(settings: Settings) -> Source:
    """Reads and checks all labels that are asked for, and finds their pictures; decodes none.

    Raises:
      InputError: all that is wrong.
      FileNotFoundError: as `recognise`.
    """
    source = pathlib.Path(settings.source)
    kind = recognise(source, settings.annotations)
    asked = list(videos_of(settings))
    folders = frame_folders.folders(source)
    videos = {key: frame_folders.read(folders[key.video]) for key in asked if key.video in folders}
    if kind == 'pickle':
        labelled, problems = _from_pickles(source, settings)
    else:
        last = {key: int(v.frames[-1]) + 1 for key, v in videos.items() if len(v.frames)}
        labelled, problems = _from_names(source, settings, kind, last)
    chosen, unlabelled, unpictured = {}, [], {}
    for key in asked:
        if key not in labelled:
            unlabelled.append(key)
            continue
        recording = labelled[key].every(settings.frame_stride)
        problems += recordings.problems(key, recording)
        without = _without_picture(recording, videos.get(key))
        if without:
            unpictured[key] = without
        if without and settings.missing == 'skip' and without is not _ALL:
            recording = recording.only(np.isin(recording.frames, videos[key].frames))
        if without is not _ALL and len(recording.frames):
            chosen[key] = recording
    missing = [*gathered(unlabelled, asked, 'labels')] if not problems else []
    missing += gathered([k for k, what in unpictured.items() if what is _ALL], asked, 'pictures')
    missing += [
        f'{folders[key.video]} lacks the pictures {what}'
        for key, what in unpictured.items()
        if what is not _ALL
    ]
    if settings.missing == 'error':
        problems += missing
    if problems:
        remedy = '--missing=skip builds without what lacks pictures' if unpictured else ''
        raise InputError(source, problems, remedy)
    return Source(kind, chosen, videos, tuple(missing))


def gathered(without: Sequence[Key], asked: Sequence[Key], what: str) -> Iterator[str]:
    """Sentences on videos that lack something; one sentence for a subject if all of its do."""
    for subject in dict.fromkeys(key.subject for key in without):
        some = [key for key in without if key.subject == subject]
        every = [key for key in asked if key.subject == subject]
        if len(some) == len(every) > 1:
            yield f'there are no {what} of {subject} at all ({len(every)} videos)'
        else:
            yield from (f'there are no {what} of {key.video}' for key in some)


def videos_of(settings: Settings) -> Iterator[Key]:
    """Every video of the subset but the damaged trial: subject, action, trial, camera."""
    every = itertools.product(SUBJECTS, ACTIONS, TRIALS, HUMAN36M_CAMERAS)
    for subject, action, trial, camera in cast(Iterator[tuple[str, str, int, str]], every):
        if settings.takes(subject, action, camera) and (subject, action, trial) != DAMAGED:
            yield Key(subject, action, trial, camera)


_ALL = 'all'


def _without_picture(recording: Recording, video: frame_folders.Video | None) -> str:
    """Numbers of the labelled frames that have no picture, or _ALL; '' where all have."""
    if video is None or not len(video.frames):
        return _ALL
    return ranges((np.setdiff1d(recording.frames, video.frames) + 1).tolist())


def _from_pickles(
    source: pathlib.Path, settings: Settings
) -> tuple[dict[Key, Recording], list[str]]:
    labelled, problems = {}, []
    for split, name in label_pickles.FILES.items():
        if settings.subjects and not set(settings.subjects) & set(SPLITS[split]):
            continue
        path = find_file(source, name)
        if path is None:
            problems.append(f"there is no {name}; or choose the other split's subjects alone")
            continue
        try:
            some, wrong = label_pickles.read(path, settings)
        except UserError as error:
            problems.append(str(error))
            continue
        labelled |= some
        problems += wrong
    return labelled, problems


def _from_names(
    source: pathlib.Path, settings: Settings, kind: str, last: Mapping[Key, int]
) -> tuple[dict[Key, Recording], list[str]]:
    path = find_file(source, videopose.DETECTIONS)
    if path is None:
        raise FileNotFoundError(f'{source} has no {videopose.DETECTIONS}; it should have {LAYOUT}')
    detections, problems = videopose.read_detections(path)
    if kind == 'cdf':
        joints, wrong = named_recordings.read_cdf(source, settings)
    else:
        positions = find_file(source, videopose.POSITIONS)
        assert positions is not None  # `recognise` has seen it.
        joints, wrong = named_recordings.read_npz(positions, settings)
    problems += wrong
    keys, wrong = named_recordings.with_trials(source, joints, last)
    problems += wrong
    keys = {key: name for key, name in keys.items() if key[:3] != DAMAGED}
    labelled = {}
    for key, result in named_recordings.with_detections(keys, joints, detections, path):
        if isinstance(result, str):
            problems.append(result)
        else:
            labelled[key] = result
    return labelled, problems

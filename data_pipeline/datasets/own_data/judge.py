"""Judges the numbers of own data before anything is built: files, pixels, units and geometry."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tqdm

from capf_jax import errors
from data_pipeline import images, videos
from data_pipeline.datasets.own_data.annotations import SPLITS, Annotations, Entry, Problem
from data_pipeline.images import Medium, UnreadableError

# Limits of a person's largest joint distance. Numbers outside them are in another unit than mm.
_SMALLEST_POSE_MM, _LARGEST_POSE_MM = 200.0, 5000.0
# 2D joints may lie outside the image, but not by more than its larger side.
_OUTSIDE = 1.0
_LARGEST_BOX = 20.0  # of a box's side, in larger sides of the image


def check(
    annotations: Annotations,
    source: pathlib.Path,
    *,
    max_projection_distance: float,
    skip_bad_images: bool,
    outside_source: bool = False,
) -> list[Problem]:
    """Everything that is wrong with entries whose form is right.

    Args:
      annotations: as `annotations.read` returns them.
      source: folder that the entries' paths are relative to.
      max_projection_distance: median distance of projected 3D joints to the detected 2D joints
        that is allowed, as a share of the diagonal of the projected person.
      skip_bad_images: do not report files that are there but do not decode.
      outside_source: whether files may lie outside `source`.

    Returns:
      Problems in the order of the entries.
    """
    if not outside_source:
        problems = [problem for entry in annotations.entries for problem in _check_inside(entry)]
        if problems:  # Nothing outside is opened.
            return problems
    problems = []
    media = _probe_all(annotations.entries, source, decode=not skip_bad_images)
    for entry in annotations.entries:
        medium = media[entry.medium, entry.is_video]
        if isinstance(medium, FileNotFoundError):
            problems.append(Problem('missing file', entry.where, str(medium)))
        elif isinstance(medium, UnreadableError) and not skip_bad_images:
            problems.append(unreadable(entry, medium))
        problems += _check_pixels(entry, medium if isinstance(medium, Medium) else None)
        problems += _check_pose(entry, max_projection_distance)
    return problems


def _check_inside(entry: Entry) -> Iterator[Problem]:
    """Checks that a path leads to a file below the folder of the annotation file."""
    if os.path.isabs(entry.medium) or os.path.normpath(entry.medium).split(os.sep)[0] == os.pardir:
        what = (
            'lies outside the folder of annotations.json; copy it there, or set '
            'config.data.builder.outside_source=True (--outside_source=true) if you trust the file'
        )
        yield Problem('outside', entry.where, what)


def unreadable(entry: Entry, error: UnreadableError) -> Problem:
    """The problem of an entry whose image does not decode."""
    what = f"{error}; mend it, or set config.data.bad_image = 'skip'"
    return Problem('does not decode', entry.where, what)


def _probe_all(
    entries: Iterable[Entry], source: pathlib.Path, decode: bool
) -> dict[tuple[str, bool], Medium | FileNotFoundError | UnreadableError]:
    """Every file by (medium, is_video), or what is wrong with it.

    With `decode`, images are decoded, not only their headers. Videos are not decoded here, which
    would take hours; the build does it.
    """
    keys = list(dict.fromkeys((entry.medium, entry.is_video) for entry in entries))

    def probe(key: tuple[str, bool]):
        path = source / key[0]
        if not path.is_file():
            return FileNotFoundError(f'there is no file {path}')
        try:
            return videos.probe(path) if key[1] else images.probe(path, decode)
        except UnreadableError as error:
            return error

    with concurrent.futures.ThreadPoolExecutor() as pool:  # decoders work outside Python's lock
        media = tqdm.tqdm(pool.map(probe, keys), 'files checked', len(keys), disable=None)
        return dict(zip(keys, media, strict=True))


def _check_pixels(entry: Entry, medium: Medium | None) -> Iterator[Problem]:
    """Checks frame number, box, confidences and 2D joints, given the image's size if known."""
    if entry.confidence.min() < 0 or entry.confidence.max() > 1:
        yield Problem('confidence', entry.where, "'confidence' must lie between 0 and 1")
    detected = entry.confidence > 0
    if entry.box is None and detected.sum() < 2:
        what = 'fewer than 2 joints have a confidence above 0 and there is no box to crop by'
        yield Problem('no box', entry.where, what)
    if entry.box is not None and min(entry.box[2:]) <= 1:
        what = f"'box' is x, y, width, height; its size is {entry.box[2:].tolist()} px"
        yield Problem('box', entry.where, what)
    if medium is None:
        return
    if entry.is_video and entry.frame >= medium.frames:
        what = f'the video ends after frame {medium.frames - 1}'
        yield Problem('frame', entry.where, what)
    size = np.array([medium.width, medium.height])
    margin = _OUTSIDE * size.max()
    outside = ((entry.joints2d < -margin) | (entry.joints2d > size + margin)).any(axis=1) & detected
    if outside.any():
        joint = int(np.argmax(outside))
        at = np.round(entry.joints2d[joint], 1).tolist()
        what = (
            f'joint {joint} of joints2d is at {at}, far outside '
            f'the image of {medium.width}x{medium.height} pixels'
        )
        yield Problem('far outside', entry.where, what)
    if entry.box is not None:
        first, last = entry.box[:2], entry.box[:2] + entry.box[2:]
        if entry.box[2:].max() > _LARGEST_BOX * size.max():
            what = (
                f'the box {entry.box.tolist()} (x, y, width, height) is far larger than the image '
                f'of {medium.width}x{medium.height} pixels'
            )
            yield Problem('box', entry.where, what)
        elif (last <= 0).any() or (first >= size).any():
            what = f'the box {entry.box.tolist()} (x, y, width, height) misses the image'
            yield Problem('box', entry.where, what)


def _check_pose(entry: Entry, max_projection_distance: float) -> Iterator[Problem]:
    """Checks the unit, that joints lie before the camera, and that 3D and 2D joints agree."""
    extent = float(np.linalg.norm(entry.joints3d - entry.joints3d[:1], axis=1).max())
    if not _SMALLEST_POSE_MM <= extent <= _LARGEST_POSE_MM:
        guess = ' (metres?)' if 0.2 <= extent <= 5 else ''
        what = (
            f'joints3d reach {extent:.4g} from the first joint{guess}; they must be in millimetres'
        )
        yield Problem('unit', entry.where, what)
        return
    if entry.joints3d[:, 2].min() <= 0:
        joint = int(entry.joints3d[:, 2].argmin())
        what = (
            f'joint {joint} of joints3d has z = {entry.joints3d[joint, 2]:.1f} mm, behind the '
            'camera; give positions in the camera frame (x right, y down, z forward), '
            'not relative to the root'
        )
        yield Problem('behind the camera', entry.where, what)
        return
    detected = entry.confidence > 0
    if entry.camera is None or not detected.any():
        return
    projected = entry.camera.project(entry.joints3d)
    diagonal = float(np.linalg.norm(np.ptp(projected, axis=0)))
    distance = float(np.median(np.linalg.norm(projected - entry.joints2d, axis=1)[detected]))
    if not distance <= max_projection_distance * diagonal:
        what = (
            f'joints3d projected by camera {entry.camera.name!r} lie {distance:.0f} px (median) '
            f'from joints2d, on a person of {diagonal:.0f} px; check the camera, the joint order '
            'and the frame'
        )
        yield Problem('projection', entry.where, what)


def assign_splits(
    entries: Iterable[Entry], rules: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[Entry]], list[Problem]]:
    """Entries by split.

    Args:
      entries: all entries.
      rules: values of 'camera', 'subject' and 'sequence' that go to the test split. Where any
        value is named, the rules decide alone; else every entry's own `split` does.

    Returns:
      (entries of each split, problems).
    """
    entries = list(entries)
    problems = []
    splits: dict[str, list[Entry]] = {split: [] for split in SPLITS}
    label_of = {
        'camera': lambda entry: entry.camera.name if entry.camera else '',
        'subject': lambda entry: entry.subject,
        'sequence': lambda entry: entry.sequence,
    }
    rules = {label: tuple(values) for label, values in rules.items() if values}
    for label, values in rules.items():
        present = sorted({label_of[label](entry) for entry in entries} - {''})
        for value in sorted(set(values) - set(present)):
            what = f'no entry has {label} {value!r}'
            if present:
                what += f', the nearest is {errors.nearest(value, present)!r}'
            problems.append(Problem('split rule', f'config field test_{label}s', what))
    for entry in entries:
        split = entry.split
        if rules:
            tested = any(label_of[label](entry) in values for label, values in rules.items())
            split = SPLITS[tested]
        if split:
            splits[split].append(entry)
        else:
            what = (
                "has no 'split'; give train or test there, or test_cameras, test_subjects or "
                'test_sequences in the config'
            )
            problems.append(Problem('split', entry.where, what))
    for split, members in splits.items():
        if not members and not problems:
            problems.append(Problem('split', 'the file', f'no entry is in the split {split!r}'))
    return splits, problems

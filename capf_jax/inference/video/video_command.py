"""What `python -m capf_jax.predict` does with videos, one after the other."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capf_jax.errors import UserError
from capf_jax.inference import result_origin, tracks_files
from capf_jax.inference.formats import catalog
from capf_jax.inference.formats.catalog import Format
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.result_origin import Origin
from capf_jax.inference.sources import Sources
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import (
    track_parts,
    video_arguments,
    video_options,
    video_prediction,
)
from capf_jax.inference.video.video_prediction import PARTS, VideoResult, VideoRun
from capf_jax.runtime import commands, files

# The arguments that tracks depend on, and those of them that name files.
_OPTIONS = (
    'time_range', 'stride', 'smoothing', 'cutoff', 'constant_bones', 'still_feet', 'fill_gaps',
    'world', 'pitch', 'tilt', 'fov', 'intrinsics', 'camera', 'height', 'flip_test',
    'least_confidence', 'detector', 'conversion',
)  # fmt: skip
_FILES = ('weights', 'detector_weights', 'finder_weights', 'calibration')


def run(
    values: argparse.Namespace,
    videos: Sources,
    predictor_of: Callable[[], Predictor],
    taken: Sequence[str] = (),
) -> int:
    """Predicts every video; returns the exit code: 1 if one could not be done, or not wholly.

    Args:
      values: of the command's arguments.
      videos: files.
      predictor_of: loads the networks, where something is left to do.
      taken: names of results that pictures of the same source have.

    Raises:
      UserError: the arguments do not fit videos, or one of several results would be another's.
    """
    video_arguments.check(values)
    formats = formats_of(values)
    catalog.check(formats)
    plan = video_options.plan_of(**video_arguments.options(values))
    folder = files.path_here(values.output)
    names = videos.names()
    both = {name.lower() for name in names} & {name.lower() for name in taken}
    if both:
        raise UserError(
            f'a picture and a video are both called {min(both)}, so that their results are one '
            'file; predict them into two folders with --output'
        )
    stems = [folder / name for name in names]
    options = _options(values)
    jobs, failures = _jobs(values, videos.paths, stems, options)
    if not jobs:
        return _code(failures)
    run_of_videos = VideoRun(predictor_of(), *plan)
    for path, stem in jobs:
        parts = stem.with_name(f'{stem.name}{PARTS}')
        if values.overwrite:
            track_parts.remove(parts)
        try:
            video = result_origin.fingerprint(path)
            result = video_prediction.predict_file(path, run_of_videos, parts, shows_progress=True)
            failure = result.failure.removeprefix(f'{path} ')
            pictures = video_prediction.pictures_of(path, run_of_videos.choice, result.tracks)
            for sentence in video_prediction.write(
                stem, result, endings(values), formats, pictures, Origin(video, failure, options)
            ):
                print(sentence)
        except (UserError, OSError) as error:
            if videos.single or not commands.is_expected(error):
                raise
            failures.append(str(error))
            continue
        track_parts.remove(parts)
        print(words(path.name, result, stem))
        if result.note:
            print(result.note)
        if failure:
            failures.append(_words_of_failure(path, failure))
    return _code(failures)


def _jobs(
    values: argparse.Namespace,
    paths: Sequence[pathlib.Path],
    stems: Sequence[pathlib.Path],
    options: Mapping[str, Any],
) -> tuple[list[tuple[pathlib.Path, pathlib.Path]], list[str]]:
    """The videos that are left to do, each with its result's path without an ending.

    What is to be known of the finished ones is printed.

    Returns:
      These, and what is wrong with finished ones.
    """
    jobs, failures, finished = [], [], 0
    others: set[str] = set()
    for path, stem in zip(paths, stems, strict=True):
        if values.overwrite or not is_finished(stem, values):
            jobs.append((path, stem))
            continue
        archive = stem.with_name(f'{stem.name}.npz')
        try:
            origin = result_origin.read(archive)
            is_same = origin is None or origin.source == result_origin.fingerprint(path)
        except (ValueError, OSError):  # A damaged result is no result: it is made again.
            jobs.append((path, stem))
            continue
        if not is_same:
            print(f'{path} is not the video that {archive} was made of: it is predicted again')
            jobs.append((path, stem))
            continue
        others |= set() if origin is None else origin.other_options(options)
        if origin is not None and origin.failure:
            failures.append(_words_of_failure(path, origin.failure))
        else:
            finished += 1
    if finished:
        print(f'{finished} of {len(paths)} videos are finished already (--overwrite redoes)')
    if others:
        print(result_origin.words_of_others(others))
    return jobs, failures


def _code(failures: Sequence[str]) -> int:
    """The exit code, behind the sentences of what is wrong."""
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    return int(bool(failures))


def _words_of_failure(path: pathlib.Path, failure: str) -> str:
    return f'{path} {failure}; what came before is written'


def _options(values: argparse.Namespace) -> dict[str, Any]:
    """All arguments that the tracks depend on, by name; of files the names without folders."""
    known = result_origin.options_of(values, _OPTIONS, _FILES)
    known['smoothing'] = video_arguments.options(values)['smoothing']
    return known


def endings(values: argparse.Namespace) -> tuple[str, ...]:
    """The formats beside the NumPy archive that the arguments ask for."""
    named = catalog.names_in(values.format)
    return tuple(name for name in ('json', 'csv') if getattr(values, name) or name in named)


def formats_of(values: argparse.Namespace) -> tuple[Format, ...]:
    """The formats of other programs that the arguments ask for."""
    return catalog.choose(values.format, others=('csv',))


def is_finished(stem: pathlib.Path, values: argparse.Namespace) -> bool:
    """Whether all results of a video are there; each is whole or absent."""
    own = (stem.with_name(f'{stem.name}.{ending}') for ending in (*endings(values), 'npz'))
    if not all(path.is_file() for path in own):
        return False
    formats = formats_of(values)
    if catalog.are_written(formats, stem, shows_nobody=False):
        return True
    if not catalog.are_written(formats, stem, shows_nobody=True):
        return False
    try:
        return not tracks_files.read(stem.with_name(f'{stem.name}.npz')).valid.any()
    except UserError:  # A damaged result is no result: it is made again.
        return False


def words(name: str, result: VideoResult, stem: pathlib.Path) -> str:
    """What came of a video or a camera, for the user."""
    tracks: Tracks = result.tracks
    camera = PhotographCamera(tracks.camera, tracks.camera_assumed, tracks.camera_origin).words()
    people = f'{len(tracks)} {"person" if len(tracks) == 1 else "people"}'
    return (
        f'{name}: camera {camera}\n{people} in {len(tracks.times)} frames: '
        f'{stem.with_name(f"{stem.name}.npz")}'
    )

"""What `python -m capf_jax.predict` does with videos, one after the other."""

from __future__ import annotations

import argparse
import dataclasses
import functools
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
    camera_recordings,
    track_parts,
    video_arguments,
    video_header,
    video_options,
    video_prediction,
    video_results,
)
from capf_jax.inference.video.video_frames import FrameChoice
from capf_jax.inference.video.video_prediction import PARTS, VideoResult, VideoRun
from capf_jax.inference.video.video_results import FilesOfResult, ResultState
from capf_jax.runtime import commands, files, locks

# The arguments that tracks depend on, and those of them that name files.
_OPTIONS = (
    'time_range', 'stride', 'smoothing', 'cutoff', 'constant_bones', 'still_feet', 'fill_gaps',
    'world', 'pitch', 'tilt', 'fov', 'intrinsics', 'camera', 'height', 'flip_test',
    'least_confidence', 'detector', 'conversion',
)  # fmt: skip
_FILES = ('weights', 'detector_weights', 'detector_files', 'finder_weights', 'calibration')


@dataclasses.dataclass(frozen=True, eq=False)
class _Job:
    """One video and its result.

    Attributes:
      path: the video.
      result: the files of the result.
      options: all arguments that the tracks depend on.
      overwrites: whether a finished result is made again.
    """

    path: pathlib.Path
    result: FilesOfResult
    options: Mapping[str, Any]
    overwrites: bool

    @property
    def parts(self) -> pathlib.Path:
        """The folder of the video's parts."""
        return self.result.stem.with_name(f'{self.result.stem.name}{PARTS}')

    @property
    def lock(self) -> str:
        """The name of the lock, that of a camera's recordings where a video is called like one."""
        return f'.{self.result.stem.name}.lock'

    @property
    def work(self) -> str:
        """What another command, which waits, says of this one."""
        return f'is at work on a video called {self.result.stem.name}'

    def look(self) -> ResultState:
        """What is there already and stays."""
        return ResultState() if self.overwrites else video_results.look(self.path, self.result)


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
    options = _options(values)
    results = [FilesOfResult(folder / name, endings(values), formats) for name in names]
    jobs = [
        _Job(path, one, options, values.overwrite)
        for path, one in zip(videos.paths, results, strict=True)
    ]
    jobs, needs_networks, failures = _unfinished(jobs)
    load = functools.cache(lambda: VideoRun(predictor_of(), *plan))
    if needs_networks:
        load()  # Weights that do not fit are told once, and not of every video.
    for job in jobs:
        try:
            video_header.probe(job.path)  # No folder is made for what is no video.
            with locks.locked(job.result.stem.parent, job.work, job.lock):
                failure = _do(job, load, plan[0])
        except (UserError, OSError) as error:
            if videos.single or not commands.is_expected(error):
                raise
            failures.append(str(error))
            continue
        if failure:
            failures.append(_words_of_failure(job.path, failure))
    return _code(failures)


def _do(job: _Job, load: Callable[[], VideoRun], choice: FrameChoice) -> str:
    """Makes the result of a video, or what lacks of it; says what is wrong with the video, or ''.

    Args:
      job: which no other command works on meanwhile.
      load: the networks and what is done with them.
      choice: which frames are taken.
    """
    state = job.look()
    if state.is_finished:  # by a command for which this one has waited
        print(f'{job.path.name} was finished meanwhile by another command: {job.result.archive}')
        others = _other_options(state, job)
        if others:
            print(result_origin.words_of_others(others))
        return _failure(state)
    _check_options(state, job)
    if state.note:
        print(state.note)
    tracks = _tracks_that_stay(state, job)
    if tracks is None or state.missing is None:
        return _predict(job, load())
    pictures = video_prediction.pictures_of(job.path, choice, tracks)
    for sentence in video_results.write_beside(state.missing, tracks, pictures):
        print(sentence)
    print(f'{job.path.name}: what was missing is made of {job.result.archive}')
    return _failure(state)


def _tracks_that_stay(state: ResultState, job: _Job) -> Tracks | None:
    """The tracks that are there already, where they were made as they would be now."""
    if not _stays(state, job):
        return None
    try:
        return tracks_files.read(job.result.archive)
    except UserError:  # A damaged result is no result: it is made again.
        return None


def _stays(state: ResultState, job: _Job) -> bool:
    """Whether the archive that is there is known to be made of this video with these options."""
    return state.origin is not None and not _other_options(state, job)


def _predict(job: _Job, run_of_videos: VideoRun) -> str:
    """Predicts a video and writes its result; says what is wrong with the video, or ''."""
    path, parts = job.path, job.parts
    video = result_origin.fingerprint(path)
    try:
        result = video_prediction.predict_file(path, run_of_videos, parts, shows_progress=True)
    finally:
        track_parts.remove_empty(parts)
    failure = result.failure.removeprefix(f'{path} ')
    pictures = video_prediction.pictures_of(path, run_of_videos.choice, result.tracks)
    origin = Origin(video, failure, job.options)
    is_replaced = job.result.archive.is_file()
    for sentence in video_results.write(job.result, result.tracks, pictures, origin):
        print(sentence)
    if is_replaced:
        removed, others = video_results.remove_others(job.result)
        for paths, state in ((removed, 'are removed'), (others, 'may still be there')):
            if paths:
                names = ', '.join(one.name for one in paths)
                print(f'{path.name}: files of the older result {state}: {names}')
    track_parts.remove(parts)
    print(words(path.name, result, job.result.stem))
    if result.note:
        print(result.note)
    return failure


def _unfinished(jobs: Sequence[_Job]) -> tuple[list[_Job], bool, list[str]]:
    """The videos that are left to do; what is to be known of the finished ones is printed.

    Returns:
      These, whether one of them has to be predicted, and what is wrong with finished ones.
    """
    left, needs_networks, failures, finished = [], False, [], 0
    others: set[str] = set()
    for job in jobs:
        state = job.look()
        if not state.is_finished:
            if len(jobs) == 1:
                _check_options(state, job)  # before networks are loaded
            left.append(job)
            needs_networks |= not (_stays(state, job) or _other_options(state, job))
            continue
        others |= _other_options(state, job)
        failure = _failure(state)
        if failure:
            failures.append(_words_of_failure(job.path, failure))
        else:
            finished += 1
        _tell_parts(job)
    if finished:
        print(f'{finished} of {len(jobs)} videos are finished already (--overwrite redoes)')
    if others:
        print(result_origin.words_of_others(others))
    return left, needs_networks, failures


def _tell_parts(job: _Job) -> None:
    """Says that there are parts beside a finished result; those without a frame go."""
    folder = job.result.stem.parent
    if not camera_recordings.are_of_a_video(job.parts) or locks.is_locked(folder, job.lock):
        return
    number = track_parts.count(job.parts)
    if not number:
        with locks.locked(folder, job.work, job.lock):
            track_parts.remove_empty(job.parts)
        return
    print(
        f'{job.parts} holds {number} {"frame" if number == 1 else "frames"} of a run that was '
        'interrupted: --overwrite with the options of that run goes on there; remove the folder '
        'if you keep the result'
    )


def _check_options(state: ResultState, job: _Job) -> None:
    """UserError where further files are asked for of a result that was made with other options."""
    others = ', '.join(f'--{name}' for name in sorted(_other_options(state, job)))
    if others:
        raise UserError(
            f'{job.result.archive} was made with another {others}: give the same for further files '
            'of it, or --overwrite to make it again'
        )


def _other_options(state: ResultState, job: _Job) -> set[str]:
    return set() if state.origin is None else state.origin.other_options(job.options)


def _failure(state: ResultState) -> str:
    return '' if state.origin is None else state.origin.failure


def _code(failures: Sequence[str]) -> int:
    """The exit code, behind the sentences of what is wrong."""
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    return int(bool(failures))


def _words_of_failure(path: pathlib.Path, failure: str) -> str:
    return f'{path} {failure}; what came before is written'


def _options(values: argparse.Namespace) -> dict[str, Any]:
    """All arguments that the tracks depend on, by name; of files the names without folders."""
    options = result_origin.options_of(values, _OPTIONS, _FILES)
    options['smoothing'] = video_arguments.options(values)['smoothing']
    return options


def endings(values: argparse.Namespace) -> tuple[str, ...]:
    """The formats beside the NumPy archive that the arguments ask for."""
    named = catalog.names_in(values.format)
    return tuple(name for name in video_results.ENDINGS if getattr(values, name) or name in named)


def formats_of(values: argparse.Namespace) -> tuple[Format, ...]:
    """The formats of other programs that the arguments ask for."""
    return catalog.choose(values.format, others=('csv',))


def words(name: str, result: VideoResult, stem: pathlib.Path) -> str:
    """What came of a video or a camera, for the user."""
    tracks: Tracks = result.tracks
    frames = f'{len(tracks.times)} {"frame" if len(tracks.times) == 1 else "frames"}'
    camera = PhotographCamera(tracks.camera, tracks.camera_assumed, tracks.camera_origin).words()
    people = f'{len(tracks)} {"person" if len(tracks) == 1 else "people"}'
    return f'{name}: camera {camera}\n{people} in {frames}: {stem.with_name(f"{stem.name}.npz")}'

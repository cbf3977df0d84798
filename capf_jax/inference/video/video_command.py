"""What `python -m capf_jax.predict` does with videos and cameras, one after the other."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Generator, Sequence

from capf_jax.errors import UserError
from capf_jax.inference import tracks_files
from capf_jax.inference.formats import catalog
from capf_jax.inference.formats.catalog import Format
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.sources import Sources
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import (
    camera_frames,
    short_gaps,
    track_parts,
    video_arguments,
    video_options,
    video_prediction,
    video_stream,
    video_tracks,
)
from capf_jax.inference.video.track_parts import StoredFrame
from capf_jax.inference.video.video_frames import CutShortError, Frame
from capf_jax.inference.video.video_prediction import PARTS, VideoResult, VideoRun
from capf_jax.runtime import commands, files


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
    jobs = [
        (path, folder / name)
        for path, name in zip(videos.paths, names, strict=True)
        if values.overwrite or not is_finished(folder / name, values)
    ]
    if len(jobs) < len(names):
        finished = len(names) - len(jobs)
        print(f'{finished} of {len(names)} videos are finished already (--overwrite redoes)')
    if not jobs:
        return 0
    run_of_videos = VideoRun(predictor_of(), *plan)
    failures: list[str] = []
    for path, stem in jobs:
        parts = stem.with_name(f'{stem.name}{PARTS}')
        if values.overwrite:
            track_parts.remove(parts)
        try:
            result = video_prediction.predict_file(path, run_of_videos, parts, shows_progress=True)
            pictures = video_prediction.pictures_of(path, run_of_videos.choice, result.tracks)
            for sentence in video_prediction.write(
                stem, result, endings(values), formats, pictures
            ):
                print(sentence)
        except (UserError, OSError) as error:
            if videos.single or not commands.is_expected(error):
                raise
            failures.append(str(error))
            continue
        track_parts.remove(parts)
        print(_words(path.name, result, stem))
        if result.failure:
            failures.append(f'{result.failure}; what came before is written')
    for failure in failures:
        print(f'error: {failure}', file=sys.stderr)
    return int(bool(failures))


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


def run_camera(
    values: argparse.Namespace,
    number: int,
    predictor_of: Callable[[], Predictor],
    open_frames: Callable[[object], Generator[Frame, None, None]] | None = None,
) -> int:
    """Predicts the people of a camera until Ctrl-C, and writes them; returns the exit code.

    Args:
      values: of the command's arguments.
      number: of the camera.
      predictor_of: loads the networks.
      open_frames: gives the camera's frames; None for a real one.

    Raises:
      UserError: there is no such camera, or the disk is full.
    """
    video_arguments.check(values)
    formats = formats_of(values)
    catalog.check(formats)
    if any(one.needs_pictures for one in formats):
        raise UserError(
            'the pictures of a camera are not kept, so that --format=overlay has none to draw on; '
            'record a video, or leave it out'
        )
    stem = files.path_here(values.output) / f'camera_{number}'
    parts = stem.with_name(f'{stem.name}{PARTS}')
    track_parts.remove(parts)
    track_parts.prepare(parts, {})
    _, finish = video_options.plan_of(**video_arguments.options(values, 'one_euro'))
    stream = video_stream.stream(
        f'{camera_frames.PREFIX}{number}', predictor_of(), finish.smoothing, open_frames
    )
    failure = ''
    print('Ctrl-C ends the recording and writes it')
    with track_parts.PartsWriter(parts) as writer:
        try:
            for live in stream:
                print(f'\r{live.frame.time:8.1f} s, {len(live.people)} people, '
                      f'{1000 * live.delay:.0f} ms', end='', file=sys.stderr)  # fmt: skip
                writer.append(
                    StoredFrame(live.frame.number, live.frame.time, live.people, live.colours)
                )
        except KeyboardInterrupt:
            print(file=sys.stderr)
        except CutShortError as error:
            failure = str(error)
        finally:
            stream.close()
    times = [frame.time for frame in track_parts.read(parts)]
    fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 25.0
    tracks = video_tracks.of_frames(track_parts.read(parts), fps)
    # The poses were smoothed while they came.
    tracks = video_tracks.in_world(short_gaps.filled(tracks, finish.gaps), finish)
    result = VideoResult(tracks, failure, {})
    for sentence in video_prediction.write(stem, result, endings(values), formats):
        print(sentence)
    track_parts.remove(parts)
    print(_words(stem.name, result, stem))
    if failure:
        print(f'error: {failure}; what came before is written', file=sys.stderr)
    return int(bool(failure))


def _words(name: str, result: VideoResult, stem: pathlib.Path) -> str:
    tracks: Tracks = result.tracks
    camera = PhotographCamera(tracks.camera, tracks.camera_assumed, tracks.camera_origin).words()
    people = f'{len(tracks)} {"person" if len(tracks) == 1 else "people"}'
    return (
        f'{name}: camera {camera}\n{people} in {len(tracks.times)} frames: '
        f'{stem.with_name(f"{stem.name}.npz")}'
    )

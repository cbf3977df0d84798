"""What `python -m capf_jax.predict camera:0` does: it records until Ctrl-C, and writes the result.

A recording cannot be made again. So each has a name of its own, and what one left behind that a
full disk or a kill interrupted is written by the next start of the same camera.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Generator, Sequence

from capf_jax.errors import UserError
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.formats import catalog
from capf_jax.inference.formats.catalog import Format
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.video import (
    camera_frames,
    camera_recordings,
    track_parts,
    video_arguments,
    video_command,
    video_header,
    video_options,
    video_results,
    video_stream,
    video_tracks,
)
from capf_jax.inference.video.track_parts import DiskFullError, StoredFrame
from capf_jax.inference.video.video_frames import CutShortError, Frame, FrameChoice
from capf_jax.inference.video.video_prediction import VideoResult
from capf_jax.inference.video.video_results import FilesOfResult
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.runtime import files, locks


@dataclasses.dataclass(frozen=True, eq=False)
class _Recorder:
    """What is done with every recording of a camera.

    Attributes:
      number: of the camera.
      folder: of the results.
      choice: which frames are taken.
      finish: what comes behind them.
      endings: of further files, such as 'csv'.
      formats: those of other programs.
    """

    number: int
    folder: pathlib.Path
    choice: FrameChoice
    finish: Finish
    endings: tuple[str, ...]
    formats: Sequence[Format]


def run(
    values: argparse.Namespace,
    number: int,
    predictor_of: Callable[[], Predictor],
    open_frames: Callable[[int], Generator[Frame, None, None]] = camera_frames.read,
) -> int:
    """Records the people of a camera until Ctrl-C or the stop time, and writes them.

    Args:
      values: of the command's arguments.
      number: of the camera.
      predictor_of: loads the networks.
      open_frames: gives the frames of the camera of a number.

    Returns:
      The exit code: 1 if the recording ended too early.

    Raises:
      KeyboardInterrupt: Ctrl-C came before the first frame.
      UserError: there is no such camera, it gives no picture, the calibration is none, or the disk
        is full.
    """
    video_arguments.check(values)
    formats = video_command.formats_of(values)
    catalog.check(formats)
    if any(one.needs_pictures for one in formats):
        raise UserError(
            'the pictures of a camera are not kept, so that --format=overlay has none to draw on; '
            'record a video, or leave it out'
        )
    choice, finish = video_options.plan_of(**video_arguments.options(values, 'one_euro'))
    cameras = dataclasses.replace(
        CameraChoice.of(values.calibration or None), camera_name=values.camera
    )
    recorder = _Recorder(
        number,
        files.path_here(values.output),
        choice,
        video_options.with_up(finish, cameras, f'{camera_frames.PREFIX}{number}'),
        video_command.endings(values),
        formats,
    )
    # Another process that records this camera has parts that are not left behind.
    with locks.locked(recorder.folder, f'records camera {number}', f'.camera_{number}.lock'):
        first = camera_recordings.first(recorder.folder, number)
        for stem in camera_recordings.interrupted(recorder.folder, number):
            _write_interrupted(recorder, stem, is_replaced=values.overwrite and stem == first)
        stem = first if values.overwrite else camera_recordings.free(recorder.folder, number)
        return _record(recorder, stem, predictor_of(), open_frames)


def _write_interrupted(recorder: _Recorder, stem: pathlib.Path, is_replaced: bool) -> None:
    """Writes what is left of a recording, and removes its parts.

    Args:
      recorder: what is done.
      stem: path of the recording without an ending.
      is_replaced: whether the new recording is going to have this name, so that the old one needs
        another.
    """
    parts = camera_recordings.parts_of(stem)
    frames, damaged = track_parts.read_undamaged(parts)
    if frames:
        print(f'the recording in {parts} was interrupted: it is written first')
        if is_replaced or stem.with_name(f'{stem.name}.npz').exists():
            stem = camera_recordings.free(recorder.folder, recorder.number)
        _write(recorder, stem, parts, frames, '')
    if damaged:
        files.clear_the_way(parts, wanted='file')
        print(f'{damaged} parts of {parts} are damaged: they stay there, with .damaged in its name')
    track_parts.remove(parts)


def _record(
    recorder: _Recorder,
    stem: pathlib.Path,
    predictor: Predictor,
    open_frames: Callable[[int], Generator[Frame, None, None]],
) -> int:
    parts, source = camera_recordings.parts_of(stem), f'{camera_frames.PREFIX}{recorder.number}'
    stream = video_stream.stream(
        source,
        predictor,
        recorder.finish.smoothing,
        lambda _: _with_line_end(
            camera_frames.chosen(open_frames(recorder.number), recorder.choice)
        ),
    )
    failure, interrupt, last = '', None, None
    writer = track_parts.PartsWriter(parts)
    try:
        with writer, contextlib.closing(stream):
            for live in stream:
                if last is None:
                    print(f'Ctrl-C ends the recording and writes {stem}.npz', flush=True)
                last = live.frame
                writer.append(StoredFrame(last.number, last.time, live.people, live.colours))
                print(f'\r{last.time:8.1f} s, {len(live.people)} people, '
                      f'{1000 * live.delay:.0f} ms', end='', file=sys.stderr)  # fmt: skip
    except KeyboardInterrupt as error:
        interrupt = error
    except CutShortError as error:
        failure = str(error)
    except DiskFullError:
        seconds = last.time if last else 0.0
        failure = f'the disk of {recorder.folder} is full after {seconds:.1f} s; make room there'
    frames = [*track_parts.read(parts), *writer.waiting]
    if not frames:
        raise interrupt or UserError(failure or _no_picture(recorder))
    _write(recorder, stem, parts, frames, failure)
    track_parts.remove(parts)
    if failure:
        print(f'error: {failure}; what came before is written', file=sys.stderr)
    return int(bool(failure))


def _with_line_end(frames: Generator[Frame, None, None]) -> Generator[Frame, None, None]:
    """The frames; at their end the line that shows how it goes is ended, if there is one."""
    is_first = True
    with contextlib.closing(frames):
        try:
            for frame in frames:
                yield frame
                is_first = False
        finally:
            if not is_first:
                print(file=sys.stderr)


def _no_picture(recorder: _Recorder) -> str:
    start, stop = recorder.choice.start, recorder.choice.stop
    return (
        f'camera {recorder.number} gave no picture from {start:g} to {stop:g} s; give a longer '
        '--time_range'
    )


def _write(
    recorder: _Recorder,
    stem: pathlib.Path,
    parts: pathlib.Path,
    frames: Sequence[StoredFrame],
    failure: str,
) -> None:
    """Writes the files of a recording.

    Args:
      recorder: what is done.
      stem: path of the files without an ending.
      parts: the folder of those frames that are on disk.
      frames: at least one.
      failure: what ended the recording too early; else ''.

    Raises:
      UserError: the disk is full.
    """
    raw = video_tracks.of_frames(frames, video_header.USUAL_FPS)
    tracks = video_tracks.finished_live(raw, recorder.finish)
    result = VideoResult(tracks, failure, {})
    try:
        own = FilesOfResult(stem, recorder.endings, recorder.formats)
        sentences = video_results.write(own, tracks, None, None)
    except DiskFullError as error:
        command = f'`python -m capf_jax.predict camera:{recorder.number}` with the same --output'
        stored = sum(1 for _ in track_parts.read(parts))
        kept = f'{stored} of {len(frames)} frames are kept in {parts}, and {command} writes them'
        raise UserError(
            f'the disk of {recorder.folder} is full: make room there; '
            + (f'{kept} before it records' if stored else 'nothing of the recording is kept')
        ) from error
    for sentence in sentences:
        print(sentence)
    print(video_command.words(stem.name, result, stem))

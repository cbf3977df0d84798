"""A whole video: its frames to people, kept on disk part by part, then finished.

`predict_file` is what the command and `Estimator.predict` run.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from capf_jax.errors import UserError
from capf_jax.inference import person_boxes
from capf_jax.inference.formats.pictures import Pictures
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.sources import Picture
from capf_jax.inference.tracks import Tracks
from capf_jax.inference.video import (
    part_settings,
    sequence_people,
    temporary_parts,
    track_parts,
    video_frames,
    video_header,
    video_options,
    video_people,
    video_tracks,
)
from capf_jax.inference.video.track_parts import StoredFrame
from capf_jax.inference.video.video_frames import CutShortError, Frame, FrameChoice
from capf_jax.inference.video.video_people import VideoModels
from capf_jax.inference.video.video_tracks import Finish

PARTS = '.parts'  # what the folder of a video's parts has behind the result's name


@dataclasses.dataclass(frozen=True, eq=False)
class VideoRun:
    """What is done with every video.

    Attributes:
      predictor: networks, camera and settings.
      choice: which frames are taken.
      finish: what comes behind them.
    """

    predictor: Predictor
    choice: FrameChoice = dataclasses.field(default_factory=FrameChoice)
    finish: Finish = dataclasses.field(default_factory=Finish)


@dataclasses.dataclass(frozen=True, eq=False)
class VideoResult:
    """What came of one video.

    Attributes:
      tracks: its people.
      failure: what is wrong with the video, in a sentence, where it ended too early; else ''.
      seconds: by stage, what each took.
      note: what the user may not have meant, a sentence a line; else ''.
    """

    tracks: Tracks
    failure: str
    seconds: dict[str, float]
    note: str = ''


def predict_file(
    path: pathlib.Path,
    run: VideoRun,
    parts: pathlib.Path | None = None,
    *,
    shows_progress: bool = False,
    settings: dict[str, Any] | None = None,
) -> VideoResult:
    """The tracks of a video file.

    Args:
      path: the video.
      run: what is done.
      parts: the folder for parts, with which an interrupted run goes on and which stays; None for
        a temporary one.
      shows_progress: whether to show a bar with the time left.
      settings: further ones that the parts depend on, such as the weights.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it is no video, has no frame, or the disk is full.
    """
    info = video_header.probe(path)
    with contextlib.ExitStack() as stack:
        if parts is None:
            parts = stack.enter_context(temporary_parts.folder(path.name))
        return _predict_into(path, run, info, parts, shows_progress, settings or {})


def _predict_into(
    path: pathlib.Path,
    run: VideoRun,
    info: video_header.VideoInfo,
    parts: pathlib.Path,
    shows_progress: bool,
    settings: dict[str, Any],
) -> VideoResult:
    settings = part_settings.of(path, run.predictor, run.choice) | settings
    begin = track_parts.prepare(parts, settings)
    first = begin.frame
    for sentence in part_settings.words_of_start(begin, parts, settings) if shows_progress else ():
        print(f'{path.name}: {sentence}')
    models, back = run.predictor.models, 0
    if models.lifts_sequences:  # Windows look back at frames whose people are stored already.
        back = sequence_people.reach(models.lifter) * run.choice.stride
    choice = dataclasses.replace(run.choice, first=max(first - back, 0))
    seconds: collections.defaultdict[str, float] = collections.defaultdict(float)
    failure = ''
    start = time.perf_counter()
    bar = tqdm(
        total=info.number_of_frames(run.choice),
        initial=begin.stored,
        unit=' frames',
        desc=path.name,
        disable=not shows_progress,
    )
    with bar, track_parts.PartsWriter(parts, begin.part) as writer:
        try:
            with contextlib.closing(video_frames.read(path, choice)) as frames:
                for one in _people(frames, path, run.predictor, seconds):
                    frame = one.frame
                    if frame.number < first:
                        continue
                    began = time.perf_counter()
                    writer.append(StoredFrame(frame.number, frame.time, one.people, one.colours))
                    seconds['store'] += time.perf_counter() - began
                    bar.update()
        except CutShortError as error:
            failure = str(error)
    stored = begin.stored + writer.frames
    if failure and not stored:
        raise UserError(failure)
    raw = video_tracks.of_frames(track_parts.read(parts, stored), info.fps / run.choice.stride)
    began = time.perf_counter()
    finish = video_options.with_up(run.finish, run.predictor.cameras, str(path))
    finished = video_tracks.finished(raw, finish)
    seconds['finish'] += time.perf_counter() - began
    seconds['all'] += time.perf_counter() - start
    notes = [] if failure else [_note(path, info, run.choice, finished.times)]
    if run.predictor.finder is not None:
        most = int(raw.present.sum(axis=0).max(initial=0))
        words = person_boxes.words_of_most(run.predictor.finder(), most)
        notes += [f'{path.name}: {words}'] if words else []
    note = '\n'.join(filter(None, notes))
    return VideoResult(finished, failure, seconds, note)


def _note(
    path: pathlib.Path, info: video_header.VideoInfo, choice: FrameChoice, times: np.ndarray
) -> str:
    """A sentence where a whole video ends before the range of time does; else ''."""
    stop = np.inf if choice.stop is None else choice.stop
    end = max(info.seconds or 0.0, times[-1] + choice.stride / info.fps)
    if not np.isfinite(stop) or end >= stop - video_header.slack(info.fps):
        return ''
    return (
        f'{path.name} ends at {end:.2f} s, before the {stop:g} s of the time range; all frames to '
        'its end are taken'
    )


def _people(
    frames: Iterator[Frame],
    path: pathlib.Path,
    predictor: Predictor,
    seconds: dict[str, float],
) -> Iterator[video_people.FramePeople]:
    """The people of each frame, by the camera that the first one has."""
    first = next(frames, None)
    if first is None:
        return
    video = video_models(predictor, first, str(path))
    frames = _chain(first, frames)
    if video.models.lifts_sequences:
        yield from sequence_people.people_of(frames, video, seconds=seconds)
        return
    at_once = video_people.frames_at_once()
    yield from video_people.people_of(frames, video, at_once=at_once, seconds=seconds)


def _chain(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest


def video_models(predictor: Predictor, first: Frame, path: str) -> VideoModels:
    """Networks and the one camera of a video, as its first frame tells it.

    Raises:
      UserError: the networks or the calibration do not fit.
    """
    video_people.check(predictor.models)
    if predictor.finder is None:
        raise UserError('a video needs a finder of people; give one')
    return VideoModels(
        predictor.models,
        predictor.finder(),
        predictor.cameras.camera(Picture(first.pixels), path),
        pathlib.PurePath(path).name,
        predictor.height,
        predictor.flip_test,
        predictor.least_confidence,
    )


def pictures_of(path: pathlib.Path, choice: FrameChoice, tracks: Tracks) -> Pictures:
    """The pictures of the frames of tracks, decoded anew wherever they are asked for."""
    numbers = {*tracks.frames.tolist()}

    def pictures() -> Iterator[np.ndarray]:
        with (
            contextlib.suppress(CutShortError),
            contextlib.closing(video_frames.read(path, choice)) as frames,
        ):
            yield from (frame.pixels for frame in frames if frame.number in numbers)

    return pictures

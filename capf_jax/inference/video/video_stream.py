"""People of a camera or a video while its frames come: numbered over time, and smoothed."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
import sys
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.inference.people import People
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.video import camera_frames, sequence_people, video_frames, video_people
from capf_jax.inference.video.person_tracking import KnownPeople, Tracker
from capf_jax.inference.video.smoothing import OneEuro, Smoothing
from capf_jax.inference.video.video_frames import Frame
from capf_jax.inference.video.video_people import FramePeople, VideoModels
from capf_jax.inference.video.video_prediction import video_models


@dataclasses.dataclass(frozen=True, eq=False)
class Live:
    """One frame of a stream.

    Attributes:
      frame: with its pixels.
      people: with ids that stay over time, smoothed.
      colours: [N, K, 3] of each (`person_colours`).
      delay: seconds from the picture to its people, with the wait for later frames of a lifter of
        centred windows.
    """

    frame: Frame
    people: People
    colours: np.ndarray
    delay: float


def stream(
    source: Any,
    predictor: Predictor,
    smoothing: Smoothing,
    open_frames: Callable[[Any], Generator[Frame, None, None]] | None = None,
) -> Generator[Live, None, None]:
    """People of a camera or a video while they come, with ids, smoothed by the 1 EUR filter.

    What is asked for is checked at once; the source is opened when the first frame is asked for. At
    the end, also by an error, the measured delay from picture to pose is printed.

    Args:
      source: 'camera:0' or a video file.
      predictor: networks and settings.
      smoothing: 'one_euro' or 'none'; the others need later frames.
      open_frames: gives the frames of the source; None for the camera or file.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: no camera, no video, or a smoothing that needs later frames.
    """
    if smoothing.name not in ('one_euro', 'none'):
        raise UserError(
            f'{smoothing.name!r} smooths with later frames, which a stream does not have yet; '
            "take 'one_euro' or 'none'"
        )
    _check_source(source)
    return _lives(source, predictor, smoothing, open_frames or _open)


def _check_source(source: Any) -> None:
    """UserError unless it is a name."""
    if isinstance(source, int):
        raise UserError(f'{source} is no source of a stream; write {camera_frames.PREFIX}{source}')
    if not isinstance(source, (str, os.PathLike)):
        raise UserError(
            f"a stream is of one camera, such as 'camera:0', or of one video file, not of a "
            f'{type(source).__name__}; call stream once for each'
        )
    camera_frames.number_of(source)


def _lives(
    source: str | os.PathLike,
    predictor: Predictor,
    smoothing: Smoothing,
    open_frames: Callable[[Any], Generator[Frame, None, None]],
) -> Generator[Live, None, None]:
    delays: list[float] = []
    try:
        with contextlib.closing(open_frames(source)) as frames:
            for live in _stream(frames, str(source), predictor, smoothing):
                delays.append(live.delay)
                yield live
    finally:
        if delays:
            print(delay_words(delays), file=sys.stderr)


def delay_words(delays: list[float]) -> str:
    """What the measured delays were, seconds, in a line for the user."""
    # The first frames wait for programs to be compiled.
    usual = np.sort(delays[min(3, len(delays) - 1) :]) * 1000
    return (
        f'delay from picture to pose: {np.median(usual):.0f} ms, '
        f'95% under {np.percentile(usual, 95):.0f} ms ({len(delays)} frames)'
    )


def _open(source: Any) -> Generator[Frame, None, None]:
    number = camera_frames.number_of(source)
    return video_frames.read(pathlib.Path(source)) if number is None else camera_frames.read(number)


def _stream(
    frames: Iterator[Frame], source: str, predictor: Predictor, smoothing: Smoothing
) -> Iterator[Live]:
    arriving = (
        dataclasses.replace(frame, arrival=time.monotonic()) if frame.arrival is None else frame
        for frame in frames
    )
    first = next(arriving, None)
    if first is None:
        return
    filters, video = _LiveSmoothing(smoothing), video_models(predictor, first, source)
    for one in _numbered(itertools.chain([first], arriving), video):
        assert one.frame.arrival is not None
        people = filters(one.people, one.frame.time)
        yield Live(one.frame, people, one.colours, time.monotonic() - one.frame.arrival)


def _numbered(frames: Iterator[Frame], video: VideoModels) -> Iterator[FramePeople]:
    """The people of each frame, with ids that stay over time."""
    if video.models.lifts_sequences:
        yield from sequence_people.people_of(frames, video)
        return
    tracker, known = Tracker(), KnownPeople()
    for one in video_people.people_of(frames, video):
        numbers = tracker.update(one.people, one.colours, one.frame.time)
        # A stream cannot wait whether a tracklet will be seen often, so that all of them count.
        ids = np.array([known.id_of(tracker.known[n]) for n in numbers], np.int64)
        yield dataclasses.replace(one, people=dataclasses.replace(one.people, ids=ids))


class _LiveSmoothing:
    """The 1 EUR filter of everyone's 2D joints, pose and root; whoever was absent begins anew."""

    def __init__(self, smoothing: Smoothing) -> None:
        self._smoothing = smoothing
        self._filters: dict[int, tuple[OneEuro, OneEuro, OneEuro]] = {}

    def __call__(self, people: People, time: float) -> People:
        """The people of the next frame, smoothed."""
        if self._smoothing.name == 'none':
            return people
        here = {int(one) for one, valid in zip(people.ids, people.valid, strict=True) if valid}
        self._filters = {one: own for one, own in self._filters.items() if one in here}
        arrays = {name: np.array(getattr(people, name)) for name in ('joints2d', 'pose', 'root')}
        for n in np.flatnonzero(people.valid):
            own = self._filters.setdefault(
                int(people.ids[n]),
                (
                    self._smoothing.live(float(people.boxes[n, 2:].max()) / 1.7),
                    self._smoothing.live(),
                    self._smoothing.live(),
                ),
            )
            for (name, array), keep in zip(arrays.items(), own, strict=True):
                array[n] = keep(getattr(people, name)[n], time)
        return dataclasses.replace(people, **arrays)

"""How fast videos become people over time: end to end, by stage, live, and in how much memory.

    python -m benchmarks.run video
    python -m benchmarks.run video --frames=20

Videos of 1920x1080 pixels show one or four people, who stand still (the pictures in examples/, as
H.264). Times are without the compilation, with the finished files on disk. The live delay is that
of one person, from the moment a frame is there. The memory is that of a small video of 10,000
frames, with a person in each fifth, after a tenth of it and at the end: it must not
grow with the video. Processor time, of all cores together, says more than the clock where other
programs run.

Flags: `frames` of each large video (default 40), `many` frames of the small one (default 10000; 0
leaves it out), `weights` of a lifter (default pretrained/photographs.safetensors).
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import resource
import tempfile
import time
from collections.abc import Generator, Iterator
from fractions import Fraction

import cv2
import numpy as np

from benchmarks.machine import Row
from capf_jax.errors import UserError
from capf_jax.inference import predictor
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.people_finder import PicturePeople
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.video import (
    video_frames,
    video_prediction,
    video_results,
    video_stream,
)
from capf_jax.inference.video.smoothing import Smoothing
from capf_jax.inference.video.video_frames import Frame, FrameChoice
from capf_jax.inference.video.video_prediction import VideoRun
from capf_jax.inference.video.video_results import FilesOfResult

EXAMPLES = pathlib.Path(__file__).resolve().parents[1] / 'examples'
SIZE = (1920, 1080)
GOALS = {1: 12.0, 4: 5.0}  # frames a second, by people
DELAY = 0.15  # seconds, the goal of the live delay
SMALL = (160, 120)
_FIRST = 3  # frames whose live delay does not count


def rows(
    frames: str = '40', many: str = '10000', weights: str = str(predictor.LIFTER)
) -> Iterator[Row]:
    """Frames a second with one and four people, the share of each stage, delay and memory.

    Raises:
      UserError: the videos are too short to measure.
    """
    number, long = _whole('frames', frames, _FIRST + 1), _whole('many', many, 10, or_none=True)
    models = Models.of(Estimator.load(weights, largest_batch=1))
    run = VideoRun(Predictor(models, finder=predictor.default_finder))
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        for people, pixels in ((1, _one()), (4, _four())):
            path = _write(folder / f'{people}.mp4', [pixels] * number)
            # The first frames compile the networks.
            video_prediction.predict_file(
                path, dataclasses.replace(run, choice=FrameChoice(stop=0.1))
            )
            start, busy = time.perf_counter(), time.process_time()
            result = video_prediction.predict_file(path, run)
            video_results.write(FilesOfResult(folder / str(people)), result.tracks, None, None)
            each = (time.perf_counter() - start) / number
            busy = (time.process_time() - busy) / number
            seen = len(result.tracks)
            yield Row(
                f'1080p, {people} {"person" if people == 1 else "people"}',
                each,
                note=f'{1 / each:.1f} frames a second, goal {GOALS[people]:g}; {seen} seen; '
                f'{1000 * busy:.0f} ms of processor time',
            )
            for stage, seconds in result.seconds.items():
                if stage != 'all':
                    share = 100 * seconds / result.seconds['all']
                    yield Row(f'  {stage}', seconds / number, note=f'{share:.0f}%')
        yield _delay(run.predictor, folder / '1.mp4')
        if long:
            yield _memory(run, folder, long)


def _whole(flag: str, text: str, least: int, or_none: bool = False) -> int:
    """The whole number of a flag; UserError where it is no such number or too small to measure."""
    number = int(text) if text.isdecimal() else -1
    if number >= least or (or_none and number == 0):
        return number
    none = ', or 0 for none' if or_none else ''
    raise UserError(
        f'--{flag} is {text!r}: measuring takes a whole number of at least {least} frames{none}'
    )


def _one() -> np.ndarray:
    """A picture of one person, [H, W, 3] RGB of SIZE."""
    person = cv2.imread(str(EXAMPLES / 'balancing.jpg'))[..., ::-1]
    scale = SIZE[1] / person.shape[0]
    small = cv2.resize(person, (round(person.shape[1] * scale), SIZE[1]))
    canvas = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    left = (SIZE[0] - small.shape[1]) // 2
    canvas[:, left : left + small.shape[1]] = small
    return canvas


def _four() -> np.ndarray:
    """A picture of four people, [H, W, 3] RGB of SIZE."""
    pair = cv2.imread(str(EXAMPLES / 'two_people.jpg'))[..., ::-1]
    pair = cv2.resize(pair, (SIZE[0] // 2, SIZE[0] // 2))
    both = np.concatenate([pair, pair[:, ::-1]], axis=1)
    canvas = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    canvas[: both.shape[0]] = both
    return canvas


def _write(path: pathlib.Path, frames: list[np.ndarray], fps: int = 25) -> pathlib.Path:
    """A video in H.264 of these frames."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=fps, options={'preset': 'veryfast'})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = 'yuv420p'
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _delay(people_of: Predictor, path: pathlib.Path) -> Row:
    """The live delay, of frames that come as soon as the one before is done."""

    def frames(source: object) -> Generator[Frame, None, None]:
        with contextlib.closing(video_frames.read(path)) as decoded:
            for frame in decoded:
                yield dataclasses.replace(frame, arrival=time.monotonic())

    stream = video_stream.stream('live', people_of, Smoothing('one_euro'), frames)
    busy = time.process_time()
    delays = [live.delay for live in stream]
    busy = (time.process_time() - busy) / len(delays)
    counted = delays[_FIRST:]
    return Row(
        'live delay, 1 person',
        float(np.median(counted)),
        note=f'95% under {1000 * np.percentile(counted, 95):.0f} ms, goal {1000 * DELAY:g} ms; '
        f'{1000 * busy:.0f} ms of processor time',
    )


class _Sparse:
    """A finder that finds one person in each fifth frame, and notes the memory in use."""

    def __init__(self, many: int) -> None:
        self.calls, self.when, self.megabytes = 0, (many // 10, many), []

    def find(self, image: np.ndarray) -> PicturePeople:
        """One person or nobody."""
        self.calls += 1
        if self.calls in self.when:
            pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
            self.megabytes.append(pages * resource.getpagesize() / 1e6)
        number = int(self.calls % 5 == 0)
        return PicturePeople(
            np.tile([40.0, 10.0, 60.0, 90.0], (number, 1)), np.full(number, 0.9), None, None
        )


def _memory(run: VideoRun, folder: pathlib.Path, many: int) -> Row:
    """The memory in use after few frames, and after many."""
    noise = np.random.default_rng(0).integers(0, 256, (SMALL[1], SMALL[0], 3), np.uint8)
    path = _write(folder / 'long.mp4', [noise] * many, 60)
    finder = _Sparse(many)
    sparse = dataclasses.replace(
        run, predictor=dataclasses.replace(run.predictor, finder=lambda: finder)
    )
    start = time.perf_counter()
    video_prediction.predict_file(path, sparse)
    seconds = time.perf_counter() - start
    early, late = finder.megabytes
    return Row(
        f'{many} small frames',
        seconds / many,
        note=f'{early:.0f} MB in use at frame {many // 10}, {late:.0f} MB at frame {many}',
    )

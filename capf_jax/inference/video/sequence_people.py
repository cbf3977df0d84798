"""From the frames of a video or a camera to the people of each, by a lifter of sequences.

Each person has a memory of its own: the tokens of its last frames, so that a new frame is encoded
once and not in each of its windows. The memory is the tracklet's (`person_tracking`). It begins
with the person's first frame, repeated as training pads windows, and ends with the last one before
the person is not found in a frame: whoever comes back begins anew, and no window crosses a gap.
Frames that a camera leaves out because nobody asked for them in time are no gap; the frames that
come are neighbours.

A pose belongs to the target of its window. Where that is the middle frame, frames wait for those
behind them, and each leaves with its own people.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from capf_jax.inference import live_tokens, photographs, streaming
from capf_jax.inference.aiming import LEAST_TO_AIM, Aimed
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.people import People
from capf_jax.inference.photograph_camera import undistorted
from capf_jax.inference.streaming import Memory
from capf_jax.inference.video import person_colours, video_people
from capf_jax.inference.video.person_tracking import KnownPeople, Tracker
from capf_jax.inference.video.video_frames import CutShortError, Frame
from capf_jax.inference.video.video_people import FramePeople, VideoModels, Watch
from capf_jax.pose import viewing_ray


def people_of(
    frames: Iterable[Frame], video: VideoModels, *, seconds: dict[str, float] | None = None
) -> Iterator[FramePeople]:
    """The people of each frame in turn, with ids that stay over time.

    Args:
      frames: all of one size.
      video: networks and settings, of which the lifter is one of sequences.
      seconds: where the time of each stage is added up.

    Raises:
      UserError: the networks cannot do it.
      CutShortError: the frames ended too early; those before were given.
    """
    watch = Watch(seconds)
    windows, failure = _Windows(video, watch), None
    coming = watch.each('decode', frames)
    while True:
        try:
            frame = next(coming, None)
        except CutShortError as error:
            frame, failure = None, error
        if frame is None:
            break
        yield from windows.add(frame)
    yield from windows.finish()
    if failure is not None:
        raise failure


def reach(lifter: Estimator) -> int:
    """How many frames before a frame its poses depend on."""
    stream = streaming.open_stream(lifter)
    return stream.length - 1 - stream.delay


@dataclasses.dataclass(frozen=True, eq=False)
class _Waiting:
    """A frame whose poses are to come.

    Attributes:
      frame: with its pixels.
      aimed: the people's crops and joints.
      boxes: [N, 4] of each, pixels of the frame as it is shown.
      colours: [N, K, 3] of each.
      numbers: [N], of the tracklets.
      ids: [N], of the people.
      pose: [N, J, 3] metres, the lifter's; NaN until they are there.
    """

    frame: Frame
    aimed: Aimed
    boxes: np.ndarray
    colours: np.ndarray
    numbers: np.ndarray
    ids: np.ndarray
    pose: np.ndarray

    def set(self, number: int, pose: np.ndarray) -> None:
        """Sets the pose of a tracklet's person."""
        self.pose[self.numbers == number] = pose


class _Windows:
    """The memories of all people who are in sight, and the frames that wait for their poses."""

    def __init__(self, video: VideoModels, watch: Watch) -> None:
        self._video, self._watch = video, watch
        self._stream = streaming.open_stream(video.models.lifter, flip_test=video.flip_test)
        self._tracker, self._known = Tracker(), KnownPeople()
        self._memories: dict[int, Memory] = {}
        self._waiting: collections.deque[_Waiting] = collections.deque()

    def add(self, frame: Frame) -> Iterator[FramePeople]:
        """Takes the next frame; gives the one whose poses are complete by it, if any."""
        new, tokens = self._encoded(frame)
        self._end([number for number in self._memories if number not in new.numbers])
        self._waiting.append(new)
        for number, one in zip(new.numbers.tolist(), tokens, strict=True):
            memory = self._memories.get(number, streaming.START)
            memory, pose = self._watch('lift', self._stream.advance, memory, one)
            self._memories[number] = memory
            if pose is not None:
                self._waiting[-1 - self._stream.delay].set(number, pose)
        if len(self._waiting) > self._stream.delay:
            yield self._finished(self._waiting.popleft())

    def finish(self) -> Iterator[FramePeople]:
        """The frames that still wait when no frame comes any more."""
        self._end(list(self._memories))
        while self._waiting:
            yield self._finished(self._waiting.popleft())

    def _end(self, numbers: list[int]) -> None:
        """Lifts what is still to come of people who are in sight no longer, and forgets them."""
        for number in numbers:
            poses = self._watch('lift', self._stream.finish, self._memories.pop(number))
            last = list(self._waiting)[len(self._waiting) - len(poses) :]
            for waiting, pose in zip(last, poses, strict=True):
                waiting.set(number, pose)

    def _encoded(self, frame: Frame) -> tuple[_Waiting, np.ndarray]:
        """A frame with its people, and the tokens of each; see `live_tokens.encode`."""
        video, watch = self._video, self._watch
        flat = watch('undistort', undistorted, frame.pixels, video.camera.camera)
        aimed, boxes = watch('find', video_people.aim, flat, video)
        tokens, aimed = watch('encode', live_tokens.encode, flat, aimed, video.models, self._stream)
        # Two crops may have shown one person.
        chosen = photographs.distinct(aimed, boxes, boxes[:, 2] * boxes[:, 3], 0.0)
        aimed, boxes = aimed.select(chosen), boxes[chosen]
        pose = np.full((len(boxes), len(video.models.lifter.skeleton), 3), np.nan)
        # Who is who is told without the distance from the camera, which comes with the pose.
        people = self._placed(frame, aimed, boxes, pose)
        colours = person_colours.colours_of(
            frame.pixels, people.joints2d, people.confidence >= LEAST_TO_AIM, people.skeleton
        )
        numbers = self._tracker.update(people, colours, frame.time)
        # Nobody can wait whether a tracklet will be seen often, so that all of them count.
        ids = np.array([self._known.id_of(self._tracker.known[n]) for n in numbers], np.int64)
        waiting = _Waiting(frame, aimed, boxes, colours, numbers, ids, pose)
        return waiting, tokens[chosen]

    def _finished(self, one: _Waiting) -> FramePeople:
        people = self._watch('place', self._placed, one.frame, one.aimed, one.boxes, one.pose)
        times = np.full(len(people), one.frame.time)
        people = dataclasses.replace(people, ids=one.ids, time=times)
        return FramePeople(one.frame, people, one.colours)

    def _placed(self, frame: Frame, aimed: Aimed, boxes: np.ndarray, pose: np.ndarray) -> People:
        if len(pose):
            pose = viewing_ray.to_camera(pose, np.stack([view.rotation for view in aimed.views]))
        return video_people.place(frame, pose, aimed, boxes, self._video)

"""From the frames of a video to the people of each: found, lifted and placed, frame by frame.

A photograph's stages, with one difference: a person's crop lies around the joints that the finder
gives together with the box, so that the detector runs once a person and not twice, and no frame
waits for the one before. On a GPU several frames are one batch, of the finder and of the lifter.
Lens distortion and the camera are those of the whole video. Who is who comes later,
`person_tracking`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Sequence

import jax
import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.inference import aiming, photographs
from capf_jax.inference.aiming import FEWEST_TO_AIM, LEAST_TO_AIM, Aimed
from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.people import People
from capf_jax.inference.person_boxes import (
    Candidates,
    Finder,
    distorted_boxes,
    find_people,
    find_people_of_all,
    undistorted_corners,
)
from capf_jax.inference.photograph_camera import PhotographCamera, undistorted
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.video import person_colours
from capf_jax.inference.video.video_frames import Frame
from capf_jax.pose import joint_conversions

AT_ONCE = 8  # frames whose people are found and lifted together where batches are faster


@dataclasses.dataclass(frozen=True, eq=False)
class FramePeople:
    """The people of one frame.

    Attributes:
      frame: with its pixels.
      people: their `ids` count from 0 in each frame and mean nothing over time.
      colours: [N, K, 3], of each (`person_colours`).
    """

    frame: Frame
    people: People
    colours: Float[np.ndarray, 'N K 3']


@dataclasses.dataclass(frozen=True, eq=False)
class VideoModels:
    """What turns frames into people, all of it fixed for one video.

    Attributes:
      models: the networks.
      finder: finds the people.
      camera: of the video.
      source: name of the video.
      height: metres; everyone is scaled to this standing height; None leaves them.
      flip_test: average with the prediction for the mirrored person.
      least_confidence: mean confidence of a person's joints below which it is left out.
    """

    models: Models
    finder: Finder
    camera: PhotographCamera
    source: str = ''
    height: float | None = None
    flip_test: bool = True
    least_confidence: float = photographs.LEAST_CONFIDENCE


def frames_at_once() -> int:
    """How many frames' people are found and lifted together: on a CPU, batches are no faster."""
    return 1 if jax.default_backend() == 'cpu' else AT_ONCE


def people_of(
    frames: Iterable[Frame],
    video: VideoModels,
    *,
    at_once: int = 1,
    seconds: dict[str, float] | None = None,
) -> Iterator[FramePeople]:
    """The people of each frame in turn.

    Args:
      frames: all of one size.
      video: networks and settings.
      at_once: frames that are taken together.
      seconds: where the time of each stage is added up.

    Raises:
      UserError: the networks cannot do it.
    """
    watch = Watch(seconds)
    waiting: list[Frame] = []
    for frame in watch.each('decode', frames):
        waiting.append(frame)
        if len(waiting) == at_once:
            yield from _people_of(waiting, video, watch)
            waiting = []
    if waiting:
        yield from _people_of(waiting, video, watch)


def _people_of(frames: Sequence[Frame], video: VideoModels, watch: Watch) -> Iterator[FramePeople]:
    """The people of some frames, found and lifted together."""
    camera = video.camera
    flat = [watch('undistort', undistorted, frame.pixels, camera.camera) for frame in frames]
    candidates = watch('find', find_people_of_all, flat, video.finder)
    aims = [
        watch('find', aim_at, pixels, ones, video)
        for pixels, ones in zip(flat, candidates, strict=True)
    ]
    together = _joined([aimed for aimed, _ in aims])
    pixels = [one for one, (aimed, _) in zip(flat, aims, strict=True) for _ in aimed.views]
    pose, lifted = watch(
        'lift',
        photographs.lift,
        pixels if pixels else flat[0],
        together,
        video.models,
        flip_test=video.flip_test,
    )
    start = 0
    for frame, (aimed, boxes) in zip(frames, aims, strict=True):
        rows = np.arange(start, start + len(aimed.views))
        start += len(rows)
        yield watch('place', _placed, frame, pose[rows], lifted.select(rows), boxes, video)


def aim(pixels: np.ndarray, video: VideoModels) -> tuple[Aimed, np.ndarray]:
    """The crops around the people of an undistorted frame, and their boxes as it is shown."""
    return aim_at(pixels, find_people(pixels, video.finder), video)


def aim_at(
    pixels: np.ndarray, candidates: Candidates, video: VideoModels
) -> tuple[Aimed, np.ndarray]:
    """`aim` at the people whom the finder gives."""
    boxes = distorted_boxes(candidates.boxes, video.camera)
    aimed = _aim_at_candidates(candidates, video)
    if aimed is None:
        corners = undistorted_corners(boxes, video.camera)
        aimed = aiming.aim(pixels, corners, video.camera, video.models)
    chosen = photographs.distinct(aimed, boxes, candidates.scores, video.least_confidence)
    return aimed.select(chosen), boxes[chosen]


def _aim_at_candidates(candidates: Candidates, video: VideoModels) -> Aimed | None:
    """The crops around the finder's joints; None where these do not suffice.

    A lifter that does not detect joints on its own crop lifts those of a detector, which the
    finder's, of a smaller picture, cannot replace.
    """
    skeleton = getattr(video.finder, 'skeleton', None)
    joints, confidence = candidates.joints2d, candidates.confidence
    if joints is None or confidence is None or skeleton is None:
        return None
    if not video.models.lifts_own_joints:
        return None
    if ((confidence >= LEAST_TO_AIM).sum(axis=1) < FEWEST_TO_AIM).any():
        return None
    lifter = video.models.lifter.skeleton.name
    if (skeleton.name, lifter) not in joint_conversions.RULES and skeleton.name != lifter:
        return None
    of_finder = GivenJoints(skeleton.name, joints, confidence)
    conversion = joint_conversions.get(skeleton.name, lifter)  # It aims the crop alone.
    return aiming.aim_at_joints(of_finder, video.camera, video.models, conversion)


def _joined(aims: Sequence[Aimed]) -> Aimed:
    return Aimed(
        tuple(view for aimed in aims for view in aimed.views),
        np.concatenate([aimed.joints2d for aimed in aims]),
        np.concatenate([aimed.confidence for aimed in aims]),
    )


def place(
    frame: Frame, pose: np.ndarray, aimed: Aimed, boxes: np.ndarray, video: VideoModels
) -> People:
    """`photographs.place` of the N people of a frame, with the settings of the video.

    Args:
      frame: that shows them.
      pose: [N, J, 3] metres, in the camera's frame, of the lifter; NaN where none is there.
      aimed: their crops and joints.
      boxes: [N, 4], pixels of the frame.
      video: networks and settings.
    """
    return photographs.place(
        pose,
        aimed,
        boxes,
        video.camera,
        video.models,
        image_size=frame.size,
        source=video.source,
        height=video.height,
        least_confidence=video.least_confidence,
    )


def _placed(
    frame: Frame, pose: np.ndarray, aimed: Aimed, boxes: np.ndarray, video: VideoModels
) -> FramePeople:
    people = place(frame, pose, aimed, boxes, video)
    # Two crops may have shown one person.
    areas = people.boxes[:, 2] * people.boxes[:, 3]
    chosen = photographs.distinct(aimed, people.boxes, areas, 0.0)
    people = people.select(chosen)
    people = dataclasses.replace(people, time=np.full(len(people), frame.time))
    colours = person_colours.colours_of(
        frame.pixels, people.joints2d, people.confidence >= LEAST_TO_AIM, people.skeleton
    )
    return FramePeople(frame, people, colours)


class Watch:
    """Adds up how long each stage takes, in the dict that it is given."""

    def __init__(self, seconds: dict[str, float] | None) -> None:
        self._seconds = {} if seconds is None else seconds

    def __call__(self, stage, function, *args, **kwargs):
        """What the function returns."""
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent = time.perf_counter() - start
            self._seconds[stage] = self._seconds.get(stage, 0.0) + spent

    def each(self, stage, values):
        """The values, whose waiting is the stage's time."""
        iterator = iter(values)
        while True:
            try:
                value = self(stage, next, iterator)
            except StopIteration:
                return
            yield value


def check(models: Models) -> None:
    """UserError unless the networks can make people of a video."""
    models.check_detector()
    if models.lifter.skeleton.name != 'h36m17':
        raise UserError(
            f'{models.lifter.path} lifts {models.lifter.skeleton.name!r}; people of videos are '
            "followed by the joints of 'h36m17': give weights of these"
        )

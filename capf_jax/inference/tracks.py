"""`Tracks`: the people of a whole video over time, each with a number of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference.people import AXES, People
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera
from capf_jax.pose.skeletons import SURE

UNIT = 'm'
_ROUNDING = 0.0011  # seconds: Matroska and others have times in whole milliseconds


@dataclasses.dataclass(frozen=True, eq=False)
class Tracks:
    """P people in T frames of one video; P and T may be 0.

    The arrays are brought to the types below and checked when a `Tracks` is made. Where a person is
    absent from a frame, its numbers are NaN, `confidence` is 0 and `valid` False. A person who was
    seen, but whose pose has no meaning, has a box and 2D joints, and `valid` is False, too.

    Attributes:
      fps: of these frames, how many there are for each second of the video's own time, the mean
        where they vary; > 0. It is taken from `times`; of a single frame it is what was given.
      times: [T] float64, seconds from the video's first frame, increasing.
      frames: [T] int64, the number of each frame in the video from 0, increasing; with a stride
        or a range of time they have gaps.
      ids: [P] int64, the number of each person, all different.
      joints3d: [P, T, J, 3] float64 metres along `axes`. Along 'camera' the camera is the origin.
        Along 'y_up' and 'z_up' the origin is the camera, too, unless `camera.position` says where
        the camera is; the origin then lies on the floor.
      joints2d: [P, T, J, 2] float64, pixels of the whole image as it is shown, lens and all.
      confidence: [P, T, J] float64, how sure the detector is of each 2D joint, 0 to 1.
      root: [P, T, 3] float64 metres, the place of the root joint along `axes`.
      valid: [P, T] bool, whether the pose has a meaning; `joints3d` is then finite.
      boxes: [P, T, 4] float64, x, y, width and height, pixels of the whole image.
      skeleton: the name of the skeleton of `joints3d` and `joints2d`, such as 'h36m17'.
      camera: with `intrinsics` and `distortion`. Where `axes` is not 'camera', its `rotation` turns
        vectors along `axes` into those of the camera frame, and its `position`, metres along
        `axes`, is the camera's place, or None at the origin. Along 'camera' it keeps neither.
      camera_assumed: whether the intrinsics are a guess, so that distances are one too.
      camera_origin: in words, where the intrinsics come from.
      image_size: (width, height) of the video as it is shown, pixels.
      source: the file name of the video, without folders.
      axes: a name of `people.AXES`.
    """

    fps: float
    times: Float[np.ndarray, ' T']
    frames: Int[np.ndarray, ' T']
    ids: Int[np.ndarray, ' P']
    joints3d: Float[np.ndarray, 'P T J 3']
    joints2d: Float[np.ndarray, 'P T J 2']
    confidence: Float[np.ndarray, 'P T J']
    root: Float[np.ndarray, 'P T 3']
    valid: Bool[np.ndarray, 'P T']
    boxes: Float[np.ndarray, 'P T 4']
    skeleton: str
    camera: Camera
    camera_assumed: bool
    camera_origin: str
    image_size: tuple[int, int]
    source: str
    axes: str = 'camera'

    def __post_init__(self) -> None:
        """Brings every array to its type.

        Raises:
          UserError: an unknown skeleton or frame; shapes that do not agree; times or frames that
            do not increase; a valid person whose numbers are not finite.
        """
        number, length = len(np.atleast_1d(self.ids)), len(np.atleast_1d(self.times))
        for name, (shape, dtype) in array_shapes(number, length, self.skeleton).items():
            array = np.asarray(getattr(self, name))
            if array.shape != shape or array.dtype.kind not in 'biuf':
                raise UserError(
                    f'{name} of the people in {self.source} is {array.dtype} {list(array.shape)}; '
                    f'it must be numbers {list(shape)}'
                )
            object.__setattr__(self, name, array.astype(dtype, copy=False))
        if self.axes not in AXES:
            raise errors.unknown('axes', self.axes, AXES)
        if self.axes != 'camera' and self.camera.rotation is None:
            raise UserError(
                f'the people in {self.source} have the axes {self.axes!r}, but the camera has no '
                "rotation into them: give the camera's rotation, or the axes 'camera'"
            )
        if self.axes == 'camera':
            object.__setattr__(self, 'camera', self.camera.without_place())
        self._check_fps(self.fps)
        if len(set(self.ids.tolist())) != number:
            raise UserError(f'two people of {self.source} have one number; give each its own')
        for name in ('times', 'frames'):
            if not (np.diff(getattr(self, name)) > 0).all():
                raise UserError(f'{name} of {self.source} do not increase; sort the frames')
        object.__setattr__(self, 'fps', self._rate())
        for name in ('boxes', 'joints2d', 'confidence', 'joints3d', 'root'):
            if not np.isfinite(getattr(self, name)[self.valid]).all():
                raise UserError(
                    f'{name} of a valid person in {self.source} holds NaN or infinity; '
                    'give numbers, or set valid to False'
                )

    def _rate(self) -> float:
        """Frames per second by the times; as given where that agrees, or for a single frame."""
        if len(self.times) < 2:
            return self.fps
        with np.errstate(over='ignore'):
            rate = float((len(self.times) - 1) / (self.times[-1] - self.times[0]))
        self._check_fps(rate)
        span = self.times[-1] - self.times[0]
        agrees = abs((len(self.times) - 1) / self.fps - span) <= _ROUNDING
        return self.fps if agrees else rate

    def _check_fps(self, fps: float) -> None:
        if not (np.isfinite(fps) and fps > 0):
            raise UserError(f'{self.source} has {fps} frames per second; it must be above 0')

    def __len__(self) -> int:
        """The number of people P."""
        return len(self.ids)

    @property
    def unit(self) -> str:
        """The unit of all 3D coordinates."""
        return UNIT

    @property
    def present(self) -> Bool[np.ndarray, 'P T']:
        """Whether each person was seen in each frame, with or without a pose."""
        return np.asarray(np.isfinite(self.boxes).all(axis=-1))

    @property
    def sure(self) -> Bool[np.ndarray, 'P T J']:
        """Whether each joint is sure; pictures draw the others hollow or dashed."""
        return self.confidence >= SURE

    @property
    def joints3d_camera(self) -> Float[np.ndarray, 'P T J 3']:
        """All joints in metres in the camera frame, whatever `axes` is."""
        if self.axes == 'camera':
            return self.joints3d
        position = np.zeros(3) if self.camera.position is None else np.asarray(self.camera.position)
        return (self.joints3d - position) @ np.asarray(self.camera.rotation, np.float64).T

    def people(self, number: int) -> People:
        """Those who were seen in frame `number` of T, as the prediction on a photograph gives them.

        The camera is the origin of their `root`, as of every `People`.
        """
        at = np.flatnonzero(self.present[:, number])
        place = 0.0 if self.camera.position is None else np.asarray(self.camera.position)
        root = self.root[at, number]
        return People(
            ids=self.ids[at],
            time=np.full(len(at), self.times[number]),
            boxes=self.boxes[at, number],
            joints2d=self.joints2d[at, number],
            confidence=self.confidence[at, number],
            joints2d_skeleton=self.skeleton,
            pose=self.joints3d[at, number] - root[:, None],
            root=root - place,
            valid=self.valid[at, number],
            skeleton=self.skeleton,
            camera=dataclasses.replace(self.camera, position=None),
            camera_assumed=self.camera_assumed,
            camera_origin=self.camera_origin,
            image_size=self.image_size,
            source=self.source,
            axes=self.axes,
        )

    def select(self, people: Any = slice(None), frames: Any = slice(None)) -> Tracks:
        """Some of the people in some of the frames.

        Args:
          people: indices, a mask [P] or a slice.
          frames: indices, a mask [T] or a slice.
        """
        chosen: dict[str, Any] = {
            name: getattr(self, name)[people][:, frames]
            for name in ('joints3d', 'joints2d', 'confidence', 'root', 'valid', 'boxes')
        }
        return dataclasses.replace(
            self,
            times=self.times[frames],
            frames=self.frames[frames],
            ids=self.ids[people],
            **chosen,
        )


def array_shapes(
    number: int, length: int, skeleton: str
) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """The arrays of a `Tracks` by name, each with its shape and type.

    Args:
      number: people P.
      length: frames T.
      skeleton: its name.

    Raises:
      UserError: an unknown skeleton.
    """
    joints = len(skeletons.get(skeleton))
    return {
        'times': ((length,), np.float64),
        'frames': ((length,), np.int64),
        'ids': ((number,), np.int64),
        'joints3d': ((number, length, joints, 3), np.float64),
        'joints2d': ((number, length, joints, 2), np.float64),
        'confidence': ((number, length, joints), np.float64),
        'root': ((number, length, 3), np.float64),
        'valid': ((number, length), np.bool_),
        'boxes': ((number, length, 4), np.float64),
    }


def of_people(
    people: Sequence[People],
    *,
    fps: float,
    times: Sequence[float] | np.ndarray | None = None,
    frames: Sequence[int] | np.ndarray | None = None,
) -> Tracks:
    """The tracks of the people of each frame, who are one person where their `ids` are equal.

    Args:
      people: of each frame in turn, at least one, all with one camera and one skeleton; nobody may
        be in a frame.
      fps: frames per second of the video; what the tracks say is taken from `times`.
      times: [T] seconds; None for `frames` over `fps`.
      frames: [T] numbers of the frames in the video; None to count from 0.

    Raises:
      UserError: no frame at all; a frame in which two people have one number; skeletons or cameras
        that differ.
    """
    if not people:
        raise UserError('there are no tracks without a frame; give the people of one at least')
    first, length = people[0], len(people)
    if first.joints2d_skeleton != first.skeleton:
        raise UserError(
            f'the 2D joints of {first.source} are those of {first.joints2d_skeleton!r} and the 3D '
            f'joints those of {first.skeleton!r}; tracks need one skeleton'
        )
    numbers = np.arange(length) if frames is None else np.asarray(frames)
    rows = np.concatenate([np.full(len(one), t) for t, one in enumerate(people)]).astype(int)
    ids, order = np.unique(np.concatenate([one.ids for one in people]), return_inverse=True)
    rows_of = {
        name: np.concatenate([getattr(one, name) for one in people])
        for name in ('joints3d', 'joints2d', 'confidence', 'root', 'valid', 'boxes')
    }
    if len(set(zip(order.tolist(), rows.tolist(), strict=True))) != len(rows):
        raise UserError(f'two people in one frame of {first.source} have one number')
    for one in people:
        if one.skeleton != first.skeleton or one.axes != first.axes:
            raise UserError(f'the frames of {first.source} have different skeletons or axes')
        if not np.allclose(one.camera.intrinsics, first.camera.intrinsics):
            raise UserError(f'the frames of {first.source} have different cameras')
    arrays = {}
    for name, (shape, dtype) in array_shapes(len(ids), length, first.skeleton).items():
        if name not in rows_of:
            continue
        absent = 0 if name in ('confidence', 'valid') else np.nan
        arrays[name] = np.full(shape, absent, dtype)
        arrays[name][order, rows] = rows_of[name]
    return Tracks(
        fps=fps,
        times=numbers / fps if times is None else np.asarray(times),
        frames=numbers,
        ids=ids,
        **arrays,
        skeleton=first.skeleton,
        camera=first.camera,
        camera_assumed=first.camera_assumed,
        camera_origin=first.camera_origin,
        image_size=first.image_size,
        source=first.source,
        axes=first.axes,
    )

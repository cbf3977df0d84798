"""`People`: the people of one photograph or video, in 2D and 3D, as the prediction returns them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from capf_jax.pose.cameras import Camera

UNIT = 'metre'
# The frames that 3D coordinates may be in, by name, with the directions of x, y and z. All are
# right-handed.
AXES = {
    'camera': 'x right, y down, z away from the camera',
    'y_up': 'x right, y up, z toward the camera',
    'z_up': 'x right, y away from the camera, z up',
}
# What turns vectors along these axes into those of the frame of a camera that stands upright.
TO_UPRIGHT_CAMERA = {
    'camera': np.eye(3),
    'y_up': np.diag([1.0, -1.0, -1.0]),
    'z_up': np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """N people of one photograph, or of the frames of one video; N may be 0.

    The arrays are brought to the types below and checked when a `People` is made. Shapes: N people,
    J2 joints in 2D, J joints in 3D.

    Attributes:
      ids: [N] int64; the number of each person, the same in every frame of a video. In a photograph
        they count from 0.
      time: [N] float64, seconds from the start of the video; 0 in a photograph.
      boxes: [N, 4] float64, x, y, width and height, pixels of the photograph. x and y are the
        centre of the first pixel inside.
      joints2d: [N, J2, 2] float64, pixels of the photograph as it is shown, lens and all.
      confidence: [N, J2] float64, how sure the detector is of each 2D joint, 0 to 1.
      joints2d_skeleton: the name of the skeleton of `joints2d`, such as 'coco17'.
      pose: [N, J, 3] float64 metres, relative to the root joint, along `axes`. In predictions the
        root joint's own row is 0.
      root: [N, 3] float64 metres, place of the root joint as seen from the camera, along `axes`.
      valid: [N] bool; False where a person was seen but its pose has no meaning, such as where
        too few joints were sure. Its `pose` and `root` may be NaN; those of the others never are.
      skeleton: the name of the skeleton of `pose`, such as 'h36m17'.
      camera: the camera of the photograph, with `intrinsics` and `distortion`. Where `axes` is not
        'camera', its `rotation` turns vectors along `axes` into those of the camera frame. Its
        place is the origin of `root`. Along 'camera' it keeps no rotation and no place that it is
        given: they are of a world which the coordinates are not in.
      camera_assumed: whether the intrinsics are a guess, so that distances are one too.
      camera_origin: in words, where the intrinsics come from, such as 'assumed field of view of 55
        degrees' or 'Calib.toml'.
      image_size: (width, height) of the photograph, pixels.
      source: the file name of the photograph or video, without folders.
      axes: a name of `AXES`: what x, y and z of `pose` and `root` are.
    """

    ids: Int[np.ndarray, ' N']
    time: Float[np.ndarray, ' N']
    boxes: Float[np.ndarray, 'N 4']
    joints2d: Float[np.ndarray, 'N J2 2']
    confidence: Float[np.ndarray, 'N J2']
    joints2d_skeleton: str
    pose: Float[np.ndarray, 'N J 3']
    root: Float[np.ndarray, 'N 3']
    valid: Bool[np.ndarray, ' N']
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
          UserError: an unknown skeleton or frame; shapes that do not agree; a valid person whose
            numbers are not finite.
        """
        for name, (shape, dtype) in array_shapes(self.joints2d_skeleton, self.skeleton).items():
            array = np.asarray(getattr(self, name))
            expected = (len(np.atleast_1d(self.ids)), *shape)
            if array.shape != expected or (array.dtype.kind not in 'biuf'):
                raise UserError(
                    f'{name} of the people in {self.source} is {array.dtype} {list(array.shape)}; '
                    f'it must be numbers {list(expected)}'
                )
            object.__setattr__(self, name, array.astype(dtype))
        if self.axes not in AXES:
            raise errors.unknown('axes', self.axes, AXES)
        if self.axes != 'camera' and self.camera.rotation is None:
            raise UserError(
                f'the people in {self.source} have the axes {self.axes!r}, but the camera has no '
                "rotation into them: give the camera's rotation, or the axes 'camera'"
            )
        if self.axes == 'camera':
            object.__setattr__(self, 'camera', self.camera.without_place())
        for name in ('boxes', 'joints2d', 'confidence', 'pose', 'root'):
            numbers = getattr(self, name)[self.valid]
            if not np.isfinite(numbers).all():
                raise UserError(
                    f'{name} of a valid person in {self.source} holds NaN or infinity; '
                    'give numbers, or set valid to False'
                )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def joints3d(self) -> Float[np.ndarray, 'N J 3']:
        """All joints in metres as seen from the camera, along `axes`: `pose` + `root`."""
        return self.pose + self.root[:, None]

    @property
    def joints3d_camera(self) -> Float[np.ndarray, 'N J 3']:
        """All joints in metres in the camera frame, whatever `axes` is."""
        if self.axes == 'camera':
            return self.joints3d
        assert self.camera.rotation is not None  # which __post_init__ has checked
        return self.joints3d @ np.asarray(self.camera.rotation, np.float64).T

    def along(self, axes: str, upright: Float[np.ndarray, '3 3'] | None = None) -> People:
        """The same people with 3D coordinates along other axes; the camera stays the origin.

        Args:
          axes: a name of `AXES`.
          upright: what turns vectors of the camera frame into those of the same camera if it stood
            upright and looked at the horizon; None for a camera that does. The frame 'camera'
            needs none.

        Raises:
          UserError: there are no such axes.
        """
        if axes not in AXES:
            raise errors.unknown('axes', axes, AXES)
        before = np.eye(3) if self.axes == 'camera' else np.asarray(self.camera.rotation)
        after = TO_UPRIGHT_CAMERA[axes]
        if axes != 'camera' and upright is not None:
            after = np.asarray(upright).T @ after
        turn = before.T @ after  # Rows of vectors along the old axes become rows along the new.
        return dataclasses.replace(
            self,
            pose=self.pose @ turn,
            root=self.root @ turn,
            axes=axes,
            camera=dataclasses.replace(
                self.camera, rotation=None if axes == 'camera' else after, position=None
            ),
        )

    def select(self, chosen: Any) -> People:
        """Some of the people.

        Args:
          chosen: indices [M] or a mask [N], such as `people.valid`.
        """
        arrays = array_shapes(self.joints2d_skeleton, self.skeleton)
        chosen = np.asarray(chosen)
        chosen = chosen if chosen.size else chosen.astype(np.int64)  # NumPy's empty list is float
        return dataclasses.replace(self, **{name: getattr(self, name)[chosen] for name in arrays})


def array_shapes(
    joints2d_skeleton: str, skeleton: str
) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """The arrays of a `People` by name, each with its shape behind the axis N and its type.

    Raises:
      UserError: an unknown skeleton.
    """
    flat, solid = len(skeletons.get(joints2d_skeleton)), len(skeletons.get(skeleton))
    return {
        'ids': ((), np.int64),
        'time': ((), np.float64),
        'boxes': ((4,), np.float64),
        'joints2d': ((flat, 2), np.float64),
        'confidence': ((flat,), np.float64),
        'pose': ((solid, 3), np.float64),
        'root': ((3,), np.float64),
        'valid': ((), np.bool_),
    }


def empty(
    *,
    joints2d_skeleton: str,
    skeleton: str,
    camera: Camera,
    camera_assumed: bool,
    camera_origin: str,
    image_size: tuple[int, int],
    source: str,
    axes: str = 'camera',
) -> People:
    """Nobody in this photograph; the arguments are the fields of `People`."""
    arrays: dict[str, Any] = {
        name: np.zeros((0, *shape), dtype)
        for name, (shape, dtype) in array_shapes(joints2d_skeleton, skeleton).items()
    }
    return People(
        **arrays,
        joints2d_skeleton=joints2d_skeleton,
        skeleton=skeleton,
        camera=camera,
        camera_assumed=camera_assumed,
        camera_origin=camera_origin,
        image_size=image_size,
        source=source,
        axes=axes,
    )

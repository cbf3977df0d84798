"""`CameraChoice`: what a user says of the cameras of their pictures, and the camera of each."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.inference import photograph_camera
from capf_jax.inference.calibration_files import Calibration
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.sources import Picture
from capf_jax.pose.cameras import Camera


@dataclasses.dataclass(frozen=True, eq=False)
class CameraChoice:
    """How the camera of each picture is come by; the first that is there counts.

    Attributes:
      intrinsics: fx, fy, cx, cy of every picture, pixels.
      calibration: a calibration file.
      camera_name: the camera of the calibration; '' to choose it by the picture's name.
      field_of_view: degrees of the longer side; None to read the picture's EXIF, or else to assume
        `photograph_camera.FIELD_OF_VIEW`.
      of_all: a camera of every picture.
    """

    intrinsics: Sequence[float] | None = None
    calibration: Calibration | None = None
    camera_name: str = ''
    field_of_view: float | None = None
    of_all: PhotographCamera | None = None

    @classmethod
    def of(cls, camera: Any) -> CameraChoice:
        """The choice that an argument `camera` means.

        Args:
          camera: None; a `Camera` or `PhotographCamera`; four numbers fx, fy, cx, cy; a calibration
            file or its path.

        Raises:
          UserError: anything else.
          FileNotFoundError: there is no such file.
        """
        if camera is None:
            return cls()
        if isinstance(camera, cls):
            return camera
        if isinstance(camera, PhotographCamera):
            return cls(of_all=camera)
        if isinstance(camera, Camera):
            return cls(of_all=PhotographCamera(camera, False, f'camera {camera.name}'))
        if isinstance(camera, Calibration):
            return cls(calibration=camera)
        if isinstance(camera, (str, os.PathLike)):
            return cls(calibration=Calibration.read(camera))
        if np.shape(camera) == (4,):
            return cls(intrinsics=tuple(float(number) for number in camera))
        raise UserError(
            'camera must be a Camera, four numbers fx, fy, cx, cy, or a calibration file'
        )

    def up(self, path: str = '') -> Float[np.ndarray, ' 3'] | None:
        """What is up in the frame of the camera of a file; None where nobody says it.

        Raises:
          UserError: the calibration has no camera for it.
        """
        if self.of_all is not None:
            return self.of_all.up
        if self.intrinsics is not None or self.calibration is None:
            return None
        return self.calibration.up(path, self.camera_name)

    def camera(self, picture: Picture, path: str = '', name: str = '') -> PhotographCamera:
        """The camera of a picture.

        Args:
          picture: the picture.
          path: its file, whose name may choose the camera of a calibration.
          name: the name of its camera, where the source says it.

        Raises:
          UserError: the calibration has no camera for it.
        """
        if self.of_all is not None:
            return self.of_all
        if self.intrinsics is not None:
            return photograph_camera.from_intrinsics(self.intrinsics, picture.size)
        if self.calibration is not None:
            return self.calibration.camera(picture.size, path, self.camera_name or name)
        if self.field_of_view is not None:
            return photograph_camera.from_field_of_view(self.field_of_view, picture.size)
        by_exif = photograph_camera.from_exif(picture.lens, picture.size)
        return by_exif or photograph_camera.from_field_of_view(
            photograph_camera.FIELD_OF_VIEW, picture.size, assumed=True
        )

"""RTMPose, a detector of one person's 2D joints, from an ONNX file as rtmlib and MMDeploy use them.

The files are not part of this repository. What a file takes and gives is that of MMPose's own
configurations (`projects/rtmpose`): RGB crops, normalised by ImageNet's mean and deviation, and for
each joint one row of scores along x and one along y, two scores a pixel (SimCC, arXiv 2107.03332).
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from capf_jax.errors import UserError
from capf_jax.inference import onnx_files
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton

CROP = (256, 192)  # (H, W) of files that take any size
MEAN = np.array([123.675, 116.28, 103.53], np.float32)  # of red, green and blue
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
# By the number of joints; whole bodies of 133 joints begin with COCO's 17.
SKELETONS = {17: 'coco17', 26: 'halpe26', 133: 'coco17'}


@dataclasses.dataclass(frozen=True, eq=False)
class RtmposeDetector:
    """RTMPose, as `photograph_models.JointDetector` asks for it.

    Attributes:
      path: the ONNX file.
      session: of ONNX Runtime.
      crop_size: (H, W) of the crops that it takes.
      joint_skeleton: the joints J that it finds.
    """

    path: str
    session: Any = dataclasses.field(repr=False)
    crop_size: tuple[int, int]
    joint_skeleton: Skeleton

    @classmethod
    def load(cls, path: str | os.PathLike) -> RtmposeDetector:
        """Reads an ONNX file.

        Raises:
          FileNotFoundError: there is no such file.
          UserError: ONNX Runtime is not installed, or the file holds another network.
        """
        return cls.of(path, onnx_files.open_session(path))

    @classmethod
    def of(cls, path: str | os.PathLike, session: Any) -> RtmposeDetector:
        """The detector of an open file.

        Raises:
          UserError: the file holds another network.
        """
        try:
            crop_size = onnx_files.image_size(session, CROP)
            number = _number_of_joints(session)
        except ValueError as error:
            raise UserError(
                f'{path} is no RTMPose: {error}; give a file such as rtmpose-m, 256x192'
            ) from None
        return cls(str(path), session, crop_size, skeletons.get(SKELETONS[number]))

    def joints(
        self, crops: UInt8[np.ndarray, 'B H W 3']
    ) -> tuple[Float[np.ndarray, 'B J 2'], Float[np.ndarray, 'B J']]:
        """The joints of the person in each RGB crop, pixels of the crop, and confidences."""
        places = np.zeros((len(crops), len(self.joint_skeleton), 2))
        confidence = np.zeros(places.shape[:2])
        name = self.session.get_inputs()[0].name
        for number, crop in enumerate(crops):
            image = (crop.astype(np.float32) - MEAN) / DEVIATION
            along_x, along_y = self.session.run(None, {name: image.transpose(2, 0, 1)[None]})[:2]
            places[number], confidence[number] = self._decoded(along_x[0], along_y[0])
        return places, confidence

    def _decoded(self, along_x: np.ndarray, along_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the scores [J, width or height times 2] of one person are largest."""
        number = len(self.joint_skeleton)
        along_x, along_y = along_x[:number], along_y[:number]
        height, width = self.crop_size
        in_pixels = np.array([width / along_x.shape[1], height / along_y.shape[1]])
        places = np.stack([along_x.argmax(1), along_y.argmax(1)], axis=-1) * in_pixels
        return places, np.minimum(along_x.max(1), along_y.max(1)).clip(0, 1)


def is_rtmpose(session: Any) -> bool:
    """Whether a network gives what RTMPose gives."""
    try:
        _number_of_joints(session)
    except ValueError:
        return False
    return True


def _number_of_joints(session: Any) -> int:
    """The number of joints of a network; ValueError says what it gives instead of joints."""
    shapes = [output.shape for output in session.get_outputs()]
    numbers = {shape[1] for shape in shapes if len(shape) == 3}
    if len(shapes) != 2 or len(numbers) != 1 or not numbers <= SKELETONS.keys():
        known = ', '.join(map(str, SKELETONS))
        raise ValueError(f'it gives {shapes}, not the two rows of scores of {known} joints')
    return numbers.pop()

"""YOLOX, a finder of people in whole pictures, from an ONNX file as rtmlib and MMDeploy use them.

The files are not part of this repository. YOLOX (arXiv 2107.08430) takes blue, green and red as
they are, 0 to 255, the picture at the top left of a square that is otherwise grey. Files give boxes
from which duplicates are gone, or what the network says of every cell of three grids.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from capf_jax.errors import UserError
from capf_jax.inference import onnx_files

SQUARE = (640, 640)  # (H, W) of files that take any size
GREY = 114  # of what the picture does not fill
STRIDES = (8, 16, 32)  # pixels of a cell of each grid
LEAST_SCORE = 0.3
OVERLAP = 0.45  # intersection over union from which two boxes are of one person


@dataclasses.dataclass(frozen=True)
class BoxedPeople:
    """The N people of a picture, the likeliest first.

    Attributes:
      boxes: x, y, width, height; pixels of the picture, counted from the centre of the first.
      scores: how likely each is a person, 0 to 1.
    """

    boxes: Float[np.ndarray, 'N 4']
    scores: Float[np.ndarray, ' N']


@dataclasses.dataclass(frozen=True, eq=False)
class YoloxFinder:
    """YOLOX, as `person_boxes.Finder` asks for it.

    Attributes:
      path: the ONNX file.
      session: of ONNX Runtime.
      size: (H, W) of what it sees, pixels.
      thumbnail: None, since it is given the whole picture and shrinks it itself.
    """

    path: str
    session: Any = dataclasses.field(repr=False)
    size: tuple[int, int]
    thumbnail: None = None

    @classmethod
    def load(cls, path: str | os.PathLike) -> YoloxFinder:
        """Reads an ONNX file.

        Raises:
          FileNotFoundError: there is no such file.
          UserError: ONNX Runtime is not installed, or the file holds another network.
        """
        return cls.of(path, onnx_files.open_session(path))

    @classmethod
    def of(cls, path: str | os.PathLike, session: Any) -> YoloxFinder:
        """The finder of an open file.

        Raises:
          UserError: the file holds another network.
        """
        shapes = [output.shape for output in session.get_outputs()]
        try:
            size = onnx_files.image_size(session, SQUARE)
            if len(shapes[0]) != 3 or not isinstance(shapes[0][2], int) or shapes[0][2] < 5:
                raise ValueError(f'it gives {shapes}, not boxes')
        except ValueError as error:
            raise UserError(f'{path} is no YOLOX: {error}; give a file such as yolox_m') from None
        return cls(str(path), session, size)

    def find(self, image: UInt8[np.ndarray, 'H W 3']) -> BoxedPeople:
        """The people of an RGB picture."""
        height, width = self.size
        ratio = min(height / image.shape[0], width / image.shape[1])
        inner = max(int(image.shape[1] * ratio), 1), max(int(image.shape[0] * ratio), 1)
        square = np.full((height, width, 3), GREY, np.uint8)
        square[: inner[1], : inner[0]] = cv2.resize(
            image[..., ::-1], inner, interpolation=cv2.INTER_LINEAR
        )
        name = self.session.get_inputs()[0].name
        output = self.session.run(None, {name: square.transpose(2, 0, 1)[None].astype(np.float32)})
        corners, scores = self._boxes(output)
        sure = scores >= LEAST_SCORE
        order = np.flatnonzero(sure)[np.argsort(-scores[sure], kind='stable')]
        # The network counts pixels from the corner of the first one.
        first = (corners[order, :2] / ratio - 0.5).clip(-0.5, None)
        last = np.minimum(corners[order, 2:] / ratio, image.shape[1::-1]) - 0.5
        return BoxedPeople(np.concatenate([first, last - first], axis=1), scores[order])

    def _boxes(self, output: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Corners [N, 4] x, y, x, y in pixels of the square, and scores [N], of people alone."""
        rows = output[0][0].astype(np.float64)
        if rows.shape[1] == 5:  # duplicates are gone, and a further output has the classes
            if len(output) > 1:
                rows = rows[output[1].reshape(-1)[: len(rows)] == 0]
            return rows[:, :4], rows[:, 4]
        cells = [
            np.stack([*np.meshgrid(range(width), range(height)), np.full((height, width), stride)])
            for stride in STRIDES
            for height, width in [(self.size[0] // stride, self.size[1] // stride)]
        ]
        x, y, stride = np.concatenate([cell.reshape(3, -1) for cell in cells], axis=1)
        middle = (rows[:, :2] + np.stack([x, y], -1)) * stride[:, None]
        size = np.exp(rows[:, 2:4]) * stride[:, None]
        scores = rows[:, 4] * rows[:, 5]  # something is there, and it is a person
        boxes = np.concatenate([middle - size / 2, size], axis=1)
        single = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), LEAST_SCORE, OVERLAP)
        chosen = np.asarray(single, np.int64).reshape(-1)
        return np.concatenate([middle - size / 2, middle + size / 2], 1)[chosen], scores[chosen]

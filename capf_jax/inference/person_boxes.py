"""Boxes around the people of a photograph: what the finder gives, and checks of a user's."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from capf_jax.errors import UserError
from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.photograph_camera import (
    PhotographCamera,
    distort_points,
    undistort_points,
)

THUMBNAIL = 256  # pixels a side of the picture that the finder sees
LEAST_SCORE = 0.2  # of a person that the finder finds
LARGEST_PERSON = 20  # times the larger side of the picture that the side of a box may have
LEAST_PERSON = 16.0  # pixels; the longer side of the smallest person whose pose can be told


class Finder(Protocol):
    """What finds people in a whole picture, such as `people_finder.PeopleFinder`.

    A finder with an attribute `thumbnail` that is None is given the picture itself, and others one
    of `THUMBNAIL` pixels a side. One with an attribute `most_people` finds no more than so many.
    """

    def find(self, image: UInt8[np.ndarray, 'H W 3']) -> Any:
        """Of an RGB picture `boxes` [N, 4] x y w h px and `scores` [N], among others."""


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """N people of an image as the finder gives them, the likeliest first; pixels of the image.

    Attributes:
      boxes: x, y, width, height.
      scores: 0 to 1.
      joints2d: of the finder's skeleton; None of a finder that gives none.
      confidence: of the joints, 0 to 1; None without joints.
    """

    boxes: Float[np.ndarray, 'N 4']
    scores: Float[np.ndarray, ' N']
    joints2d: Float[np.ndarray, 'N J 2'] | None = None
    confidence: Float[np.ndarray, 'N J'] | None = None


def find_people(
    pixels: UInt8[np.ndarray, 'H W 3'], finder: Finder, least_score: float = LEAST_SCORE
) -> Candidates:
    """Stage 1: where the people are.

    People of less than `LEAST_PERSON` pixels are left out.

    Args:
      pixels: RGB.
      finder: sees a smaller picture.
      least_score: people of a lower score are left out.
    """
    thumbnail, scale = _seen(pixels, finder)
    return _candidates(finder.find(thumbnail), scale, least_score)


def find_people_of_all(
    pictures: Sequence[UInt8[np.ndarray, 'H W 3']],
    finder: Finder,
    least_score: float = LEAST_SCORE,
) -> list[Candidates]:
    """`find_people` of each of some pictures of one size.

    They are one batch for a finder that has `find_all`, such as `people_finder.PeopleFinder`.
    """
    find_all = getattr(finder, 'find_all', None)
    if len(pictures) == 1 or find_all is None:
        return [find_people(pixels, finder, least_score) for pixels in pictures]
    thumbnails, scales = zip(*[_seen(pixels, finder) for pixels in pictures], strict=True)
    people = find_all(thumbnails)
    return [_candidates(one, scale, least_score) for one, scale in zip(people, scales, strict=True)]


def _seen(pixels: np.ndarray, finder: Finder) -> tuple[np.ndarray, float]:
    """What a finder is given of a picture, and how many of its pixels one of the picture's has."""
    sees_all = getattr(finder, 'thumbnail', THUMBNAIL) is None
    return (pixels, 1.0) if sees_all else _square(pixels)


def _candidates(people: Any, scale: float, least_score: float) -> Candidates:
    """What a finder gives, in pixels of the picture itself; without the small and unlikely."""
    boxes, scores = np.array(people.boxes, np.float64), np.asarray(people.scores, np.float64)
    # Pixels are counted from the centre of the first one, so that its corner is at -0.5.
    boxes[:, :2] = (boxes[:, :2] + 0.5) / scale - 0.5
    boxes[:, 2:] /= scale
    large = boxes[:, 2:].max(axis=1, initial=0) >= LEAST_PERSON
    usable = large & (boxes[:, 2:].min(axis=1, initial=np.inf) > 0) & (scores >= least_score)
    order = np.flatnonzero(usable)[np.argsort(-scores[usable], kind='stable')]
    joints2d = getattr(people, 'joints2d', None)
    if joints2d is None:
        return Candidates(boxes[order], scores[order])
    return Candidates(
        boxes[order],
        scores[order],
        (np.asarray(joints2d, np.float64)[order] + 0.5) / scale - 0.5,
        np.asarray(people.confidence, np.float64)[order],
    )


def words_of_most(finder: Finder, people: int) -> str:
    """A sentence for the user where a finder found as many people as it can; else ''.

    Args:
      finder: what found them.
      people: how many it found in one picture.
    """
    most = getattr(finder, 'most_people', None)
    if most is None or people < most:
        return ''
    return (
        f'{people} people were found, the most that this finder gives: if there are more, take '
        "YOLOX's finder (--detector=rtmpose), or give their boxes in a picture (--box)"
    )


def find_boxes(
    pixels: UInt8[np.ndarray, 'H W 3'], finder: Finder, least_score: float = LEAST_SCORE
) -> tuple[Float[np.ndarray, 'N 4'], Float[np.ndarray, ' N']]:
    """The boxes x, y, width, height and the scores of `find_people`."""
    people = find_people(pixels, finder, least_score)
    return people.boxes, people.scores


def _square(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """A picture of `THUMBNAIL` pixels a side with black around it, and its scale.

    Pictures of every shape are one shape for the finder, which is compiled once.
    """
    height, width = pixels.shape[:2]
    scale = THUMBNAIL / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((THUMBNAIL, THUMBNAIL, 3), np.uint8)
    square[: size[1], : size[0]] = cv2.resize(pixels, size, interpolation=way)
    return square, scale


def corners_of(boxes: Float[np.ndarray, 'N 4']) -> Float[np.ndarray, 'N 4 2']:
    """The corners of boxes x, y, width, height, as `aim` takes them."""
    x, y, width, height = np.moveaxis(boxes, -1, 0)
    return np.stack(
        [
            np.stack([x, y], -1),
            np.stack([x + width, y], -1),
            np.stack([x, y + height], -1),
            np.stack([x + width, y + height], -1),
        ],
        axis=1,
    )


def undistorted_corners(boxes: np.ndarray, camera: PhotographCamera) -> np.ndarray:
    """[N, 4, 2] corners of boxes, where the photograph without lens distortion has them."""
    return undistort_points(corners_of(boxes), camera.camera)


def distorted_boxes(boxes: np.ndarray, camera: PhotographCamera) -> np.ndarray:
    """Boxes in the photograph as it is, of boxes in the one without lens distortion."""
    if camera.camera.distortion is None or not len(boxes):
        return boxes
    corners = distort_points(corners_of(boxes), camera.camera)
    first, last = corners.min(axis=1), corners.max(axis=1)
    return np.concatenate([first, last - first], axis=-1)


def boxes_of_joints(joints: GivenJoints) -> np.ndarray:
    """The smallest boxes around given joints, those of the file where it has some."""
    if joints.boxes is not None:
        return joints.boxes
    boxes = np.zeros((len(joints), 4))
    for n, (places, sureness) in enumerate(zip(joints.joints, joints.confidence, strict=True)):
        points = places[sureness > 0] if (sureness > 0).any() else places
        first, last = points.min(axis=0), points.max(axis=0)
        boxes[n] = [*first, *(last - first)]
    return boxes


def checked_boxes(
    boxes: Any, pixels: np.ndarray, source: str, number: int | None = None
) -> np.ndarray:
    """Boxes [N, 4] that lie in the picture; UserError names the first that does not."""
    try:
        array = np.asarray(boxes, np.float64).reshape(-1, 4)
    except (TypeError, ValueError):
        raise UserError(
            'boxes must be four numbers for each person: x, y, width, height in pixels'
        ) from None
    if number is not None and len(array) != number:
        raise UserError(f'there are boxes of {len(array)} people and joints of {number}')
    height, width = pixels.shape[:2]
    where = f' of {source}' if source else ''
    for n, (x, y, w, h) in enumerate(array.tolist()):
        text = f'box {n}{where}, x,y,width,height {x:g},{y:g},{w:g},{h:g},'
        if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
            raise UserError(f'{text} is empty; give a width and a height above 0 px')
        if x >= width or y >= height or x + w <= 0 or y + h <= 0:
            raise UserError(
                f'{text} lies outside of the picture of {width}x{height} px; give pixels of the '
                'upright picture'
            )
        if max(w, h) > LARGEST_PERSON * max(width, height):
            raise UserError(
                f'{text} is far larger than the picture of {width}x{height} px; give pixels of the '
                'upright picture'
            )
        if max(w, h) < LEAST_PERSON:
            raise UserError(
                f'{text} is too small to tell a pose; a person needs {LEAST_PERSON:g} px at least'
            )
    return array

"""People drawn onto their own image at its full size, fast enough for every frame of a video."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib import colors

from capf_jax.figures.drawing import COLOURS, hue, side_of
from capf_jax.figures.sure_joints import bone_side, drawn_bones
from capf_jax.pose.skeletons import Skeleton

_WIDTH = 0.010  # of a bone, by the longer side of the person's box
_NARROWEST, _WIDEST = 1.5, 14.0  # pixels
# Pixels: the radii of joints and the width of a hollow one's edge. Smaller ones look alike.
_LEAST_SOLID, _LEAST_HOLLOW, _LEAST_RING = 2.5, 3.75, 1.5
_BITS = 4  # of a pixel's fraction that OpenCV draws with
_FAR = 1 << 14  # pixels; what lies farther out is not drawn, since OpenCV counts in 32 bits
_WHITE = (255, 255, 255)


@dataclasses.dataclass(frozen=True, eq=False)
class PersonInImage:
    """One person to draw.

    Attributes:
      number: what is written beside the person, and what chooses the hue.
      box: [4] x, y, width, height, pixels.
      joints2d: [J, 2] pixels; those that are not finite are left out.
      sure: [J]; the other joints are drawn hollow, and their bones dashed.
      has_pose: whether the person has a pose; the box is dotted where it has none.
    """

    number: int
    box: Float[np.ndarray, ' 4']
    joints2d: Float[np.ndarray, 'J 2']
    sure: Bool[np.ndarray, ' J']
    has_pose: bool = True


def draw(
    image: UInt8[np.ndarray, 'H W 3'], people: Sequence[PersonInImage], skeleton: Skeleton
) -> UInt8[np.ndarray, 'H W 3']:
    """A copy of an image with everyone on it: left and right limbs by colour, people by hue.

    Args:
      image: RGB.
      people: any number.
      skeleton: the joints.
    """
    image = np.ascontiguousarray(image).copy()
    shown = [one for one in people if np.isfinite(one.box).all()]
    for person in sorted(shown, key=lambda person: person.box[3]):  # The largest are in front.
        _draw_box(image, person)
        _draw_skeleton(image, person, skeleton)
    for person in shown:
        _write_number(image, person)
    return image


def _draw_box(image: np.ndarray, person: PersonInImage) -> None:
    """The box, dotted where the person has no pose."""
    left, top, width, height = person.box
    right, bottom = left + width, top + height
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    thickness = max(_width(person) / 2, 1)
    for start, end in itertools.pairwise(np.array(corners)):
        dash = None if person.has_pose else 4 * thickness
        _line(image, start, end, thickness, _rgb(hue(person.number)), dash)


def _draw_skeleton(image: np.ndarray, person: PersonInImage, skeleton: Skeleton) -> None:
    width = _width(person)
    is_far = np.abs(np.nan_to_num(person.joints2d, nan=2 * _FAR)) >= _FAR
    is_there = np.asarray(~is_far.any(axis=-1))
    bones = [bone for bone in drawn_bones(skeleton) if is_there[list(bone)].all()]
    casing = max(0.25 * width, 0.75)
    solid, hollow = max(1.4 * width, _LEAST_SOLID), max(1.6 * width, _LEAST_HOLLOW)
    for joint in np.flatnonzero(is_there & person.sure).tolist():
        # Bones come over it: a white ring on them would make a solid dot look hollow.
        _dot(image, person.joints2d[joint], solid + casing, _WHITE)
    for bone in bones:
        start, end = person.joints2d[list(bone)]
        dash = None if person.sure[list(bone)].all() else 2.2 * width
        _line(image, start, end, width + 2 * casing, _WHITE, None)
        _line(image, start, end, width, _rgb(COLOURS[bone_side(skeleton, bone)]), dash)
    for joint in np.flatnonzero(is_there).tolist():
        colour = _rgb(COLOURS[side_of(skeleton, joint)])
        if person.sure[joint]:
            _dot(image, person.joints2d[joint], solid, colour)
        else:
            _dot(image, person.joints2d[joint], hollow, colour)
            _dot(image, person.joints2d[joint], hollow - max(0.5 * width, _LEAST_RING), _WHITE)


def _write_number(image: np.ndarray, person: PersonInImage) -> None:
    """The number in its hue at the upper left corner of the box, inside the image."""
    height, width = image.shape[:2]
    scale = float(np.clip(min(height, width) / 900, 0.35, 2.0))
    thickness = max(round(2 * scale), 1)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (across, up), below = cv2.getTextSize(str(person.number), font, scale, thickness)
    edge = round(6 * scale)
    left = int(np.clip(person.box[0], 0, max(width - across - 2 * edge, 0)))
    top = int(np.clip(person.box[1], 0, max(height - up - below - 2 * edge, 0)))
    corner = (left + across + 2 * edge, top + up + below + 2 * edge)
    cv2.rectangle(image, (left, top), corner, _rgb(hue(person.number)), cv2.FILLED)
    place = (left + edge, top + edge + up + below // 2)
    cv2.putText(image, str(person.number), place, font, scale, _WHITE, thickness, cv2.LINE_AA)


def _width(person: PersonInImage) -> float:
    return float(np.clip(_WIDTH * person.box[2:].max(), _NARROWEST, _WIDEST))


def _line(
    image: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    width: float,
    colour: tuple[int, int, int],
    dash: float | None,
) -> None:
    """A line, or dashes of a length in pixels with gaps of the same length."""
    if not (np.isfinite([start, end]).all() and np.abs([start, end]).max() < _FAR):
        return
    parts = [(start, end)]
    if dash is not None:
        count = max(int(np.linalg.norm(end - start) / (2 * dash) + 0.5), 1)
        shares = np.linspace(0, 1, 2 * count + 1)
        ends = start + shares[:, None] * (end - start)
        # A dash in the middle of each step leaves a gap beside both joints.
        quarter = (ends[1] - ends[0]) / 2
        parts = [(ends[2 * n] + quarter, ends[2 * n + 1] + quarter) for n in range(count)]
    for first, last in parts:
        cv2.line(
            image, _fixed(first), _fixed(last), colour, max(round(width), 1), cv2.LINE_AA, _BITS
        )


def _dot(image: np.ndarray, place: np.ndarray, radius: float, colour: tuple[int, int, int]) -> None:
    size = round(radius * (1 << _BITS))
    cv2.circle(image, _fixed(place), size, colour, cv2.FILLED, cv2.LINE_AA, _BITS)


def _fixed(place: np.ndarray) -> tuple[int, int]:
    """A place in pixels as OpenCV takes it: whole numbers of fractions of a pixel."""
    x, y = np.rint(np.asarray(place) * (1 << _BITS)).astype(int).tolist()
    return x, y


def _rgb(colour: str) -> tuple[int, int, int]:
    """'#RRGGBB' as numbers from 0 to 255."""
    red, green, blue = (round(255 * share) for share in colors.to_rgb(colour))
    return red, green, blue

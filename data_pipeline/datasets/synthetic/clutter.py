"""What photographs show beside the person: things on walls and floors, things in front, faults.

Real pictures are full of edges and colours that belong to nobody, they hide parts of people, and
cameras make them small, blurred, dark or grey. Colours here are 0 to 1, linear in textures and as
stored in pictures.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from data_pipeline.datasets.synthetic.scenes import look_up_noise

TEXTURE = 512  # Side of a texture, texels.
TEXELS = 64  # Texels of a metre.
OCCLUDERS = 0.12  # Chance that a thing hides a part of a person.
SMALL = 0.35  # Chance that the person is small in the picture, so that the crop is blurred.
SHAKEN = 0.1  # Chance that the camera or the person moves.
GREY = 0.04  # Chance of a picture without colours.


@functools.lru_cache(maxsize=2)
def texture(seed: int) -> np.ndarray:
    """Linear colours and coverage [S, S, 4] float32 of things that cover a wall or a floor.

    The things are rectangles, ellipses, triangles and lines of many sizes, as furniture, plants,
    windows and letters are from a distance.
    """
    rng = np.random.default_rng([seed, 2])
    out = np.zeros((TEXTURE, TEXTURE, 4), np.float32)
    if rng.random() < 0.3:  # Foliage, gravel or cloth covers everything.
        along = np.arange(TEXTURE)
        grain = rng.uniform(0.3, 4.0)
        noise = look_up_noise(along * grain, along[:, None] * grain * rng.uniform(0.5, 1))
        out[..., :3] = _colour(rng) * np.exp(rng.uniform(0.2, 0.8) * noise)[..., None]
        out[..., 3] = 1
    palette = [_colour(rng) for _ in range(rng.integers(3, 9))]
    for _ in range(rng.integers(10, 70)):
        paint = palette[rng.integers(len(palette))] * rng.uniform(0.6, 1.4)
        colour = (*(float(c) for c in paint), 1.0)
        middle = rng.integers(0, TEXTURE, 2)
        half = np.exp(rng.uniform(np.log(3), np.log(90), 2)).astype(int)
        kind = rng.integers(5)
        if kind <= 1:
            first, last = middle - half, middle + half
            cv2.rectangle(out, tuple(map(int, first)), tuple(map(int, last)), colour, -1)
        elif kind == 2:
            turn = float(rng.uniform(0, 180))
            size = tuple(map(int, half))
            cv2.ellipse(out, tuple(map(int, middle)), size, turn, 0, 360, colour, -1)
        elif kind == 3:
            corners = middle + rng.normal(0, float(half.max()), (int(rng.integers(3, 6)), 2))
            cv2.fillPoly(out, [corners.astype(np.int32)], colour)
        else:
            end = middle + rng.normal(0, 120, 2).astype(int)
            thick = int(rng.integers(1, 9))
            cv2.line(out, tuple(map(int, middle)), tuple(map(int, end)), colour, thick)
    return np.clip(out, 0, 1)


def cover(seed: int, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Linear colours [N, 3] of a surface with things on it.

    Args:
      seed: of the things.
      colour: [N, 3], colours of the bare surface.
      x: [N], place of each point on the surface, metres.
      y: [N], the same in the other direction.
    """
    column = np.asarray(x * TEXELS, np.int64) & (TEXTURE - 1)
    row = np.asarray(y * TEXELS, np.int64) & (TEXTURE - 1)
    things = texture(seed)[row, column]
    # The light that falls on the bare surface also falls on the things.
    return np.where(things[:, 3:] > 0, things[:, :3], colour)


def occlude(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] uint8 with a thing in front of the person, with the chance OCCLUDERS.

    The thing is a table, a pillar or a plant: a rectangle that reaches an edge, or an ellipse.
    """
    if rng.random() >= OCCLUDERS:
        return image
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turn = np.deg2rad(rng.normal(0, 8))
    middle = rng.uniform(0.15, 0.85, 2) * [width, height]
    u = np.cos(turn) * (x - middle[0]) + np.sin(turn) * (y - middle[1])
    v = np.cos(turn) * (y - middle[1]) - np.sin(turn) * (x - middle[0])
    half = rng.uniform(0.05, 0.2, 2) * [width, height]
    kind = rng.integers(3)
    if kind == 0:  # It stands on the floor: below its upper edge everything is hidden.
        covered = (np.abs(u) < half[0] * 2) & (v > 0.1 * height)
    elif kind == 1:
        covered = np.abs(u) < half[0] * 0.5
    else:
        covered = (u / half[0]) ** 2 + (v / half[1]) ** 2 < 1
    grain = rng.uniform(0.5, 4)
    value = 1 + rng.uniform(0.02, 0.25) * look_up_noise(u * grain + 999, v * grain + 999)
    paint = 255 * _colour(rng) ** (1 / 2.2) * value[..., None]
    return np.where(covered[..., None], np.clip(paint, 0, 255), image).astype(np.uint8)


def degrade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] uint8 as cameras and the internet spoil it."""
    height, width = image.shape[:2]
    if rng.random() < SMALL:
        share = np.exp(rng.uniform(np.log(0.22), 0.0))
        small = (max(int(width * share), 8), max(int(height * share), 8))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        if rng.random() < 0.5:  # The file was compressed when the person was small.
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))]
            stored = cv2.imencode('.jpg', image, quality)[1]
            image = np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < SHAKEN:
        length = int(rng.integers(3, 10))
        kernel = np.zeros((length, length), np.float32)
        end = rng.integers(0, length, 2)
        cv2.line(kernel, tuple(map(int, end)), tuple(map(int, length - 1 - end)), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if rng.random() < 0.5:
        gamma = np.exp(rng.normal(0, 0.25))
        contrast = np.exp(rng.normal(0, 0.2))
        values = 255 * (np.arange(256) / 255) ** gamma
        values = (values - 128) * contrast + 128 + rng.normal(0, 12)
        image = cv2.LUT(image, np.clip(values, 0, 255).astype(np.uint8))
    if rng.random() < GREY:
        image = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1).astype(np.uint8)
    return image


def _colour(rng: np.random.Generator) -> np.ndarray:
    """A random linear colour [3], as things have: dark more often than bright, seldom pure."""
    value = np.exp(rng.uniform(np.log(0.02), np.log(0.9)))
    return np.clip(value * np.exp(rng.normal(0, 0.45) * rng.normal(size=3)), 0.005, 0.95)

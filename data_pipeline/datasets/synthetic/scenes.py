"""The room around a person: its light, its floor and its wall, and the colours of both."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

LIGHTS = ('overhead', 'random')
NOISE_SIZE = 256


@dataclasses.dataclass(frozen=True)
class Scene:
    """One room.

    Attributes:
      light: [3], unit vector towards the lamp, world frame.
      ambient: share of the light that comes from all directions, 0 to 1.
      wall_normal: [3], horizontal unit vector from the wall into the room, world frame.
      wall_distance: distance of the wall from the origin of the world, metres.
      seed: seed of the textures of floor and wall.
      cluttered: whether things of all kinds cover floor and wall, see clutter.py.
    """

    light: np.ndarray
    ambient: float
    wall_normal: np.ndarray
    wall_distance: float
    seed: int
    cluttered: bool = False


def sample_scene(rng: np.random.Generator, light: str, viewing: np.ndarray) -> Scene:
    """A random room whose wall is behind the person.

    Args:
      rng: source of randomness.
      light: one of LIGHTS: 'overhead' puts the lamp within about 15 degrees of the vertical, and
        'random' puts it anywhere above the floor.
      viewing: [3], unit vector in which the camera looks, world frame.
    """
    if light == 'overhead':
        direction = np.array([*rng.normal(0, 0.12, 2), 1.0])
    else:
        azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 1.0)
        across = np.sqrt(1 - height**2)
        direction = np.array([across * np.cos(azimuth), across * np.sin(azimuth), height])
    turn = rng.normal(0, 0.35) - np.pi
    c, s = np.cos(turn), np.sin(turn)
    normal = np.array([c * viewing[0] - s * viewing[1], s * viewing[0] + c * viewing[1], 0.0])
    return Scene(
        direction / np.linalg.norm(direction),
        float(rng.uniform(0.3, 0.45)),
        normal / np.linalg.norm(normal),
        float(rng.uniform(2.0, 5.0)),
        int(rng.integers(2**31)),
    )


@functools.cache
def noise_texture() -> np.ndarray:
    """Smooth noise [S, S] float32 of mean 0 and standard deviation 1, without seams as a tile."""
    rng = np.random.default_rng(20240607)
    total = np.zeros((NOISE_SIZE, NOISE_SIZE), np.float32)
    for octave in range(2, 8):
        cells = 2**octave
        grid = rng.normal(size=(cells, cells)).astype(np.float32)
        wrapped = np.pad(grid, 2, mode='wrap')
        factor = NOISE_SIZE // cells
        big = cv2.resize(wrapped, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        edge = 2 * factor
        total += big[edge : edge + NOISE_SIZE, edge : edge + NOISE_SIZE] * 0.6 ** (octave - 2)
    return (total - total.mean()) / total.std()


def look_up_noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The noise at texture coordinates x and y in texels, two arrays of one shape."""
    texture = noise_texture()
    return texture[
        np.asarray(y, np.int32) & (NOISE_SIZE - 1), np.asarray(x, np.int32) & (NOISE_SIZE - 1)
    ]


def floor_colour(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Linear colour [N, 3], 0 to 1, of points [N, 3] on the floor, world frame, metres."""
    rng = np.random.default_rng([scene.seed, 0])
    base = _muted(rng, 0.12, 0.55)
    turn = rng.uniform(0, np.pi)
    u = np.cos(turn) * points[:, 0] + np.sin(turn) * points[:, 1] + 50
    v = np.cos(turn) * points[:, 1] - np.sin(turn) * points[:, 0] + 50
    grain = rng.uniform(10, 120)
    value = 1 + rng.uniform(0.02, 0.18) * look_up_noise(u * grain, v * grain * rng.uniform(0.1, 1))
    kind = rng.integers(4)
    if kind == 1:  # The floor has tiles.
        side = rng.uniform(0.3, 1.0)
        odd = (np.floor(u / side) + np.floor(v / side)) % 2
        value *= 1 - rng.uniform(0.05, 0.5) * odd
    elif kind == 2:  # The floor has planks.
        side = rng.uniform(0.1, 0.3)
        value *= 1 + 0.12 * look_up_noise(np.floor(v / side) * 37, np.floor(v / side) * 11)
    elif kind == 3:  # A rug lies on the floor.
        middle, half = rng.normal(0, 0.7, 2) + 50, rng.uniform(0.6, 2.0, 2)
        on = (np.abs(u - middle[0]) < half[0]) & (np.abs(v - middle[1]) < half[1])
        value = value[:, None] * np.where(on[:, None], _muted(rng, 0.1, 0.6) / base, 1.0)
        return np.clip(base * value, 0.01, 1)
    return np.clip(base * value[:, None], 0.01, 1)


def wall_colour(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Linear colour [N, 3], 0 to 1, of points [N, 3] on the wall, world frame, metres.

    The wall is painted, and doors, posters and cupboards cover parts of it.
    """
    rng = np.random.default_rng([scene.seed, 1])
    along = np.array([-scene.wall_normal[1], scene.wall_normal[0], 0.0])
    u, z = points @ along, points[:, 2]
    base = _muted(rng, 0.2, 0.75)
    grain = rng.uniform(5, 80)
    value = 1 + rng.uniform(0.01, 0.12) * look_up_noise((u + 50) * grain, (z + 50) * grain)
    colour = base * value[:, None] * (1 - rng.uniform(0, 0.15) * np.clip(z, 0, 3)[:, None] / 3)
    colour[z < rng.uniform(0.0, 0.15)] *= 0.6  # The wall has a skirting board.
    for _ in range(rng.integers(6)):  # Doors, posters and cupboards are rectangles.
        middle, half = rng.normal(0, 2.0), rng.uniform(0.15, 0.8)
        bottom, top = (0, rng.uniform(0.5, 2.2)) if rng.random() < 0.5 else (0.8, 2.0)
        inside = (np.abs(u - middle) < half) & (z > bottom) & (z < top)
        colour[inside] = _muted(rng, 0.05, 0.8) * value[inside][:, None]
    return np.clip(colour, 0.01, 1)


def _muted(rng: np.random.Generator, darkest: float, brightest: float) -> np.ndarray:
    """A random linear colour [3], 0 to 1, as walls and floors have."""
    value = rng.uniform(darkest, brightest)
    return np.clip(value * (1 + rng.uniform(0, 0.3) * rng.normal(size=3)), 0.02, 0.95)

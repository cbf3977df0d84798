"""Draws a person in a room directly into the crop: geometry, light, shadows and camera noise."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from data_pipeline.datasets.synthetic import clutter, scenes
from data_pipeline.datasets.synthetic.bodies import Body
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE, Camera
from data_pipeline.datasets.synthetic.primitives import Primitives, surface_normals
from data_pipeline.datasets.synthetic.rasterizer import draw_perspective
from data_pipeline.datasets.synthetic.scenes import Scene
from data_pipeline.datasets.synthetic.shadows import ShadowMap, shadow_map
from data_pipeline.datasets.synthetic.subjects import HAIR, SKIN, SLEEVES, TORSO, TROUSERS, Subject
from data_pipeline.datasets.synthetic.vectors import dot

FILL = 0.12  # Strength of the light that the room behind the camera reflects.


def render(
    rng: np.random.Generator,
    primitives: Primitives,
    body: Body,
    subject: Subject,
    camera: Camera,
    scene: Scene,
    affine: np.ndarray,
    crop_size: tuple[int, int],
    supersample: int = 2,
    film: Film | None = None,
) -> np.ndarray:
    """A picture of a person in a room.

    Args:
      rng: source of the camera's noise.
      primitives: all solid things, world frame, metres; those of the body come first.
      body: the body, world frame, whose frames place the pattern of the clothes and the face.
      subject: the person, whose colours are used.
      camera: the camera of the whole image.
      scene: the light and the room.
      affine: [2, 3], maps pixels of the whole image to pixels of the crop, without rotation.
      crop_size: width and height of the crop, pixels.
      supersample: number of rays in each row and in each column of a pixel.
      film: of the camera; None draws one.

    Returns:
      The crop [H, W, 3] uint8, RGB.
    """
    assert camera.rotation is not None  # Every camera of this dataset has a place.
    assert camera.position is not None
    shadow = shadow_map(primitives, scene.light)
    # Only the outlines of solid things need the finer grid. The room behind them is drawn on the
    # grid of the crop.
    rays = _world_rays(camera, _crop_intrinsics(camera, affine, 1), *_pixels(crop_size))
    room = _room(scene, shadow, camera.position, rays).reshape(crop_size[1], crop_size[0], 3)

    size = (crop_size[0] * supersample, crop_size[1] * supersample)
    intrinsics = _crop_intrinsics(camera, affine, supersample)
    in_camera = primitives.transform(camera.rotation, -camera.rotation @ camera.position)
    raster = draw_perspective(in_camera, intrinsics, size)
    solid = np.flatnonzero(raster.which >= 0)
    rays = _world_rays(camera, intrinsics, solid % size[0], solid // size[0])
    points = camera.position.astype(np.float32) + raster.depth.take(solid)[:, None] * rays
    # The last channel is the share of a pixel that solid things cover.
    person = np.zeros((size[1] * size[0], 4), np.float32)
    person[solid, :3] = _solid(
        primitives, body, subject, scene, shadow, rays, points, raster.which.take(solid)
    )
    person[solid, 3] = 1
    person = person.reshape(size[1], size[0], 4)
    person = cv2.resize(person, crop_size, interpolation=cv2.INTER_AREA)
    return _photograph(rng, person[..., :3] + (1 - person[..., 3:]) * room, affine, film)


def _crop_intrinsics(camera: Camera, affine: np.ndarray, supersample: int) -> np.ndarray:
    """[4] fx, fy, cx, cy of the crop's grid with `supersample` rays per pixel each way."""
    fx, fy, cx, cy = camera.intrinsics
    sx, sy = affine[0, 0], affine[1, 1]
    shift = (supersample - 1) / 2  # the middle of the first pixel on the finer grid
    crop = np.array([sx * fx, sy * fy, sx * cx + affine[0, 2], sy * cy + affine[1, 2]])
    return supersample * crop + [0, 0, shift, shift]


def _pixels(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The x and y of every pixel of a grid, row by row, [H * W] each."""
    y, x = np.divmod(np.arange(size[0] * size[1]), size[0])
    return x, y


def _world_rays(camera: Camera, intrinsics: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Directions [N, 3] float32 of the rays through the pixels x [N] and y [N], world frame.

    Each direction is as long as the ray is at a camera depth of 1.
    """
    fx, fy, cx, cy = intrinsics
    x, y = (x - cx) / fx, (y - cy) / fy
    rays = np.empty((len(x), 3), np.float32)
    assert camera.rotation is not None  # Every camera of this dataset has a place.
    for axis, (right, down, forward) in enumerate(camera.rotation.T):
        rays[:, axis] = y * down + forward + x * right
    return rays


def _room(scene: Scene, shadow: ShadowMap, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Linear light [N, 3] that comes from floor and wall.

    Args:
      scene: the light and the room.
      shadow: the shadow map of all solid things.
      eye: [3], position of the camera, world frame, metres.
      rays: [N, 3], directions from the eye, world frame.
    """
    eye = eye.astype(np.float32)
    with np.errstate(divide='ignore'):
        to_floor = np.where(rays[:, 2] < 0, -eye[2] / rays[:, 2], np.inf)
        towards = rays @ scene.wall_normal.astype(np.float32)
        gap = eye @ scene.wall_normal + scene.wall_distance
        to_wall = np.where(towards < 0, -gap / towards, np.inf)
    on_floor = to_floor < to_wall
    floor, wall = np.flatnonzero(on_floor), np.flatnonzero(~on_floor)
    points = eye + np.minimum(np.minimum(to_floor, to_wall), 40.0)[:, None] * rays
    points = points.astype(np.float32)
    out = np.empty_like(points)
    below = points[floor]
    light = shadow.light_below(below)
    x, y, _ = below.T
    fade = 1 / (1 + 0.02 * (x**2 + y**2))  # The lamp hangs over the middle of the room.
    # Feet and a lying body keep not only the light of the lamp off the floor, but also that of the
    # room.
    near = np.clip(0.55 + 0.45 * light, 0, 1)
    shade = scene.ambient * near + (1 - scene.ambient) * scene.light[2] * light
    colour = scenes.floor_colour(scene, below)
    if scene.cluttered:
        colour = clutter.cover(scene.seed + 1, colour, x, y)
    out[floor] = colour * (shade * fade)[:, None]
    facing = max(float(scene.wall_normal @ scene.light), 0.0)
    wall_light = scene.ambient * 1.2 + 0.2 + (1 - scene.ambient) * facing
    colour = scenes.wall_colour(scene, points[wall])
    if scene.cluttered:
        x, y, z = points[wall].T
        along = x * -scene.wall_normal[1] + y * scene.wall_normal[0]
        colour = clutter.cover(scene.seed, colour, along, z)
    out[wall] = colour * wall_light
    return out


def _solid(
    primitives: Primitives,
    body: Body,
    subject: Subject,
    scene: Scene,
    shadow: ShadowMap,
    rays: np.ndarray,
    points: np.ndarray,
    which: np.ndarray,
) -> np.ndarray:
    """Linear light [N, 3] that comes from points on solid things.

    Args:
      primitives: all solid things, world frame.
      body: the body, world frame.
      subject: the person, whose colours are used.
      scene: the light and the room.
      shadow: the shadow map of all solid things.
      rays: [N, 3], directions from the camera to the points, world frame.
      points: [N, 3], points on the surface, world frame, metres.
      which: [N] int, index of the primitive on which each point lies.
    """
    normal = surface_normals(points, which, primitives).astype(np.float32)
    albedo = _albedo(primitives.material[which], points, normal, body, subject)
    direct = np.clip(normal @ scene.light.astype(np.float32), 0, 1)
    direct *= shadow.light_at(points)
    fill = np.clip(-dot(normal, rays / np.sqrt(dot(rays, rays))[:, None]), 0, 1)
    # The ceiling is brighter than the floor, and the least light comes from a floor that is near.
    sky = 0.55 + 0.45 * normal[:, 2]
    near_floor = np.clip(0.55 + points[:, 2], 0.55, 1.0)
    shade = scene.ambient * sky * near_floor + (1 - scene.ambient) * direct + FILL * fill
    return albedo * shade[:, None]


def _albedo(
    material: np.ndarray, points: np.ndarray, normal: np.ndarray, body: Body, subject: Subject
) -> np.ndarray:
    """Linear colour [N, 3] of points on the body, whose clothes have a front and a back.

    Args:
      material: [N] int, index of the material of each point, as in subjects.py.
      points: [N, 3], world frame, metres.
      normal: [N, 3], outward unit normals, world frame.
      body: the body, world frame.
      subject: the person, whose colours are used.
    """
    linear = (subject.colours / 255).astype(np.float32) ** 2.2
    albedo = linear[material]
    torso = np.flatnonzero(material == TORSO)
    right, _, up = (_coordinates(points[torso], body.chest) / body.scale).T
    facing = normal[torso] @ body.chest[2]
    albedo[torso[facing < -0.1]] = (subject.back_colour / 255) ** 2.2
    front = facing > 0.15
    if subject.print_kind == 1:
        front &= (np.abs(right) < 0.11) & (np.abs(up + 0.17) < 0.09)
    elif subject.print_kind == 2:
        front &= (up * 12 % 1) < 0.5
    elif subject.print_kind == 3:
        front &= np.abs(right) < 0.05
    else:
        front &= (np.abs(right) < 0.015) & (up > -0.25)
    albedo[torso[front]] = (subject.print_colour / 255) ** 2.2
    below_hem = _coordinates(points[torso], body.pelvis)[:, 2] < 0.05 * body.scale
    albedo[torso[below_hem]] = linear[TROUSERS]
    kinds = np.arange(len(linear))
    cloth = np.flatnonzero(np.isin(kinds, (TORSO, SLEEVES, TROUSERS))[material])
    x, y, z = points[cloth].T
    folds = scenes.look_up_noise((x + z * 0.5 + 9) * 90, (y + z + 9) * 90)
    albedo[cloth] *= 1 + 0.07 * folds[:, None]
    bare = np.flatnonzero(np.isin(kinds, (SKIN, HAIR))[material])
    albedo[bare] = _with_face(albedo[bare], points[bare], body, linear)
    return np.clip(albedo, 0.003, 1)


def _with_face(
    albedo: np.ndarray, points: np.ndarray, body: Body, linear: np.ndarray
) -> np.ndarray:
    """Draws eyes, brows, mouth and the hairline on points of skin and hair.

    Args:
      albedo: [N, 3], linear colours of the points, which are overwritten.
      points: [N, 3], world frame, metres.
      body: the body, world frame.
      linear: [M, 3], linear colour of each material.

    Returns:
      [N, 3], the same array.
    """
    size = body.scale**0.5
    right, forward, up = local = (_coordinates(points, body.head) / size).T
    head = (np.abs(local) < 0.14).all(0)
    face = head & (forward > 0.03) & (up < 0.06 - 0.5 * np.maximum(0.07 - forward, 0))
    albedo[face & (up > -0.12)] = linear[SKIN]
    behind = head & ~face & (up > -0.05) & (forward < 0.02) & (np.abs(right) < 0.085)
    albedo[behind] = linear[HAIR]
    front = head & (forward > 0.05)
    eye = front & (np.hypot(np.abs(right) - 0.032, up - 0.008) < 0.012)
    albedo[eye] = 0.01
    brow = front & (np.abs(np.abs(right) - 0.033) < 0.018) & (np.abs(up - 0.032) < 0.006)
    albedo[brow] = linear[HAIR] * 0.6
    mouth = front & (np.abs(right) < 0.024) & (np.abs(up + 0.062) < 0.007)
    albedo[mouth] = linear[SKIN] * [0.6, 0.3, 0.3]
    return albedo


def _coordinates(points: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Coordinates [N, 3] of points in the world frame along right, forward and up of a frame.

    The rows of `frame` [4, 3] are its origin and the unit vectors right, forward and up.
    """
    return ((points - frame[0]) @ frame[1:].T).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Film:
    """How a camera makes a picture of light; the frames of a video have one film.

    Attributes:
      exposure: [3], factors of red, green and blue.
      blur: standard deviation of the blur, pixels of the crop.
      noise: standard deviation of the noise, 0 to 255.
    """

    exposure: np.ndarray
    blur: float
    noise: float


def sample_film(rng: np.random.Generator) -> Film:
    """A random exposure, white balance, blur and noise."""
    exposure = rng.uniform(1.1, 1.6) * (1 + rng.normal(0, 0.03, 3))
    return Film(exposure, rng.uniform(0, 0.7), rng.uniform(0.5, 3.5))


def _photograph(
    rng: np.random.Generator, linear: np.ndarray, affine: np.ndarray, film: Film | None
) -> np.ndarray:
    """A photograph [H, W, 3] uint8 of linear light [H, W, 3] on a film, or on a random one."""
    film = sample_film(rng) if film is None else film
    image = 255 * np.clip(linear * film.exposure, 0, 1) ** (1 / 2.2)
    if film.blur > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), film.blur)
    image = image + rng.normal(0, film.noise, image.shape)
    # The part of the crop outside the whole image is black, as in the crops of real photographs.
    height, width = image.shape[:2]
    x = (np.arange(width) - affine[0, 2]) / affine[0, 0]
    y = (np.arange(height) - affine[1, 2]) / affine[1, 1]
    image[:, (x < -0.5) | (x > IMAGE_SIZE[0] - 0.5)] = 0
    image[(y < -0.5) | (y > IMAGE_SIZE[1] - 0.5)] = 0
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)

"""Draws a person in a room, straight into the crop: geometry, light, shadows, camera noise."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from data_pipeline.datasets.synthetic import scenes
from data_pipeline.datasets.synthetic.bodies import Body
from data_pipeline.datasets.synthetic.cameras import IMAGE_SIZE, Camera
from data_pipeline.datasets.synthetic.primitives import Primitives, dot, normals
from data_pipeline.datasets.synthetic.rasterizer import draw_parallel, draw_perspective
from data_pipeline.datasets.synthetic.scenes import Scene
from data_pipeline.datasets.synthetic.subjects import HAIR, SKIN, SLEEVES, TORSO, TROUSERS, Subject

SHADOW_SIZE = 72  # texels of the shadow map, each way
SHADOW_BIAS = 0.03  # metres below a surface that its own shadow starts
FILL = 0.12  # light that comes back from the camera's side of the room


@dataclasses.dataclass(frozen=True)
class ShadowMap:
    """How far light reaches.

    Attributes:
      rotation: [3, 3], world -> light frame; light travels along +z.
      low: [2], position of the first texel, metres in the light frame.
      texel: metres.
      depth: [S, S], z of the first surface that light meets, inf where it passes.
    """

    rotation: np.ndarray
    low: np.ndarray
    texel: float
    depth: np.ndarray

    def lit(self, points: np.ndarray) -> np.ndarray:
        """Share of the light that reaches world points [N, 3], softened over a few texels."""
        x, y, z = (points @ self.rotation.T).T
        u, v = (x - self.low[0]) / self.texel, (y - self.low[1]) / self.texel
        total = np.zeros(len(points), np.float32)
        taps = ((-1.2, -0.5), (0.5, -1.2), (1.2, 0.5), (-0.5, 1.2))
        last = len(self.depth) - 1
        for du, dv in taps:
            column = np.clip(np.rint(u + du), 0, last).astype(np.int32)
            row = np.clip(np.rint(v + dv), 0, last).astype(np.int32)
            total += self.depth.take(row * (last + 1) + column) > z - SHADOW_BIAS
        return total / len(taps)

    def lit_below(self, points: np.ndarray) -> np.ndarray:
        """The same for points [N, 3] under everything solid, as the floor's are: smoother."""
        solid = cv2.GaussianBlur(np.isfinite(self.depth).astype(np.float32), (0, 0), 0.9)
        last = len(solid) - 1.001
        uv = (points @ self.rotation[:2].T.astype(np.float32) - self.low) / self.texel
        u, v = np.clip(uv, 0, last).astype(np.float32).T
        column, row = u.astype(np.int32), v.astype(np.int32)
        u, v = u - column, v - row
        upper = solid[row, column] * (1 - u) + solid[row, column + 1] * u
        lower = solid[row + 1, column] * (1 - u) + solid[row + 1, column + 1] * u
        return 1 - upper * (1 - v) - lower * v


def shadow_map(primitives: Primitives, light: np.ndarray) -> ShadowMap:
    """Shadow map of world-frame primitives under light from direction `light` [3]."""
    side = np.cross([0.0, 1.0, 0.0], -light)
    side /= np.linalg.norm(side)
    rotation = np.stack([side, np.cross(-light, side), -light])
    moved = primitives.moved(rotation, np.zeros(3))
    radius = (primitives.reach * np.maximum(primitives.radius_a, primitives.radius_b))[:, None]
    low = (np.minimum(moved.origin, moved.end) - radius)[:, :2].min(0)
    high = (np.maximum(moved.origin, moved.end) + radius)[:, :2].max(0)
    texel = float((high - low).max() / (SHADOW_SIZE - 9))
    low = low - 4 * texel  # an empty border, which stands for everything outside the map
    raster = draw_parallel(moved, low, texel, (SHADOW_SIZE, SHADOW_SIZE))
    return ShadowMap(rotation, low, texel, raster.depth)


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
) -> np.ndarray:
    """The crop [H, W, 3] uint8 RGB of a person in a room.

    Args:
      rng: source of the camera's noise.
      primitives: everything solid, world frame, metres; the body's own come first.
      body: for the frames that clothes and face hang on, world frame.
      subject: colours.
      camera: pinhole camera of the whole image.
      scene: light and room.
      affine: [2, 3], whole-image pixels -> crop pixels, without rotation.
      crop_size: (width, height), pixels.
      supersample: rays per pixel, each way.
    """
    shadow = shadow_map(primitives, scene.light)
    # Only silhouettes need the finer grid; the room behind is drawn on the crop's own.
    rays = _world_rays(camera, _crop_intrinsics(camera, affine, 1), *_pixels(crop_size))
    room = _room(scene, shadow, camera.position, rays).reshape(crop_size[1], crop_size[0], 3)

    size = (crop_size[0] * supersample, crop_size[1] * supersample)
    intrinsics = _crop_intrinsics(camera, affine, supersample)
    in_camera = primitives.moved(camera.rotation, -camera.rotation @ camera.position)
    raster = draw_perspective(in_camera, intrinsics, size)
    seen = np.flatnonzero(raster.which >= 0)
    rays = _world_rays(camera, intrinsics, seen % size[0], seen // size[0])
    points = camera.position.astype(np.float32) + raster.depth.take(seen)[:, None] * rays
    # Colour and, last, the share of a pixel that is covered.
    person = np.zeros((size[1] * size[0], 4), np.float32)
    person[seen, :3] = _solid(
        primitives, body, subject, scene, shadow, rays, points, raster.which.take(seen)
    )
    person[seen, 3] = 1
    person = person.reshape(size[1], size[0], 4)
    person = cv2.resize(person, crop_size, interpolation=cv2.INTER_AREA)
    return _photograph(rng, person[..., :3] + (1 - person[..., 3:]) * room, affine)


def _crop_intrinsics(camera: Camera, affine: np.ndarray, supersample: int) -> np.ndarray:
    """[4] fx, fy, cx, cy of the crop's grid with `supersample` rays per pixel each way."""
    fx, fy, cx, cy = camera.intrinsics
    sx, sy = affine[0, 0], affine[1, 1]
    shift = (supersample - 1) / 2  # the middle of the first pixel on the finer grid
    crop = np.array([sx * fx, sy * fy, sx * cx + affine[0, 2], sy * cy + affine[1, 2]])
    return supersample * crop + [0, 0, shift, shift]


def _pixels(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel of a grid, row by row, each [H * W]."""
    y, x = np.divmod(np.arange(size[0] * size[1]), size[0])
    return x, y


def _world_rays(camera: Camera, intrinsics: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Directions [N, 3] float32 in the world, of camera depth 1, through pixels x [N], y [N]."""
    fx, fy, cx, cy = intrinsics
    x, y = (x - cx) / fx, (y - cy) / fy
    rays = np.empty((len(x), 3), np.float32)
    for axis, (right, down, forward) in enumerate(camera.rotation.T):
        rays[:, axis] = y * down + forward + x * right
    return rays


def _room(scene: Scene, shadow: ShadowMap, eye: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """Light [N, 3] from floor and wall along `rays` [N, 3] from `eye`."""
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
    lit = shadow.lit_below(below)
    x, y, _ = below.T
    fade = 1 / (1 + 0.02 * (x**2 + y**2))  # the lamp hangs over the middle
    # Feet and a lying body keep the room's light off the floor too.
    near = np.clip(0.55 + 0.45 * lit, 0, 1)
    shade = scene.ambient * near + (1 - scene.ambient) * scene.light[2] * lit
    out[floor] = scenes.floor_colour(scene, below) * (shade * fade)[:, None]
    facing = max(float(scene.wall_normal @ scene.light), 0.0)
    wall_light = scene.ambient * 1.2 + 0.2 + (1 - scene.ambient) * facing
    out[wall] = scenes.wall_colour(scene, points[wall]) * wall_light
    return out


def _solid(primitives, body, subject, scene, shadow, rays, points, which) -> np.ndarray:
    """Light [N, 3] from surface `points` [N, 3] of primitives `which` [N] along `rays` [N, 3]."""
    # normals() takes the primitives' own frame, the world.
    normal = normals(points, which, primitives).astype(np.float32)
    albedo = _albedo(primitives.material[which], points, normal, body, subject)
    direct = np.clip(normal @ scene.light.astype(np.float32), 0, 1)
    direct *= shadow.lit(points)
    fill = np.clip(-dot(normal, rays / np.sqrt(dot(rays, rays))[:, None]), 0, 1)
    # The ceiling is brighter than the floor, and least light comes from where the floor is near.
    sky = 0.55 + 0.45 * normal[:, 2]
    near_floor = np.clip(0.55 + points[:, 2], 0.55, 1.0)
    shade = scene.ambient * sky * near_floor + (1 - scene.ambient) * direct + FILL * fill
    return albedo * shade[:, None]


def _albedo(material, points, normal, body: Body, subject: Subject) -> np.ndarray:
    """Linear colour [N, 3] of body points: clothes with a front and a back, a face, hair."""
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


def _with_face(albedo, points, body: Body, linear) -> np.ndarray:
    """Skin and hair with eyes, brows, mouth and the hairline drawn on the head."""
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
    """World points [N, 3] in a frame [4, 3] of origin, right, forward, up."""
    return ((points - frame[0]) @ frame[1:].T).astype(np.float32)


def _photograph(rng: np.random.Generator, linear: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Exposure, white balance, blur and noise of a camera: [H, W, 3] light -> uint8."""
    exposure = rng.uniform(1.1, 1.6) * (1 + rng.normal(0, 0.03, 3))
    image = 255 * np.clip(linear * exposure, 0, 1) ** (1 / 2.2)
    blur = rng.uniform(0, 0.7)
    if blur > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    image = image + rng.normal(0, rng.uniform(0.5, 3.5), image.shape)
    # What lies outside the whole image is black, as in every other crop.
    height, width = image.shape[:2]
    x = (np.arange(width) - affine[0, 2]) / affine[0, 0]
    y = (np.arange(height) - affine[1, 2]) / affine[1, 1]
    image[:, (x < -0.5) | (x > IMAGE_SIZE[0] - 0.5)] = 0
    image[(y < -0.5) | (y > IMAGE_SIZE[1] - 0.5)] = 0
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)

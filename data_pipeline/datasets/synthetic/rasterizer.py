"""Z-buffered drawing of primitives, each only inside its own bounding box, all in one array pass.

Rays meet the primitives exactly, so limbs get the thickness that perspective gives them.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from data_pipeline.datasets.synthetic.primitives import Primitives, enter

NEAREST = 0.2  # metres, nothing is drawn nearer to the camera


@dataclasses.dataclass(frozen=True)
class Raster:
    """What a grid of rays sees.

    Attributes:
      depth: [H, W] float32, distance along the ray in units of its direction, inf for nothing.
      which: [H, W] int32, index of the primitive seen, -1 for none.
    """

    depth: np.ndarray
    which: np.ndarray


def draw_perspective(
    primitives: Primitives, intrinsics: np.ndarray, size: tuple[int, int]
) -> Raster:
    """The primitives as a pinhole camera at the origin, looking along z, sees them.

    Args:
      primitives: in the camera frame, metres.
      intrinsics: [4] fx, fy, cx, cy of the drawn grid, pixels; pixel centres are integers.
      size: (width, height) of the grid.
    """
    fx, fy, cx, cy = intrinsics
    discs = [
        _disc(primitives.origin, primitives.reach * primitives.radius_a, intrinsics),
        _disc(primitives.end, primitives.reach * primitives.radius_b, intrinsics),
    ]
    which, x, y = _pairs(*discs[0], *discs[1], size)
    to_local, start = _columns(primitives)
    dx = (x.astype(np.float32) - np.float32(cx)) / np.float32(fx)
    dy = (y.astype(np.float32) - np.float32(cy)) / np.float32(fy)
    origins, directions = [], []
    for i in range(3):
        mx, my, mz = (column.take(which) for column in to_local[i])
        directions.append(mx * dx + my * dy + mz)
        origins.append(start[i].take(which))
    return _resolve(primitives, which, x, y, origins, directions, size)


def draw_parallel(
    primitives: Primitives, low: np.ndarray, texel: float, size: tuple[int, int]
) -> Raster:
    """The primitives as parallel rays along z see them; depth is the z coordinate.

    Args:
      primitives: in the frame of the rays, metres.
      low: [2], x and y of the grid's first pixel centre, metres.
      texel: distance of two pixels, metres.
      size: (width, height) of the grid.
    """
    which, x, y = _pairs(
        (primitives.origin[:, :2] - low) / texel,
        primitives.reach * primitives.radius_a / texel,
        (primitives.end[:, :2] - low) / texel,
        primitives.reach * primitives.radius_b / texel,
        size,
    )
    to_local, start = _columns(primitives)
    px = x.astype(np.float32) * np.float32(texel) + np.float32(low[0])
    py = y.astype(np.float32) * np.float32(texel) + np.float32(low[1])
    origins, directions = [], []
    for i in range(3):
        mx, my, mz = (column.take(which) for column in to_local[i])
        origins.append(start[i].take(which) + mx * px + my * py)
        directions.append(mz)
    return _resolve(primitives, which, x, y, origins, directions, size)


def _columns(primitives: Primitives) -> tuple[np.ndarray, np.ndarray]:
    """`to_local` as [3, 3, P] and the local position of the frame's origin [3, P], float32."""
    start = -np.einsum('pij,pj->ip', primitives.to_local, primitives.origin)
    to_local = np.ascontiguousarray(np.moveaxis(primitives.to_local, 0, -1), np.float32)
    return to_local, start.astype(np.float32)


def _disc(centre: np.ndarray, radius: np.ndarray, intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Discs that hold the pictures of spheres: middles [P, 2] and radii [P], pixels."""
    middles, radii = [], []
    z = np.maximum(centre[:, 2], NEAREST + radius)
    for axis in range(2):
        # Tangents of the sphere: away from the axis its picture is wider than radius / depth.
        angle = np.arctan2(centre[:, axis], z)
        half = np.arcsin(np.minimum(radius / np.hypot(centre[:, axis], z), 0.99))
        low, high = np.tan(np.clip([angle - half, angle + half], -1.5, 1.5))
        middles.append(intrinsics[axis] * (low + high) / 2 + intrinsics[axis + 2])
        radii.append(intrinsics[axis] * (high - low) / 2)
    # The picture is an ellipse; its long half-axis is at most the hypotenuse of these.
    return np.stack(middles, 1), np.maximum(*radii) * 1.03


def _pairs(a, radius_a, b, radius_b, size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (primitive, pixel) in the hull of two discs, row by row: which, x, y, each [N].

    Args:
      a: [P, 2], middles of the first discs, pixels.
      radius_a: [P], pixels.
      b: [P, 2], middles of the second discs.
      radius_b: [P].
      size: (width, height) of the grid.
    """
    top = np.minimum(a[:, 1] - radius_a, b[:, 1] - radius_b)
    bottom = np.maximum(a[:, 1] + radius_a, b[:, 1] + radius_b)
    y0 = np.clip(np.ceil(top), 0, size[1]).astype(np.int64)
    y1 = np.clip(np.floor(bottom) + 1, 0, size[1]).astype(np.int64)
    owner, y = _ranges(y0, y1)
    # The discs along the hull that touch this row have their middles in a stretch of a..b.
    radius = np.maximum(radius_a, radius_b)[owner]
    rise = (b[:, 1] - a[:, 1])[owner]
    rise = np.where(np.abs(rise) < 1e-6, 1e-6, rise)
    ends = (y - a[owner, 1] + np.stack([-radius, radius])) / rise
    x = a[owner, 0] + np.clip(ends, 0, 1) * (b[:, 0] - a[:, 0])[owner]
    x0 = np.clip(np.ceil(x.min(0) - radius), 0, size[0]).astype(np.int64)
    x1 = np.clip(np.floor(x.max(0) + radius) + 1, 0, size[0]).astype(np.int64)
    row, x = _ranges(x0, x1)
    return owner[row], x, y[row]


def _ranges(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of many ranges end to end: which range [N], number [N]."""
    count = np.maximum(stop - start, 0)
    which = np.repeat(np.arange(len(count)), count)
    offset = start - (np.cumsum(count) - count)
    return which, np.arange(len(which)) + offset.take(which)


def _resolve(primitives, which, x, y, origins, directions, size) -> Raster:
    """The nearest hit of each pixel."""
    shape = [array.astype(np.float32).take(which) for array in primitives.shape]
    t = enter(origins, directions, shape)
    hit = np.isfinite(t)
    pixel, t, which = (y * size[0] + x)[hit], t[hit].astype(np.float32), which[hit]
    depth = np.full(size[0] * size[1], np.inf, np.float32)
    np.minimum.at(depth, pixel, t)
    nearest = t == depth[pixel]
    seen = np.full(size[0] * size[1], -1, np.int32)
    seen[pixel[nearest]] = which[nearest]
    return Raster(depth.reshape(size[1], size[0]), seen.reshape(size[1], size[0]))

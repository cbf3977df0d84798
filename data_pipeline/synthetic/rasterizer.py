"""Z-buffered drawing of primitives, each only inside its own bounding box, all in one array pass.

Rays meet the primitives exactly, so limbs get the thickness that perspective gives them.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from data_pipeline.synthetic.primitives import Primitives, enter

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
    a, b = primitives.origin, primitives.end
    radius_a = primitives.reach * primitives.radius_a
    radius_b = primitives.reach * primitives.radius_b
    bounds = []
    for axis, focal, centre in ((0, fx, cx), (1, fy, cy)):
        sides = []
        for sign in (-1, 1):
            ends = []
            for point, radius in ((a, radius_a), (b, radius_b)):
                # The sphere's tangent: its silhouette is wider than radius / depth off the axis.
                x, z = point[:, axis], np.maximum(point[:, 2], NEAREST + radius)
                angle = np.arctan2(x, z) + sign * np.arcsin(
                    np.minimum(radius / np.hypot(x, z), 0.99)
                )
                ends.append(focal * np.tan(np.clip(angle, -1.5, 1.5)) + centre)
            sides.append(np.minimum(*ends) if sign < 0 else np.maximum(*ends))
        bounds.append(sides)
    which, x, y = _pairs(bounds, size)
    to_local = primitives.to_local.astype(np.float32)
    start = -np.einsum('pij,pj->pi', primitives.to_local, primitives.origin).astype(np.float32)
    dx = (x.astype(np.float32) - np.float32(cx)) / np.float32(fx)
    dy = (y.astype(np.float32) - np.float32(cy)) / np.float32(fy)
    origins, directions = [], []
    for i in range(3):
        row = to_local[:, i, :]
        directions.append(row[which, 0] * dx + row[which, 1] * dy + row[which, 2])
        origins.append(start[which, i])
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
    a, b = primitives.origin, primitives.end
    radius_a = primitives.reach * primitives.radius_a
    radius_b = primitives.reach * primitives.radius_b
    bounds = [
        [
            (np.minimum(a[:, i] - radius_a, b[:, i] - radius_b) - low[i]) / texel,
            (np.maximum(a[:, i] + radius_a, b[:, i] + radius_b) - low[i]) / texel,
        ]
        for i in range(2)
    ]
    which, x, y = _pairs(bounds, size)
    to_local = primitives.to_local.astype(np.float32)
    start = -np.einsum('pij,pj->pi', primitives.to_local, primitives.origin).astype(np.float32)
    px = x.astype(np.float32) * np.float32(texel) + np.float32(low[0])
    py = y.astype(np.float32) * np.float32(texel) + np.float32(low[1])
    origins, directions = [], []
    for i in range(3):
        row = to_local[:, i, :]
        origins.append(start[which, i] + row[which, 0] * px + row[which, 1] * py)
        directions.append(row[which, 2])
    return _resolve(primitives, which, x, y, origins, directions, size)


def _pairs(bounds, size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every (primitive, pixel) whose pixel lies in the primitive's box: which, x, y, each [N]."""
    (left, right), (top, bottom) = bounds
    x0 = np.clip(np.floor(left), 0, size[0]).astype(np.int32)
    x1 = np.clip(np.ceil(right) + 1, 0, size[0]).astype(np.int32)
    y0 = np.clip(np.floor(top), 0, size[1]).astype(np.int32)
    y1 = np.clip(np.ceil(bottom) + 1, 0, size[1]).astype(np.int32)
    width = np.maximum(x1 - x0, 0)
    count = width * np.maximum(y1 - y0, 0)
    which = np.repeat(np.arange(len(count), dtype=np.int32), count)
    position = np.arange(len(which), dtype=np.int32) - np.repeat(
        (np.cumsum(count) - count).astype(np.int32), count
    )
    row, column = np.divmod(position, width[which])
    return which, x0[which] + column, y0[which] + row


def _resolve(primitives, which, x, y, origins, directions, size) -> Raster:
    """The nearest hit of each pixel."""
    t = enter(
        origins,
        directions,
        primitives.length.astype(np.float32)[which],
        primitives.radius_a.astype(np.float32)[which],
        primitives.radius_b.astype(np.float32)[which],
    )
    hit = np.isfinite(t)
    pixel, t, which = (y * size[0] + x)[hit], t[hit].astype(np.float32), which[hit]
    depth = np.full(size[0] * size[1], np.inf, np.float32)
    np.minimum.at(depth, pixel, t)
    nearest = t == depth[pixel]
    seen = np.full(size[0] * size[1], -1, np.int32)
    seen[pixel[nearest]] = which[nearest]
    return Raster(depth.reshape(size[1], size[0]), seen.reshape(size[1], size[0]))

"""Draws primitives with a depth buffer: which primitive each pixel shows, and how far away.

Every ray meets the primitives exactly, so limbs get the thickness that perspective gives them. All
primitives are drawn in one pass of array arithmetic, which looks at each primitive only in the
pixels around its own picture.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from data_pipeline.datasets.synthetic.primitives import Primitives, enter

NEAREST = 0.2  # Metres; nothing is drawn nearer to the camera than this.


@dataclasses.dataclass(frozen=True)
class Raster:
    """The first surface that each ray of a grid meets.

    Attributes:
      depth: [H, W] float32, distance along the ray in lengths of its direction; inf where the ray
        meets nothing.
      which: [H, W] int32, index of the primitive that the ray meets first; -1 where it meets none.
    """

    depth: np.ndarray
    which: np.ndarray


def draw_perspective(
    primitives: Primitives, intrinsics: np.ndarray, size: tuple[int, int]
) -> Raster:
    """The primitives as a pinhole camera at the origin sees them.

    Args:
      primitives: the primitives, camera frame, metres; the camera looks along z.
      intrinsics: [4], fx, fy, cx and cy of the grid, pixels; pixel centres are integers.
      size: width and height of the grid, pixels.

    Returns:
      The raster, whose depth is the z coordinate in the camera frame, metres.
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
    """The primitives as parallel rays along z meet them.

    Args:
      primitives: the primitives, in the frame of the rays, metres.
      low: [2], x and y of the centre of the first pixel of the grid, metres.
      texel: distance between the centres of two neighbouring pixels, metres.
      size: width and height of the grid, pixels.

    Returns:
      The raster, whose depth is the z coordinate in the frame of the rays, metres.
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
    """`to_local` as [3, 3, P] and the local coordinates [3, P] of the frame's origin, float32."""
    start = -np.einsum('pij,pj->ip', primitives.to_local, primitives.origin)
    to_local = np.ascontiguousarray(np.moveaxis(primitives.to_local, 0, -1), np.float32)
    return to_local, start.astype(np.float32)


def _disc(
    centre: np.ndarray, radius: np.ndarray, intrinsics: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Discs that contain the pictures of spheres: their middles [P, 2] and radii [P], pixels.

    Args:
      centre: [P, 3], centres of the spheres, camera frame, metres.
      radius: [P], metres.
      intrinsics: [4], fx, fy, cx and cy, pixels.
    """
    middles, radii = [], []
    z = np.maximum(centre[:, 2], NEAREST + radius)
    for axis in range(2):
        # The tangents of the sphere bound its picture. Away from the optical axis the picture is
        # wider than radius / depth.
        angle = np.arctan2(centre[:, axis], z)
        half = np.arcsin(np.minimum(radius / np.hypot(centre[:, axis], z), 0.99))
        low, high = np.tan(np.clip([angle - half, angle + half], -1.5, 1.5))
        middles.append(intrinsics[axis] * (low + high) / 2 + intrinsics[axis + 2])
        radii.append(intrinsics[axis] * (high - low) / 2)
    # The picture is an ellipse whose long half-axis exceeds these radii only slightly.
    return np.stack(middles, 1), np.maximum(*radii) * 1.03


def _pairs(
    a: np.ndarray,
    radius_a: np.ndarray,
    b: np.ndarray,
    radius_b: np.ndarray,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair of a primitive and a pixel that its picture may cover.

    The picture of a primitive lies in the convex hull of two discs.

    Args:
      a: [P, 2], middles of the first discs, pixels.
      radius_a: [P], radii of the first discs, pixels.
      b: [P, 2], middles of the second discs, pixels.
      radius_b: [P], radii of the second discs, pixels.
      size: width and height of the grid, pixels.

    Returns:
      For each pair, the index of the primitive and the x and y of the pixel, [N] each.
    """
    top = np.minimum(a[:, 1] - radius_a, b[:, 1] - radius_b)
    bottom = np.maximum(a[:, 1] + radius_a, b[:, 1] + radius_b)
    y0 = np.clip(np.ceil(top), 0, size[1]).astype(np.int64)
    y1 = np.clip(np.floor(bottom) + 1, 0, size[1]).astype(np.int64)
    owner, y = _ranges(y0, y1)
    # The discs of the hull that touch this row have their middles on a part of the line a to b.
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
    """The numbers of many ranges one after the other: index of the range [N] and number [N]."""
    count = np.maximum(stop - start, 0)
    which = np.repeat(np.arange(len(count)), count)
    offset = start - (np.cumsum(count) - count)
    return which, np.arange(len(which)) + offset.take(which)


def _resolve(
    primitives: Primitives,
    which: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    origins: list[np.ndarray],
    directions: list[np.ndarray],
    size: tuple[int, int],
) -> Raster:
    """The nearest primitive of each pixel.

    Args:
      primitives: all primitives.
      which: [N] int, index of the primitive of each pair of a primitive and a pixel.
      x: [N] int, column of the pixel.
      y: [N] int, row of the pixel.
      origins: three arrays [N], start of the pixel's ray in the local frame of the primitive.
      directions: three arrays [N], direction of the pixel's ray in that frame.
      size: width and height of the grid, pixels.
    """
    shape = [array.astype(np.float32).take(which) for array in primitives.shape]
    t = enter(origins, directions, shape)
    hit = np.isfinite(t)
    pixel, t, which = (y * size[0] + x)[hit], t[hit].astype(np.float32), which[hit]
    depth = np.full(size[0] * size[1], np.inf, np.float32)
    np.minimum.at(depth, pixel, t)
    nearest = t == depth[pixel]
    first = np.full(size[0] * size[1], -1, np.int32)
    first[pixel[nearest]] = which[nearest]
    return Raster(depth.reshape(size[1], size[0]), first.reshape(size[1], size[0]))

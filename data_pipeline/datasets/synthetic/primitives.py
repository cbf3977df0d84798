"""Rounded cones and ellipsoids: their intersection with many rays at once.

Every primitive is the convex hull of two spheres (radii `radius_a`, `radius_b`, a distance `length`
apart on the local z axis), seen through a linear map. So one formula covers spheres, ellipsoids,
capsules, rounded cones and all of these flattened, as a chest is wider than deep.
"""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Primitives:
    """P primitives. A point x lies at `to_local @ (x - origin)` in the local frame.

    Attributes:
      origin: [P, 3], centre of the first sphere, metres.
      to_local: [P, 3, 3], rotation into the local frame, then division by the stretch of each axis.
      length: [P], distance of the two local spheres; 0 for an ellipsoid.
      radius_a: [P], local radius at the origin.
      radius_b: [P], local radius at the other end.
      reach: [P], largest stretch of a local radius, so that `reach * radius` bounds it in metres.
      material: [P] int, what it is made of, an index of the caller's.
    """

    origin: np.ndarray
    to_local: np.ndarray
    length: np.ndarray
    radius_a: np.ndarray
    radius_b: np.ndarray
    reach: np.ndarray
    material: np.ndarray

    def __len__(self) -> int:
        return len(self.length)

    @property
    def sine(self) -> np.ndarray:
        """Sine of half the cones' opening angle [P]; 0 for ellipsoids and capsules."""
        length = np.maximum(self.length, 1e-9)
        return np.where(self.length > 0, (self.radius_a - self.radius_b) / length, 0.0)

    @property
    def shape(self) -> tuple[np.ndarray, ...]:
        """length, radius_a, radius_b, sine: what `enter` needs."""
        return self.length, self.radius_a, self.radius_b, self.sine

    @property
    def end(self) -> np.ndarray:
        """Centre of the second sphere, [P, 3]."""
        axis = np.linalg.inv(self.to_local)[:, :, 2]
        return self.origin + self.length[:, None] * axis

    def joined(self, other: Primitives) -> Primitives:
        """These primitives, then the other ones."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Primitives(*(np.concatenate(pair) for pair in pairs))

    def moved(self, rotation: np.ndarray, translation: np.ndarray) -> Primitives:
        """The same primitives where points map to `rotation @ x + translation`."""
        return dataclasses.replace(
            self,
            origin=self.origin @ rotation.T + translation,
            to_local=self.to_local @ rotation.T,
        )


class PrimitiveList:
    """Collects primitives one by one; the arithmetic is done for all at once, in `build`."""

    def __init__(self):
        self._rows: list[tuple] = []
        self._ellipsoids: dict[int, np.ndarray] = {}

    def add(self, a, b, radius_a, radius_b, material, side=None, stretch=(1.0, 1.0)) -> None:
        """A rounded cone from a to b [3].

        Args:
          a: centre of the first sphere.
          b: centre of the second sphere.
          radius_a: radius at a, metres.
          radius_b: radius at b, metres.
          material: index of the material.
          side: [3], direction that `stretch[0]` acts on; any by default.
          stretch: factors of the cross-section along `side` and across it.
        """
        side = _ANY_SIDE if side is None else side
        self._rows.append((a, b, radius_a, radius_b, material, side, stretch))

    def add_ellipsoid(self, centre, axes, radii, material) -> None:
        """An ellipsoid with half-axes `radii` [3] (metres) along the rows of `axes` [3, 3]."""
        self._ellipsoids[len(self._rows)] = np.asarray(axes) / np.asarray(radii)[:, None]
        size = float(np.max(radii))
        self._rows.append((centre, centre, 1.0, 1.0, material, _ANY_SIDE, (size, size)))

    def build(self) -> Primitives:
        """All that was added, in order."""
        columns = zip(*self._rows, strict=True)
        a, b, radius_a, radius_b, material, side, stretch = map(np.array, columns)
        axis = b - a
        length = np.sqrt((axis * axis).sum(1))
        # A ball that holds the other one whole needs no cone between them.
        ball = length <= np.abs(radius_a - radius_b) + 1e-4
        a = np.where((ball & (radius_b > radius_a))[:, None], b, a)
        larger = np.maximum(radius_a, radius_b)
        radius_a, radius_b = np.where(ball, larger, radius_a), np.where(ball, larger, radius_b)
        to_local = _frames(axis, side)
        to_local[:, :2] /= stretch[:, :, None]
        for row, matrix in self._ellipsoids.items():
            to_local[row] = matrix
        reach = np.maximum(stretch.max(1), 1.0)
        reach[list(self._ellipsoids)] = stretch[list(self._ellipsoids), 0]
        return Primitives(
            a, to_local, np.where(ball, 0.0, length), radius_a, radius_b, reach, material
        )


_ANY_SIDE = (0.36, 0.48, 0.8)  # a direction that hardly anything has exactly


def _frames(axis: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Rows (side, across, axis) of right-handed orthonormal frames [P, 3, 3]; any for no axis."""
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    axis = np.where(np.abs(axis).sum(1, keepdims=True) > 0.5, axis, [0.0, 0.0, 1.0])
    side = side - (side * axis).sum(1, keepdims=True) * axis
    length = np.linalg.norm(side, axis=1, keepdims=True)
    # An axis that happens to be the side takes another one.
    spare = np.where(np.abs(axis[:, :1]) < 0.7, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    spare = spare - (spare * axis).sum(1, keepdims=True) * axis
    side = np.where(length > 1e-6, side, spare)
    side = side / np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([side, np.cross(axis, side), axis], 1)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product of two [3] vectors, without the checks that make NumPy's ten times slower."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def enter(origins, directions, shape) -> np.ndarray:
    """Where rays enter local rounded cones: t of origin + t * direction, inf where they miss.

    All arguments broadcast over N rays; each ray meets its own primitive.

    Args:
      origins: three arrays (x, y, z), local frame.
      directions: three arrays (x, y, z), local frame, any length.
      shape: arrays length, radius_a, radius_b and sine, as `Primitives` has them.
    """
    ox, oy, oz = origins
    dx, dy, dz = directions
    length, radius_a, radius_b, sine = shape
    from_a, from_b = sine * radius_a, length + sine * radius_b  # z range of the conical part

    across_dd = dx * dx + dy * dy
    across_od = ox * dx + oy * dy
    across_oo = ox * ox + oy * oy
    # The convex body is entered once: through the sphere at a, at b, or through the cone, and
    # each candidate counts only on its own part of the axis.
    dd = across_dd + dz * dz
    t_a = _near_root(dd, across_od + oz * dz, across_oo + oz * oz - radius_a * radius_a)
    bz = oz - length
    t_b = _near_root(dd, across_od + bz * dz, across_oo + bz * bz - radius_b * radius_b)
    slope, reach, cos2 = sine * dz, radius_a - sine * oz, 1 - sine * sine
    t_cone = _near_root(
        cos2 * across_dd - slope * slope,
        cos2 * across_od + reach * slope,
        cos2 * across_oo - reach * reach,
    )
    # A miss is NaN, and NaN fails every comparison.
    t = np.where((oz + t_a * dz <= from_a) | (length <= 0), t_a, np.nan)
    t = np.fmin(t, np.where(oz + t_b * dz >= from_b, t_b, np.nan))
    z = oz + t_cone * dz
    t = np.fmin(t, np.where((z > from_a) & (z < from_b), t_cone, np.nan))
    return np.where(np.isnan(t), np.inf, t)


def _near_root(a, b, c) -> np.ndarray:
    """The root of a t^2 + 2 b t + c where the value falls through zero, NaN where none does."""
    with np.errstate(invalid='ignore', divide='ignore'):
        return (-b - np.sqrt(b * b - a * c)) / a


def normals(points: np.ndarray, which: np.ndarray, primitives: Primitives) -> np.ndarray:
    """Outward unit normals [N, 3] at surface `points` [N, 3] of primitives `which` [N]."""
    to_local = primitives.to_local.astype(np.float32)[which]
    p = np.einsum('nij,nj->ni', to_local, points - primitives.origin.astype(np.float32)[which])
    length, sine = primitives.length[which], primitives.sine[which]
    across = np.hypot(p[:, 0], p[:, 1])
    p[:, 2] -= np.clip(p[:, 2] - sine / np.sqrt(1 - sine * sine) * across, 0.0, length)
    normal = np.einsum('nij,ni->nj', to_local, p)
    return normal / np.maximum(np.sqrt(dot(normal, normal)), 1e-9)[:, None]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products [N] of vectors [N, 3]; NumPy's sum over the last axis takes longer."""
    return a[:, 0] * b[:, 0] + (a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2])


def first_hit(primitives: Primitives, directions: np.ndarray) -> np.ndarray:
    """Depth along each ray from the origin to the nearest primitive, [N]; inf where none is hit.

    Args:
      primitives: in the frame whose origin the rays leave from.
      directions: [N, 3]; with z = 1 the result is the camera depth.
    """
    local = np.einsum('pij,nj->ipn', primitives.to_local, directions)
    start = -np.einsum('pij,pj->ip', primitives.to_local, primitives.origin)[:, :, None]
    t = enter(start, local, [array[:, None] for array in primitives.shape])
    return t.min(axis=0)

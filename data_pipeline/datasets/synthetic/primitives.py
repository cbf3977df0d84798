"""Rounded cones and ellipsoids, and where many rays at once meet them.

Every primitive is the convex hull of two spheres under a linear map. In the local frame, the
spheres have the radii `radius_a` and `radius_b`, and their centres lie `length` apart on the z
axis. One formula therefore covers spheres, ellipsoids, capsules, rounded cones and flattened ones,
such as a chest that is wider than deep.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from data_pipeline.datasets.synthetic.vectors import dot


@dataclasses.dataclass(frozen=True)
class Primitives:
    """P primitives. A point x has the local coordinates `to_local @ (x - origin)`.

    Attributes:
      origin: [P, 3], centre of the first sphere, metres.
      to_local: [P, 3, 3], rotates vectors into the local frame and then divides each axis by its
        stretch.
      length: [P], distance between the centres of the local spheres; 0 for an ellipsoid.
      radius_a: [P], radius of the local sphere at the origin.
      radius_b: [P], radius of the local sphere at the other end.
      reach: [P], largest stretch of a local radius, so that `reach * radius` is the largest radius
        in metres.
      material: [P] int, index of the material, whose meaning the caller defines.
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
        """[P], sine of half the opening angle of each cone; 0 for ellipsoids and capsules."""
        length = np.maximum(self.length, 1e-9)
        return np.where(self.length > 0, (self.radius_a - self.radius_b) / length, 0.0)

    @property
    def shape(self) -> tuple[np.ndarray, ...]:
        """The arrays length, radius_a, radius_b and sine [P] each, in the order `enter` needs."""
        return self.length, self.radius_a, self.radius_b, self.sine

    @property
    def end(self) -> np.ndarray:
        """[P, 3], centre of the second sphere, metres."""
        axis = np.linalg.inv(self.to_local)[:, :, 2]
        return self.origin + self.length[:, None] * axis

    def join(self, other: Primitives) -> Primitives:
        """These primitives followed by the other ones."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Primitives(*(np.concatenate(pair) for pair in pairs))

    def transform(self, rotation: np.ndarray, translation: np.ndarray) -> Primitives:
        """The same primitives in another frame.

        Args:
          rotation: [3, 3], rotates vectors into the other frame.
          translation: [3], metres; a point x becomes `rotation @ x + translation`.
        """
        return dataclasses.replace(
            self,
            origin=self.origin @ rotation.T + translation,
            to_local=self.to_local @ rotation.T,
        )


class PrimitiveList:
    """Collects primitives one by one; `build` does the arithmetic for all of them at once."""

    def __init__(self):
        self._rows: list[tuple] = []
        self._ellipsoids: dict[int, np.ndarray] = {}

    def add(
        self,
        a: np.ndarray,
        b: np.ndarray,
        radius_a: float,
        radius_b: float,
        material: int,
        side: np.ndarray | None = None,
        stretch: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """Adds a rounded cone.

        Args:
          a: [3], centre of the first sphere, metres.
          b: [3], centre of the second sphere, metres.
          radius_a: radius at a, metres.
          radius_b: radius at b, metres.
          material: index of the material.
          side: [3], direction that `stretch[0]` acts on; an arbitrary one by default.
          stretch: factors of the cross-section along `side` and across it.
        """
        along = _ANY_SIDE if side is None else side
        self._rows.append((a, b, radius_a, radius_b, material, along, stretch))

    def add_ellipsoid(
        self, centre: np.ndarray, axes: np.ndarray, radii: np.ndarray, material: int
    ) -> None:
        """Adds an ellipsoid.

        Args:
          centre: [3], metres.
          axes: [3, 3], whose rows are the unit vectors of its axes.
          radii: [3], length of each half-axis, metres.
          material: index of the material.
        """
        self._ellipsoids[len(self._rows)] = np.asarray(axes) / np.asarray(radii)[:, None]
        size = float(np.max(radii))
        self._rows.append((centre, centre, 1.0, 1.0, material, _ANY_SIDE, (size, size)))

    def build(self) -> Primitives:
        """All primitives of the list in the order in which they were added."""
        columns = zip(*self._rows, strict=True)
        a, b, radius_a, radius_b, material, side, stretch = map(np.array, columns)
        axis = b - a
        length = np.sqrt((axis * axis).sum(1))
        # Where one sphere contains the other, the hull is that sphere and has no conical part.
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


_ANY_SIDE = (0.36, 0.48, 0.8)  # An arbitrary direction that hardly any axis has exactly.


def _frames(axis: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Right-handed orthonormal frames [P, 3, 3] whose rows are side, across and axis.

    A primitive whose axis has no length gets the z axis.
    """
    axis = axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), 1e-9)
    axis = np.where(np.abs(axis).sum(1, keepdims=True) > 0.5, axis, [0.0, 0.0, 1.0])
    side = side - (side * axis).sum(1, keepdims=True) * axis
    length = np.linalg.norm(side, axis=1, keepdims=True)
    # Where the axis happens to be parallel to the side, another direction replaces the side.
    spare = np.where(np.abs(axis[:, :1]) < 0.7, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    spare = spare - (spare * axis).sum(1, keepdims=True) * axis
    side = np.where(length > 1e-6, side, spare)
    side = side / np.linalg.norm(side, axis=1, keepdims=True)
    return np.stack([side, np.cross(axis, side), axis], 1)


def enter(
    origins: Sequence[np.ndarray], directions: Sequence[np.ndarray], shape: Sequence[np.ndarray]
) -> np.ndarray:
    """Where rays enter rounded cones, each ray its own cone.

    All arrays broadcast to the shape of the result.

    Args:
      origins: three arrays x, y and z of the points where the rays start, local frame.
      directions: three arrays x, y and z of the directions of the rays, local frame, any length.
      shape: four arrays length, radius_a, radius_b and sine of the cones, as `Primitives.shape`.

    Returns:
      The t of the point `origin + t * direction` where each ray enters; inf where it misses.
    """
    ox, oy, oz = origins
    dx, dy, dz = directions
    length, radius_a, radius_b, sine = shape
    from_a, from_b = sine * radius_a, length + sine * radius_b  # The conical part's range of z.

    across_dd = dx * dx + dy * dy
    across_od = ox * dx + oy * dy
    across_oo = ox * ox + oy * oy
    # A ray enters the convex body once, through the sphere at a, through that at b or through the
    # cone; each of the three candidates counts only on its own part of the axis.
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
    # The root of a ray that misses is NaN, which fails every comparison.
    t = np.where((oz + t_a * dz <= from_a) | (length <= 0), t_a, np.nan)
    t = np.fmin(t, np.where(oz + t_b * dz >= from_b, t_b, np.nan))
    z = oz + t_cone * dz
    t = np.fmin(t, np.where((z > from_a) & (z < from_b), t_cone, np.nan))
    return np.where(np.isnan(t), np.inf, t)


def _near_root(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The t where a t^2 + 2 b t + c falls through zero; NaN where there is none."""
    with np.errstate(invalid='ignore', divide='ignore'):
        return (-b - np.sqrt(b * b - a * c)) / a


def surface_normals(points: np.ndarray, which: np.ndarray, primitives: Primitives) -> np.ndarray:
    """Outward unit normals [N, 3] at points on the surface of primitives.

    Args:
      points: [N, 3], in the frame of the primitives, metres.
      which: [N] int, index of the primitive on which each point lies.
      primitives: all primitives.
    """
    to_local = primitives.to_local.astype(np.float32)[which]
    p = np.einsum('nij,nj->ni', to_local, points - primitives.origin.astype(np.float32)[which])
    length, sine = primitives.length[which], primitives.sine[which]
    across = np.hypot(p[:, 0], p[:, 1])
    p[:, 2] -= np.clip(p[:, 2] - sine / np.sqrt(1 - sine * sine) * across, 0.0, length)
    normal = np.einsum('nij,ni->nj', to_local, p)
    return normal / np.maximum(np.sqrt(dot(normal, normal)), 1e-9)[:, None]


def first_hit(primitives: Primitives, directions: np.ndarray) -> np.ndarray:
    """How far each ray from the origin travels until it meets the nearest primitive.

    Args:
      primitives: the primitives, in the frame whose origin the rays start from, metres.
      directions: [N, 3], directions of the rays; where their z is 1, the result is the camera
        depth in metres.

    Returns:
      [N], distance along each ray in lengths of its direction; inf where it meets nothing.
    """
    local = np.einsum('pij,nj->ipn', primitives.to_local, directions)
    start = -np.einsum('pij,pj->ip', primitives.to_local, primitives.origin)[:, :, None]
    t = enter(start, local, [array[:, None] for array in primitives.shape])
    return t.min(axis=0)

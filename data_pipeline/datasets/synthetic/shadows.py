"""The shadow map: how much of the light of the lamp reaches each point of a scene."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from data_pipeline.datasets.synthetic.primitives import Primitives
from data_pipeline.datasets.synthetic.rasterizer import draw_parallel

SHADOW_SIZE = 72  # Width and height of the shadow map, texels.
SHADOW_BIAS = 0.03  # Metres below a surface where its own shadow starts.


@dataclasses.dataclass(frozen=True)
class ShadowMap:
    """How far the light of the lamp reaches.

    Attributes:
      rotation: [3, 3], rotates vectors from the world frame to the light frame, in which light
        travels along +z.
      low: [2], x and y of the centre of the first texel, light frame, metres.
      texel: distance between the centres of two neighbouring texels, metres.
      depth: [S, S], z of the first surface that light meets, light frame, metres; inf where it
        meets none.
    """

    rotation: np.ndarray
    low: np.ndarray
    texel: float
    depth: np.ndarray

    def light_at(self, points: np.ndarray) -> np.ndarray:
        """Share [N] of the light, 0 to 1, that reaches points [N, 3] on a surface.

        The points are in the world frame, metres. Borders of shadows are soft over a few texels.
        """
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

    def light_below(self, points: np.ndarray) -> np.ndarray:
        """Share [N] of the light, 0 to 1, that reaches points [N, 3] below all solid things.

        The points are in the world frame, metres, and lie on the floor, for example. Borders of
        shadows are smoother than those of `light_at`.
        """
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
    """The shadow map of primitives.

    Args:
      primitives: the primitives, world frame, metres.
      light: [3], unit vector towards the light, world frame.
    """
    side = np.cross([0.0, 1.0, 0.0], -light)
    side /= np.linalg.norm(side)
    rotation = np.stack([side, np.cross(-light, side), -light])
    in_light = primitives.transform(rotation, np.zeros(3))
    radius = (primitives.reach * np.maximum(primitives.radius_a, primitives.radius_b))[:, None]
    low = (np.minimum(in_light.origin, in_light.end) - radius)[:, :2].min(0)
    high = (np.maximum(in_light.origin, in_light.end) + radius)[:, :2].max(0)
    texel = float((high - low).max() / (SHADOW_SIZE - 9))
    low = low - 4 * texel  # The map gets an empty border, which stands for everything outside it.
    raster = draw_parallel(in_light, low, texel, (SHADOW_SIZE, SHADOW_SIZE))
    return ShadowMap(rotation, low, texel, raster.depth)

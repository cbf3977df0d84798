"""Where a person stands: the place of the root joint that explains the 2D joints best.

A pose relative to its root says how large a person is, and the 2D joints how large he looks; with
the camera's intrinsics that tells where he is. 2D joints have outliers (a wrist found on another
person), so that the fit is robust.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Real

LEAST_JOINTS = 3  # joints that a fit needs
NEAREST = 0.05  # metres, least depth of a joint that a fit may give
_STEPS = 20
_CONVERGED = 1e-7  # metres
# Residuals beyond this share of the person's extent in the picture count less and less.
_OUTLIER = 0.04


def root_position(
    pose: Real[np.ndarray, 'N J 3'],
    joints2d: Real[np.ndarray, 'N J 2'],
    intrinsics: Real[np.ndarray, ' 4'],
    confidence: Real[np.ndarray, 'N J'] | None = None,
) -> Float[np.ndarray, 'N 3']:
    """The root joint's place in the camera's frame, of each person by itself.

    It minimises the weighted sum of a robust function (Cauchy's) of the distances in pixels between
    the 2D joints and the projected pose: a linear start, then Gauss-Newton steps with weights that
    fall with the residual.

    Args:
      pose: metres, relative to the root, in the camera's frame (x right, y down, z forward).
      joints2d: the same joints, pixels of a photograph without lens distortion.
      intrinsics: fx, fy, cx, cy, pixels.
      confidence: weight of each joint, at least 0; 1 for all where it is None.

    Returns:
      Metres; NaN for a person with fewer than three joints of weight above 0, or whose joints lie
      in one point.
    """
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    focal = np.array([fx, fy])
    plane = (np.asarray(joints2d, np.float64) - [cx, cy]) / focal  # at depth 1
    weight = np.ones(plane.shape[:2]) if confidence is None else np.asarray(confidence, np.float64)
    poses = np.asarray(pose, np.float64)
    places = [_place(*person, focal) for person in zip(poses, plane, weight, strict=True)]
    return np.array(places, np.float64).reshape(-1, 3)


def _place(
    pose: np.ndarray, plane: np.ndarray, weight: np.ndarray, focal: np.ndarray
) -> np.ndarray:
    """The place of one person; pose [J, 3], plane [J, 2], weight [J], focal [2] px."""
    usable = (weight > 0) & np.isfinite(plane).all(axis=-1) & np.isfinite(pose).all(axis=-1)
    unknown = np.full(3, np.nan)
    if usable.sum() < LEAST_JOINTS:
        return unknown
    pose, plane, weight = pose[usable], plane[usable], weight[usable]
    extent = float(np.linalg.norm((plane.max(axis=0) - plane.min(axis=0)) * focal))
    if not extent > 0:
        return unknown
    place = _linear(pose, plane, weight)
    if not np.isfinite(place).all():
        return unknown
    # A pose that hardly fits may put the linear start behind the camera.
    nearest = NEAREST - pose[:, 2].min()
    place[2] = max(place[2], nearest)
    for _ in range(_STEPS):
        x, y, z = (pose + place).T
        residual = (np.stack([x / z, y / z], axis=-1) - plane) * focal  # [J, 2] px
        squared = np.square(residual).sum(axis=-1) / (_OUTLIER * extent) ** 2
        share = weight / (1 + squared)
        zero = np.zeros_like(z)
        jacobian = np.stack(
            [
                np.stack([1 / z, zero, -x / z**2], axis=-1) * focal[0],
                np.stack([zero, 1 / z, -y / z**2], axis=-1) * focal[1],
            ],
            axis=1,
        )  # [J, 2, 3]
        weighted = jacobian * share[:, None, None]
        normal = np.einsum('jai,jak->ik', weighted, jacobian)
        gradient = np.einsum('jai,ja->i', weighted, residual)
        step = np.linalg.lstsq(normal, -gradient, rcond=None)[0]
        # Half the depth at most is gained or lost in one step, since the picture of a person far
        # away says little about the depth and the step may overshoot.
        step *= min(1.0, 0.5 * place[2] / max(abs(step[2]), 1e-12))
        place = place + step
        place[2] = max(place[2], nearest)
        if np.abs(step).max() < _CONVERGED:
            break
    return place


def _linear(pose: np.ndarray, plane: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The place that solves (X + x) = u (Z + z) and (Y + y) = v (Z + z) by least squares."""
    u, v = plane.T
    one, zero = np.ones_like(u), np.zeros_like(u)
    rows = np.concatenate([np.stack([one, zero, -u], -1), np.stack([zero, one, -v], -1)])
    right = np.concatenate([u * pose[:, 2] - pose[:, 0], v * pose[:, 2] - pose[:, 1]])
    root = np.sqrt(np.concatenate([weight, weight]))
    return np.linalg.lstsq(rows * root[:, None], right * root, rcond=None)[0]

"""Arithmetic of 3D vectors that the renderer and the pose sampler share.

Most calls handle one vector of three numbers. For those, these functions avoid the checks of
shapes and axes that NumPy's general functions make first.
"""

from __future__ import annotations

import math

import numpy as np


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector [3] at length 1; a vector of no length becomes zero."""
    length = math.sqrt(vector.dot(vector))
    return vector / length if length > 1e-9 else vector * 0.0


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cross product [3] float64 of two vectors [3]."""
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The scalar products [N] of vectors [N, 3], without a sum over an axis of three numbers."""
    return a[:, 0] * b[:, 0] + (a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2])

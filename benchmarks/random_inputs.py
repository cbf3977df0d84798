"""Random people and weights that benchmarks compute on, the same for every program and device."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from capf_jax.pose.batch import Batch


def people(batch: int, height: int, width: int, joints: int = 17) -> Batch:
    """Random people in crops [B, height, width, 3]."""
    rng = np.random.default_rng(0)
    crop = rng.uniform(0, (width - 1, height - 1), (batch, joints, 2)).astype(np.float32)
    pose = rng.normal(0, 0.3, (batch, joints, 3)).astype(np.float32)
    return Batch(
        images=rng.integers(0, 256, (batch, height, width, 3), np.uint8),
        joints2d=4 * crop,
        joints2d_crop=crop,
        joints2d_crop_truth=crop,
        image_size=np.full((batch, 2), 1000, np.float32),
        affine=np.tile(np.eye(2, 3, dtype=np.float32) / 4, (batch, 1, 1)),
        joints3d=pose - pose[:, :1],
        valid=np.ones(batch, bool),
        index=np.arange(batch, dtype=np.int32),
    )


def random_variables(model: nn.Module, crop: tuple[int, int]) -> Any:
    """A detector's weights and statistics that keep activations in range, none of them trivial."""
    images = jax.ShapeDtypeStruct((1, *crop, 3), jnp.float32)
    return drawn(jax.eval_shape(model.init, jax.random.key(0), images))


def drawn(shapes: Any) -> Any:
    """NumPy arrays for a tree of shapes, drawn by the names that Flax gives its variables."""
    random = np.random.default_rng(0)

    def draw(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        name = path[-1].key
        if name == 'kernel':
            deviation = (2 / np.prod(leaf.shape[:-1])) ** 0.5
            return (deviation * random.standard_normal(leaf.shape, np.float32)).astype(np.float32)
        low, high = {'scale': (0.3, 0.7), 'var': (0.5, 1.5)}.get(name, (-0.1, 0.1))
        return random.uniform(low, high, leaf.shape).astype(np.float32)

    return jax.tree.map_with_path(draw, shapes)

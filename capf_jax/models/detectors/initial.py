"""Variables that a detector starts training from."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from capf_jax.models.detectors.catalog import CROP


def random_variables(
    model: nn.Module, key: jax.Array, crop: tuple[int, int] = CROP
) -> dict[str, Any]:
    """Variables to start training from: He's normal kernels, and a head of nearly zero.

    A small head gives first heatmaps near zero, which most of a target is. One draw serves all
    kernels, and the host cuts it up, so that no random generator and no slice is compiled for each
    of them. Call this function without `jit`.

    Args:
      model: a detector of the catalog, in any compute type.
      key: of the random draw.
      crop: height and width of its crops, as the catalog's entry has them.

    Returns:
      {'params', 'batch_stats'}, float32; a detector without BatchNorms has the first alone.
    """
    # A position embedding depends on the size of the crops, and on nothing else.
    shapes = jax.eval_shape(model.init, key, jax.ShapeDtypeStruct((1, *crop, 3), jnp.float32))
    leaves, structure = jax.tree.flatten_with_path(shapes)
    size = sum(leaf.size for path, leaf in leaves if path[-1].key == 'kernel')
    random, used, filled = jax.random.normal(key, (size,)), 0, []
    if not isinstance(random, Tracer):  # under `jax.eval_shape` it is one
        random = np.asarray(random)
    for path, leaf in leaves:
        if path[-1].key == 'kernel':
            fan_in = leaf.size // leaf.shape[-1]
            deviation = 0.001 if path[-2].key == 'head' else (2 / fan_in) ** 0.5
            part = random[used : used + leaf.size].reshape(leaf.shape)
            filled.append(deviation * part)
            used += leaf.size
        else:
            start = np.ones if path[-1].key in ('scale', 'var') else np.zeros
            filled.append(start(leaf.shape, leaf.dtype))
    return jax.tree.unflatten(structure, filled)

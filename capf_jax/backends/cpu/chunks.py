"""A detector's forward pass on as many images at a time as the caches of a CPU hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from capf_jax.backends.cpu import tricks

CHUNK_PIXELS = 4 * 256 * 192  # of the images of a chunk: four of the published crops


def in_chunks(
    plain: Callable[..., Any], module: nn.Module, images: jax.Array, *, train: bool = False
) -> Any:
    """A detector's `__call__`, as a replacement: maps images [B, H, W, 3] to a Detection."""
    size = chunk_size(images.shape)
    scope = module.scope
    assert scope is not None  # a replacement runs inside a bound module
    reads_only = scope.mutable in (False, ())
    if train or not reads_only or size == len(images) or not tricks.is_on('chunks'):
        return plain(images, train=train)
    alone, variables = module.clone(parent=None), module.variables
    chunks = images.reshape(-1, size, *images.shape[1:])
    detections = jax.lax.map(lambda chunk: alone.apply(variables, chunk), chunks)
    return jax.tree.map(lambda x: x.reshape(len(images), *x.shape[2:]), detections)


def chunk_size(shape: tuple[int, ...]) -> int:
    """How many of the images [B, H, W, 3] make a chunk: all, where no good number divides them."""
    batch, height, width, _ = shape
    most = max(1, CHUNK_PIXELS // (height * width))
    size = max((n for n in range(1, min(most, batch) + 1) if batch % n == 0), default=batch)
    # What divides a batch of 13 or 17 are single images, which gain nothing.
    return batch if 2 * size < most else size

"""A frozen detector's forward pass: all images at once, or on a CPU as many as its caches hold."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from capf_jax.models.detectors.convolutions import Detection

# Of a chunk of images on a CPU: four of the published crops. Larger chunks' maps leave the caches
# between one layer and the next: HRNet and CPN take 0.9 of the time that chunks of eight take.
CHUNK_PIXELS = 4 * 256 * 192


def detect(detector: nn.Module, variables: Any, images: jax.Array) -> Detection:
    """Maps normalised images [B, H, W, 3] to a Detection, as `detector.apply` does."""
    batch, height, width, _ = images.shape
    most = max(1, CHUNK_PIXELS // (height * width))
    size = max((n for n in range(1, min(most, batch) + 1) if batch % n == 0), default=batch)
    few = 2 * size < most  # what divides a batch of 13 or 17: not worth it
    if few or size == batch or jax.default_backend() != 'cpu':
        return detector.apply(variables, images)
    chunks = images.reshape(-1, size, *images.shape[1:])
    found = jax.lax.map(lambda chunk: detector.apply(variables, chunk), chunks)
    return jax.tree.map(lambda x: x.reshape(batch, *x.shape[2:]), found)

"""A frozen detector in chunks of images finds what it finds in all at once."""

import jax
import numpy as np
import pytest

from capf_jax.backends.cpu import chunks
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.initial import random_variables

DETECTOR = HRNet(3, width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 1), blocks=1)


@pytest.mark.parametrize('images_a_chunk', [1, 2, 4])
def test_chunks_change_nothing(images_a_chunk, monkeypatch):
    images = np.random.default_rng(0).standard_normal((6, 32, 32, 3)).astype(np.float32)
    variables = random_variables(DETECTOR, jax.random.key(0))
    whole = DETECTOR.apply(variables, images)
    monkeypatch.setattr(chunks, 'CHUNK_PIXELS', images_a_chunk * 32 * 32)
    chunked = jax.jit(lambda *given: chunks.detect(DETECTOR, *given))(variables, images)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), whole, chunked
    )

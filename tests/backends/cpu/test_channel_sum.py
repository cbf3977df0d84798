"""Sums over channels by partial sums."""

import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.cpu.channel_sum import channel_sum


@pytest.mark.parametrize('channels', [1, 16, 20, 256])
def test_partial_sums_come_to_the_same(channels):
    x = np.random.default_rng(0).standard_normal((3, 5, channels)).astype(np.float32)
    expected = x.astype(np.float64).sum(axis=-1)
    np.testing.assert_allclose(channel_sum(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)

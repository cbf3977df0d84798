"""Sums over channels, as a CPU and as other devices work them out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends.cpu import channel_sum


@pytest.mark.parametrize('channels', [1, 16, 20, 256])
def test_partial_sums_come_to_the_same(channels):
    x = np.random.default_rng(0).standard_normal((3, 5, channels)).astype(np.float32)
    expected = x.astype(np.float64).sum(axis=-1)
    for ways in (channel_sum._by_lanes, channel_sum._at_once):
        np.testing.assert_allclose(ways(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)


def test_a_program_for_a_cpu_keeps_the_two_sums_apart():
    def dot_products(x, y):
        return channel_sum.channel_sum(x * y)

    x = jnp.ones((3, 64))
    program = jax.jit(dot_products).lower(x, x).compile().as_text()
    assert program.count(' reduce(') == 2
    assert ' conditional(' not in program  # the platform is decided before it runs

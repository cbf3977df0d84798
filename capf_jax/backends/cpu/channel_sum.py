"""Sums over channels, of what is worked out on the way: dot products of pairs of vectors."""

from __future__ import annotations

import jax

from capf_jax.backends.cpu import tricks

LANES = 16  # partial sums; 8 and 32 were no faster


def channel_sum(products: jax.Array) -> jax.Array:
    """Sums over the last axis: [..., C] -> [...].

    The sum goes over channels LANES apart first, and then over those sums: XLA makes one loop of
    both and of what gives the products, gathers included, and writes nothing on the way. In a
    single sum every addition would wait for the last one.
    """
    channels = products.shape[-1]
    if not tricks.is_on('lanes') or channels % LANES:
        return products.sum(axis=-1)
    sums = products.reshape(*products.shape[:-1], -1, LANES).sum(axis=-2)
    # Without the barrier XLA would make a single sum of the two.
    return jax.lax.optimization_barrier(sums).sum(axis=-1)

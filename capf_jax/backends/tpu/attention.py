"""Attention among few tokens as a TPU runs it fast, in place of the models' own.

A TPU keeps the last two axes of an array in tiles of 8 x 128 numbers. Attention among the five
tokens of a joint has scores [..., 5, 5], of which a tile is 2% full. Here people and joints come
last, which fill the tiles, and sums over a head's channels take the place of tiny matrix products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.models.transformer import SelfAttention, check_heads, dense

FEW_TOKENS = 8  # up to here attention is among few tokens: a tile has as many rows


def attention_among_few(
    query: jax.Array, key: jax.Array, value: jax.Array, heads: int
) -> jax.Array:
    """`models.transformer.attention` of arrays [..., N, C], equal but for rounding."""
    tokens, channels = query.shape[-2:]

    def people_last(x: jax.Array) -> jax.Array:
        return x.reshape(-1, tokens, heads, channels // heads).transpose(1, 2, 3, 0)

    # [N, M, C / M, X], X groups of tokens. Sums are in float32, as those of matrix products are.
    queries, keys, values = (people_last(x).astype(jnp.float32) for x in (query, key, value))
    scores = jnp.sum(queries[:, None] * keys[None], axis=3)  # [N, N, M, X]
    weights = nn.softmax(scores * (channels // heads) ** -0.5, axis=1)
    mixed = jnp.sum(weights[:, :, :, None] * values[None], axis=1)
    return mixed.astype(value.dtype).transpose(3, 0, 1, 2).reshape(query.shape)


def self_attention(plain: Callable[..., Any], module: SelfAttention, x: jax.Array) -> jax.Array:
    """`SelfAttention.__call__` for few tokens."""
    if module.is_initializing() or x.shape[-2] > FEW_TOKENS:
        return plain(x)
    channels = x.shape[-1]
    check_heads(channels, module.heads)
    qkv = dense(channels, 3 * channels, dtype=module.dtype, name='qkv')(x)
    query, key, value = jnp.split(qkv, 3, axis=-1)
    mixed = attention_among_few(query, key, value, module.heads)
    return dense(channels, channels, dtype=module.dtype, name='proj')(mixed)

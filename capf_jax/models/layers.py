"""Layers that every model shares: linear layer, attention, MLP, transformer block, drop path."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

FEW_TOKENS = 8  # up to here attention avoids batches of tiny matrix products


def linear(x: jax.Array, features: int, name: str) -> jax.Array:
    """A dense layer of the calling module, initialised as PyTorch does: U(-1, 1) / sqrt(fan in).

    Args:
      x: [..., C].
      features: output channels.
      name: the layer's name in the calling module.
    """
    return nn.Dense(
        features,
        kernel_init=nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform'),
        bias_init=_uniform(1 / math.sqrt(x.shape[-1])),
        name=name,
    )(x)


def _uniform(bound):
    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def layer_norm(x: jax.Array, epsilon: float, name: str) -> jax.Array:
    """Layer normalisation over the last axis, in the calling module."""
    return nn.LayerNorm(epsilon=epsilon, use_fast_variance=False, name=name)(x)


class DropPath(nn.Module):
    """Leaves a residual branch out for some samples, and scales it up for the others.

    Attributes:
      rate: chance that a sample goes without the branch.
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """x [B, ...] -> [B, ...]; random only while training, from the stream `drop_path`."""
        if not train or self.rate == 0:
            return x
        shape = (len(x),) + (1,) * (x.ndim - 1)
        keep = jax.random.bernoulli(self.make_rng('drop_path'), 1 - self.rate, shape)
        return x * (keep / (1 - self.rate)).astype(x.dtype)


def drop_path_rates(last: float, layers: int) -> tuple[float, ...]:
    """Rates of a module's blocks, rising linearly from 0 to that of the last."""
    return tuple(last * layer / max(layers - 1, 1) for layer in range(layers))


class MLP(nn.Module):
    """Linear, exact GELU, Linear back to the input's width.

    Attributes:
      ratio: hidden width over input width.
    """

    ratio: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x [..., C] -> [..., C]."""
        hidden = linear(x, self.ratio * x.shape[-1], 'fc1')
        return linear(nn.gelu(hidden, approximate=False), x.shape[-1], 'fc2')


def check_heads(channels: int, heads: int) -> None:
    """ValueError unless every head gets as many of the channels."""
    if heads < 1 or channels % heads:
        raise ValueError(
            f'{channels} channels cannot be shared out among {heads} attention heads: change one '
            f'of the two, in model.lifter if it is a lifter'
        )


def attention(query: jax.Array, key: jax.Array, value: jax.Array, heads: int) -> jax.Array:
    """Scaled dot-product attention of several heads: each [..., N, C] -> [..., N, C]."""
    split = (*query.shape[:-1], heads, query.shape[-1] // heads)
    query, key, value = (x.reshape(split) for x in (query, key, value))  # [..., N, M, C/M]
    scores = jnp.einsum('...qmc,...kmc->...mqk', query, key)
    weights = nn.softmax(scores * split[-1] ** -0.5)
    mixed = jnp.einsum('...mqk,...kmc->...qmc', weights, value)
    return mixed.reshape(*mixed.shape[:-2], -1)


def attention_among_few(
    query: jax.Array, key: jax.Array, value: jax.Array, heads: int
) -> jax.Array:
    """`attention`, for so few tokens that thousands of tiny matrix products would take longer.

    Each key meets all queries at once, element by element, over all leading dimensions; sums over
    a head's channels, and weights spread back over them, are products with a matrix of ones.
    """
    channels, tokens = query.shape[-1] // heads, range(query.shape[-2])
    of_head = jnp.repeat(jnp.eye(heads, dtype=query.dtype), channels, axis=0)  # [C, M]
    scores = [(query * key[..., k : k + 1, :]) @ of_head for k in tokens]  # N of [..., N, M]
    weights = nn.softmax(jnp.stack(scores) * channels**-0.5, axis=0)
    return sum((weights[k] @ of_head.T) * value[..., k : k + 1, :] for k in tokens)


class SelfAttention(nn.Module):
    """Multi-head self-attention over the second-to-last axis.

    Attributes:
      heads: attention heads M.
    """

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """x [..., N, C] -> [..., N, C]."""
        channels = x.shape[-1]
        check_heads(channels, self.heads)
        query, key, value = jnp.split(linear(x, 3 * channels, 'qkv'), 3, axis=-1)
        attend = attention_among_few if x.shape[-2] <= FEW_TOKENS else attention
        return linear(attend(query, key, value, self.heads), channels, 'proj')


class TransformerBlock(nn.Module):
    """Pre-norm transformer block over the second-to-last axis.

    Attributes:
      heads: attention heads M.
      mlp_ratio: hidden width of the MLP over its input width.
      drop_path: chance that a sample skips each of the two branches.
    """

    heads: int
    mlp_ratio: int
    drop_path: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """x [B, ..., N, C] -> [B, ..., N, C]."""
        drop = DropPath(self.drop_path)
        attended = SelfAttention(self.heads, name='attention')(layer_norm(x, 1e-6, 'norm1'))
        x = x + drop(attended, train)
        return x + drop(MLP(self.mlp_ratio, name='mlp')(layer_norm(x, 1e-6, 'norm2')), train)

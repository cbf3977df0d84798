"""Layers that every model shares: linear layer, attention, MLP, transformer block, drop path."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.backends.cpu.channel_sum import channel_sum

FEW_TOKENS = 8  # up to here attention avoids batches of tiny matrix products


class Linear(nn.Module):
    """A dense layer initialised as PyTorch does: U(-1, 1) / sqrt(fan in).

    Attributes:
      features: output channels.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, keep: jax.Array | None = None) -> jax.Array:
        """x [..., C] -> [..., features], each row times its `keep` [..., 1] if given.

        The factor acts before the product, so that the result's gradient enters the products of
        the backward pass as it comes (see TransformerBlock).
        """
        kernel, bias = self._weights(x.shape[-1])
        return x @ kernel + bias if keep is None else (x * keep) @ kernel + bias * keep

    def _weights(self, channels):
        """Kernel [C, features] and bias [features]."""
        initial = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')
        kernel = self.param('kernel', initial, (channels, self.features))
        return kernel, self.param('bias', _uniform(1 / math.sqrt(channels)), (self.features,))


class WeightedSumLinear(Linear):
    """A dense layer, and weighted sums over groups of its outputs."""

    @nn.compact
    def __call__(self, x: jax.Array, weights: jax.Array) -> jax.Array:
        """x [R, K, C] and weights [R, K] -> sums over K [R, features]."""
        return _weighted_sum_linear(x, weights, *self._weights(x.shape[-1]))


@jax.custom_vjp
def _weighted_sum_linear(x, weights, kernel, bias):
    """Weighted sums of dense outputs: [R, K, C], [R, K], [C, F], [F] -> [R, F].

    The gradient is written out with the sum before the product, which comes to the same: its
    products have K times fewer rows than those of automatic differentiation.
    """
    return ((x @ kernel + bias) * weights[..., None]).sum(axis=1)


def _weighted_sum_linear_forward(x, weights, kernel, bias):
    return _weighted_sum_linear(x, weights, kernel, bias), (x, weights, kernel, bias)


def _weighted_sum_linear_backward(saved, cotangent):
    x, weights, kernel, bias = saved
    mixed = (x * weights[..., None]).sum(axis=1)
    d_mixed = (cotangent @ kernel.T)[:, None]
    d_weights = channel_sum(x * d_mixed) + (cotangent @ bias)[:, None]
    d_bias = weights.sum(axis=1) @ cotangent
    return d_mixed * weights[..., None], d_weights, mixed.T @ cotangent, d_bias


_weighted_sum_linear.defvjp(_weighted_sum_linear_forward, _weighted_sum_linear_backward)


def linear(x: jax.Array, features: int, name: str) -> jax.Array:
    """A `Linear` of the calling module: x [..., C] -> [..., features]."""
    return Linear(features, name=name)(x)


def _uniform(bound):
    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init


def layer_norm(x: jax.Array, epsilon: float, name: str) -> jax.Array:
    """Layer normalisation over the last axis, in the calling module."""
    return nn.LayerNorm(epsilon=epsilon, use_fast_variance=False, name=name)(x)


class DropPath(nn.Module):
    """Draws the factor of each sample's residual branch: 0, or 1 / (1 - rate).

    Attributes:
      rate: chance that a sample goes without the branch.
    """

    rate: float

    @nn.compact
    def __call__(self, samples: int, rows: int, train: bool) -> jax.Array | None:
        """The factor of every row [R, 1], R / samples of them in turn for each sample.

        Random only while training, from the stream `drop_path`; None where nothing is left out.
        """
        if not train or self.rate == 0:
            return None
        keep = jax.random.bernoulli(self.make_rng('drop_path'), 1 - self.rate, (samples, 1))
        return jnp.repeat(keep / (1 - self.rate), rows // samples, axis=0)


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
    def __call__(self, x: jax.Array, keep: jax.Array | None = None) -> jax.Array:
        """x [..., C] -> [..., C], each row times its `keep` [..., 1] if given."""
        hidden = linear(x, self.ratio * x.shape[-1], 'fc1')
        return Linear(x.shape[-1], name='fc2')(gelu(hidden), keep)


def gelu(x: jax.Array) -> jax.Array:
    """Exact GELU, in float32. jax.nn.gelu's erfc takes twice the time of erf on a CPU."""
    wide = x.astype(jnp.float32)  # below 0, half precision would lose what is left of 1 + erf
    return (0.5 * wide * (1 + jax.lax.erf(math.sqrt(0.5) * wide))).astype(x.dtype)


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
    """Multi-head self-attention within groups of tokens.

    Attributes:
      heads: attention heads M.
      tokens: rows N of a group.
    """

    heads: int
    tokens: int

    @nn.compact
    def __call__(self, x: jax.Array, keep: jax.Array | None = None) -> jax.Array:
        """x [R, C], every N rows a group -> [R, C], each row times its `keep` [R, 1] if given."""
        channels = x.shape[-1]
        check_heads(channels, self.heads)
        grouped = linear(x, 3 * channels, 'qkv').reshape(-1, self.tokens, 3 * channels)
        query, key, value = jnp.split(grouped, 3, axis=-1)
        attend = attention_among_few if self.tokens <= FEW_TOKENS else attention
        mixed = attend(query, key, value, self.heads).reshape(-1, channels)
        return Linear(channels, name='proj')(mixed, keep)


class TransformerBlock(nn.Module):
    """Pre-norm transformer block over the second-to-last axis.

    Inside, tokens are rows of a matrix. XLA's CPU recomputes a sum within whatever reads it, and
    with it every sum before; the sums of a residual stream are worked out once if a matrix product
    reads them as they are, neither reshaped nor multiplied by anything first. With gradients the
    lifter takes 0.7 of the time for it.

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
        shape, rows = x.shape, x.reshape(-1, x.shape[-1])
        drop = DropPath(self.drop_path)
        attention_layer = SelfAttention(self.heads, shape[-2], name='attention')
        keep = drop(len(x), len(rows), train)
        rows = rows + attention_layer(layer_norm(rows, 1e-6, 'norm1'), keep)
        keep = drop(len(x), len(rows), train)
        rows = rows + MLP(self.mlp_ratio, name='mlp')(layer_norm(rows, 1e-6, 'norm2'), keep)
        return rows.reshape(shape)

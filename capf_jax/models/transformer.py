"""The pre-norm transformer block that lifters and ViTPose share, and its parts."""

from __future__ import annotations

import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.pose.batch import Array

# The variance is the mean of squared differences, as in PyTorch.
LayerNorm = functools.partial(nn.LayerNorm, use_fast_variance=False)


def dense(inputs: int, features: int, **fields: Any) -> nn.Dense:
    """`nn.Dense` of `inputs` channels, initialised as PyTorch does: U(-1, 1) / sqrt(inputs)."""

    def uniform(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        bound = 1 / math.sqrt(inputs)
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return nn.Dense(features, kernel_init=uniform, bias_init=uniform, **fields)


class DropPath(nn.Module):
    """Leaves a residual branch out for some samples while training: stochastic depth.

    Huang et al., "Deep Networks with Stochastic Depth" (ECCV 2016).

    Attributes:
      rate: probability that a sample goes without the branch.
      axes: how many leading axes tell samples apart: 1, or 2 where the branch of every
        (sample, joint) is left out by itself.
    """

    rate: float
    axes: int = 1

    def __call__(self, x: Float[Array, 'B ...'], *, train: bool) -> Float[Array, 'B ...']:
        """Each sample times 0 or 1 / (1 - rate); x itself outside of training."""
        if not train or self.rate == 0:
            return x
        factors = self.factors(x.shape)
        factors = factors.reshape(*factors.shape, *[1] * (x.ndim - self.axes))
        return x * factors.astype(x.dtype)

    def factors(self, shape: tuple[int, ...]) -> Float[jax.Array, '*samples']:
        """A factor for each sample, 0 or 1 / (1 - rate), from the random stream `drop_path`.

        Args:
          shape: of what is multiplied; its first `axes` numbers are those of the factors.
        """
        key = self.make_rng('drop_path')
        return jax.random.bernoulli(key, 1 - self.rate, shape[: self.axes]) / (1 - self.rate)


def drop_path_rates(last: float, layers: int) -> tuple[float, ...]:
    """Drop path rates of a module's blocks, rising linearly from 0 to that of the last block."""
    return tuple(last * layer / max(layers - 1, 1) for layer in range(layers))


class MLP(nn.Module):
    """A dense layer, the exact GELU, and a dense layer back to the input's width.

    Attributes:
      ratio: hidden width over input width.
      dtype: of the computation; parameters are float32.
    """

    ratio: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, '*batch C']) -> Float[jax.Array, '*batch C']:
        """The layers' output at every token."""
        channels = x.shape[-1]
        hidden = dense(channels, self.ratio * channels, dtype=self.dtype, name='fc1')(x)
        hidden = jax.nn.gelu(hidden, approximate=False)
        return dense(self.ratio * channels, channels, dtype=self.dtype, name='fc2')(hidden)


def check_heads(channels: int, heads: int) -> None:
    """UserError unless every head gets as many of the channels."""
    if heads < 1 or channels % heads:
        raise UserError(
            f'{channels} channels cannot be shared out among {heads} attention heads: change one '
            f'of the two, in model.lifter if it is a lifter'
        )


def attention(
    query: Float[Array, '*batch N C'],
    key: Float[Array, '*batch N C'],
    value: Float[Array, '*batch N C'],
    heads: int,
) -> Float[jax.Array, '*batch N C']:
    """Scaled dot-product attention of several heads among N tokens.

    softmax(Q K^T / sqrt(C / M)) V, for each of the M heads on its share of the channels.
    """
    split = (*query.shape[:-1], heads, query.shape[-1] // heads)
    query, key, value = (x.reshape(split) for x in (query, key, value))  # [..., N, M, C/M]
    scores = jnp.einsum('...qmc,...kmc->...mqk', query, key, preferred_element_type=jnp.float32)
    weights = nn.softmax(scores * split[-1] ** -0.5).astype(value.dtype)
    mixed = jnp.einsum('...mqk,...kmc->...qmc', weights, value)
    return mixed.reshape(*mixed.shape[:-2], -1)


class SelfAttention(nn.Module):
    """Multi-head self-attention over the second-to-last axis.

    Attributes:
      heads: attention heads M.
      dtype: of the computation; parameters are float32.
    """

    heads: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, '*batch N C']) -> Float[jax.Array, '*batch N C']:
        """What each of the N tokens gathers from all of them."""
        channels = x.shape[-1]
        check_heads(channels, self.heads)
        qkv = dense(channels, 3 * channels, dtype=self.dtype, name='qkv')(x)
        query, key, value = jnp.split(qkv, 3, axis=-1)
        mixed = attention(query, key, value, self.heads)
        return dense(channels, channels, dtype=self.dtype, name='proj')(mixed)


class TransformerBlock(nn.Module):
    """Pre-norm transformer block over the second-to-last axis.

    Attributes:
      heads: attention heads M.
      mlp_ratio: hidden width of the MLP over its input width.
      drop_path: chance that a sample skips each of the two branches while training.
      dtype: of the computation; parameters are float32.
      drop_path_axes: how many leading axes tell samples apart, see `DropPath`.
    """

    heads: int
    mlp_ratio: int
    drop_path: float = 0.0
    dtype: Any = jnp.float32
    drop_path_axes: int = 1

    @nn.compact
    def __call__(
        self, x: Float[Array, 'B *rest N C'], *, train: bool = False
    ) -> Float[jax.Array, 'B *rest N C']:
        """The tokens, updated by attention among N of them and by the MLP."""
        drop_path = DropPath(self.drop_path, self.drop_path_axes)
        norm1 = LayerNorm(epsilon=1e-6, dtype=self.dtype, name='norm1')
        self_attention = SelfAttention(self.heads, self.dtype, name='attention')
        norm2 = LayerNorm(epsilon=1e-6, dtype=self.dtype, name='norm2')
        mlp = MLP(self.mlp_ratio, self.dtype, name='mlp')

        x = x + drop_path(self_attention(norm1(x)), train=train)
        return x + drop_path(mlp(norm2(x)), train=train)

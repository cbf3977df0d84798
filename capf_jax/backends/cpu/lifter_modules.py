"""The transformer block and the lifter's parts as a CPU runs them fast, on the same parameters.

Inside, tokens are rows of a matrix. XLA recomputes a sum within whatever reads it, and with it
every sum before; the sums of a residual stream are worked out once if a matrix product reads them
as they are, neither reshaped nor multiplied by anything first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.backends.cpu import tricks
from capf_jax.backends.cpu.channel_sum import channel_sum
from capf_jax.backends.cpu.sampling import grid_sample
from capf_jax.models.deformable import DeformableBlock
from capf_jax.models.lifter import Lifter
from capf_jax.models.temporal import TemporalLifter
from capf_jax.models.transformer import (
    DropPath,
    LayerNorm,
    TransformerBlock,
    attention,
    check_heads,
)

FEW_TOKENS = 8  # up to here attention avoids batches of tiny matrix products


class Linear(nn.Module):
    """The parameters of a dense layer that exists already, for products written in another way.

    Attributes:
      features: output channels.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, keep: jax.Array | None = None) -> jax.Array:
        """x [..., C] -> [..., features], each row times its `keep` [..., 1] where there is one.

        The factor acts before the product, so that the result's gradient enters the products of
        the backward pass as it comes.
        """
        kernel, bias = self.weights(x.shape[-1])
        return x @ kernel + bias if keep is None else (x * keep) @ kernel + bias * keep

    def weights(self, channels: int) -> tuple[jax.Array, jax.Array]:
        """Kernel [C, features] and bias [features]."""
        zeros = nn.initializers.zeros  # never used: replacements do not initialise
        kernel = self.param('kernel', zeros, (channels, self.features))
        return kernel, self.param('bias', zeros, (self.features,))


class WeightedSumLinear(Linear):
    """A dense layer, and weighted sums over groups of its outputs."""

    @nn.compact
    def __call__(self, x: jax.Array, weights: jax.Array) -> jax.Array:
        """x [R, K, C] and weights [R, K] -> sums over K [R, features]."""
        kernel, bias = self.weights(x.shape[-1])
        if tricks.is_on('sum_before_product'):
            return weighted_sum_linear(x, weights, kernel, bias)
        return _weighted_sum_linear(x, weights, kernel, bias)


def _weighted_sum_linear(x, weights, kernel, bias):
    return ((x @ kernel + bias) * weights[..., None]).sum(axis=1)


@jax.custom_vjp
def weighted_sum_linear(
    x: jax.Array, weights: jax.Array, kernel: jax.Array, bias: jax.Array
) -> jax.Array:
    """Weighted sums of dense outputs: [R, K, C], [R, K], [C, F], [F] -> [R, F].

    The gradient is written out with the sum before the product, which comes to the same: its
    products have K times fewer rows than those of automatic differentiation.
    """
    return _weighted_sum_linear(x, weights, kernel, bias)


def _forward(x, weights, kernel, bias):
    return _weighted_sum_linear(x, weights, kernel, bias), (x, weights, kernel, bias)


def _backward(saved, cotangent):
    x, weights, kernel, bias = saved
    mixed = (x * weights[..., None]).sum(axis=1)
    d_mixed = (cotangent @ kernel.T)[:, None]
    d_weights = channel_sum(x * d_mixed) + (cotangent @ bias)[:, None]
    d_bias = weights.sum(axis=1) @ cotangent
    return d_mixed * weights[..., None], d_weights, mixed.T @ cotangent, d_bias


weighted_sum_linear.defvjp(_forward, _backward)


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
    mixed = sum((weights[k] @ of_head.T) * value[..., k : k + 1, :] for k in tokens)
    return cast(jax.Array, mixed)  # there is at least one token


def _attend(query, key, value, heads):
    few = query.shape[-2] <= FEW_TOKENS and tricks.is_on('few_tokens')
    return (attention_among_few if few else attention)(query, key, value, heads)


class RowsAttention(nn.Module):
    """`SelfAttention` of tokens that are rows.

    Attributes:
      heads: attention heads M.
      tokens: rows N that attend to one another.
    """

    heads: int
    tokens: int

    @nn.compact
    def __call__(self, rows: jax.Array, keep: jax.Array | None) -> jax.Array:
        """rows [R, C], every N a group -> [R, C], each times its `keep` [R, 1] if there is one."""
        channels = rows.shape[-1]
        check_heads(channels, self.heads)
        grouped = Linear(3 * channels, name='qkv')(rows).reshape(-1, self.tokens, 3 * channels)
        query, key, value = jnp.split(grouped, 3, axis=-1)
        mixed = _attend(query, key, value, self.heads).reshape(-1, channels)
        return Linear(channels, name='proj')(mixed, keep)


class RowsMLP(nn.Module):
    """`MLP` of tokens that are rows.

    Attributes:
      ratio: hidden width over input width.
    """

    ratio: int

    @nn.compact
    def __call__(self, rows: jax.Array, keep: jax.Array | None) -> jax.Array:
        """rows [R, C] -> [R, C], each times its `keep` [R, 1] if there is one."""
        hidden = Linear(self.ratio * rows.shape[-1], name='fc1')(rows)
        hidden = jax.nn.gelu(hidden, approximate=False)
        return Linear(rows.shape[-1], name='fc2')(hidden, keep)


def _keep(drop_path: DropPath, shape: tuple[int, ...], rows: int, train: bool) -> jax.Array | None:
    """The factor of every row [R, 1], of equally many rows in turn for each sample; None for 1.

    `shape` is that of the tokens before they became rows.
    """
    if not train or drop_path.rate == 0:
        return None
    factors = drop_path.factors(shape).reshape(-1, 1)
    return jnp.repeat(factors, rows // len(factors), axis=0)


def _is_plain(module: nn.Module) -> bool:
    """Whether the module's own method is to run: parameters are drawn, or of half precision."""
    return module.is_initializing() or module.dtype != jnp.float32


def transformer_block(
    plain: Callable[..., Any], block: TransformerBlock, x: jax.Array, *, train: bool = False
) -> jax.Array:
    """`TransformerBlock.__call__` on rows."""
    if _is_plain(block) or not tricks.is_on('rows'):
        return plain(x, train=train)
    rows = x.reshape(-1, x.shape[-1])
    drop_path = DropPath(block.drop_path, block.drop_path_axes)
    self_attention = RowsAttention(block.heads, x.shape[-2], name='attention')
    mlp = RowsMLP(block.mlp_ratio, name='mlp')
    keep = _keep(drop_path, x.shape, len(rows), train)
    rows = rows + self_attention(LayerNorm(epsilon=1e-6, name='norm1')(rows), keep)
    keep = _keep(drop_path, x.shape, len(rows), train)
    rows = rows + mlp(LayerNorm(epsilon=1e-6, name='norm2')(rows), keep)
    return rows.reshape(x.shape)


def deformable_block(
    plain: Callable[..., Any],
    block: DeformableBlock,
    contexts: jax.Array,
    joints: jax.Array,
    joints2d_crop: jax.Array,
    maps: Sequence[jax.Array],
    *,
    doubt: jax.Array | None = None,
    train: bool = False,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`DeformableBlock.__call__` on rows."""
    if _is_plain(block) or not tricks.is_on('rows'):
        return plain(contexts, joints, joints2d_crop, maps, doubt=doubt, train=train)
    shape, channels = contexts.shape, contexts.shape[-1]
    check_heads(channels, block.heads)
    drop_path = DropPath(block.drop_path)
    mlp = RowsMLP(block.mlp_ratio, name='mlp')
    rows = contexts.reshape(-1, channels)
    queries = LayerNorm(epsilon=1e-5, name='norm1')((contexts + joints).reshape(-1, channels))
    points, weights = block.sampling(queries.reshape(shape), joints2d_crop, doubt)
    attended = block.attended(points, weights, maps, channels).reshape(-1, channels)
    keep = _keep(drop_path, contexts.shape, len(rows), train)
    rows = rows + (attended if keep is None else attended * keep)
    keep = _keep(drop_path, contexts.shape, len(rows), train)
    rows = rows + mlp(LayerNorm(epsilon=1e-5, name='norm2')(rows), keep)
    return rows.reshape(shape), points, weights


def attended(
    plain: Callable[..., Any],
    block: DeformableBlock,
    points: jax.Array,
    weights: jax.Array,
    maps: Sequence[jax.Array],
    channels: int,
) -> jax.Array:
    """`DeformableBlock.attended` with a gradient that sums before it multiplies."""
    if _is_plain(block):
        return plain(points, weights, maps, channels)
    batch, joints, levels = points.shape[:3]
    attended = []
    for level, one_map in enumerate(maps):
        samples = grid_sample(one_map, points[:, :, level], 'border')  # [B, J, M, K, C_l]
        project = WeightedSumLinear(channels // block.heads, name=f'value_projection_{level}')
        mixed = project(
            samples.reshape(-1, *samples.shape[-2:]),
            weights[:, :, level].reshape(-1, block.points),
        )
        attended.append(mixed.reshape(-1, channels))
    return jnp.stack(attended, axis=1).reshape(batch, joints, levels, channels)


def context(
    plain: Callable[..., Any], lifter: Lifter, maps: Sequence[jax.Array], joints2d_crop: jax.Array
) -> list[jax.Array]:
    """`Lifter.context` by the sampling of a CPU."""
    if _is_plain(lifter):
        return plain(maps, joints2d_crop)
    return [grid_sample(one_map, joints2d_crop, 'zeros') for one_map in maps]


REPLACEMENTS = {
    (Lifter, 'context'): context,
    (TemporalLifter, 'context'): context,
    (TransformerBlock, '__call__'): transformer_block,
    (DeformableBlock, '__call__'): deformable_block,
    (DeformableBlock, 'attended'): attended,
}

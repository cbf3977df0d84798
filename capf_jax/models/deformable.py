"""Deformable context extraction: context tokens look around their joint in the maps.

Source: paper, section 3, the second module of the lifter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.grid_sample import grid_sample
from capf_jax.models.transformer import MLP, DropPath, LayerNorm, check_heads, dense
from capf_jax.pose.batch import Array

FIRST_REACH = 4.0  # how many times farther than others a doubtful joint's points start, less one


def compass(heads: int, points: int) -> Float[jax.Array, ' biases']:
    """First biases of the sampling offsets, M * K * 2 of them: head h looks at angle 2 pi h / M.

    The larger component is 0.01 times the point's number 1..K. Order: head, point, (x, y).
    """
    angles = [2 * math.pi * head / heads for head in range(heads)]
    directions = jnp.array([(math.cos(angle), math.sin(angle)) for angle in angles])
    directions /= jnp.abs(directions).max(axis=-1, keepdims=True)
    steps = 0.01 * jnp.arange(1, points + 1)
    return (directions[:, None, :] * steps[None, :, None]).reshape(-1)


class DeformableBlock(nn.Module):
    """Lets each context token look around its joint in the map of its own level.

    Attributes:
      heads: attention heads M.
      points: sampling points K a head.
      mlp_ratio: hidden width of the MLP over its input width.
      drop_path: chance that a sample skips each of the two branches while training.
      dtype: of the computation; parameters, sampling points and weights are float32.
      wander: whether the points of doubtful joints lie farther off, which is not in the paper.
    """

    heads: int
    points: int
    mlp_ratio: int
    drop_path: float = 0.0
    dtype: Any = jnp.float32
    wander: bool = False

    @nn.compact
    def __call__(
        self,
        contexts: Float[Array, 'B J L C'],
        joints: Float[Array, 'B J 1 C'],
        joints2d_crop: Float[Array, 'B J 2'],
        maps: Sequence[Float[Array, 'B _ _ _']],
        *,
        doubt: Float[Array, 'B J'] | None = None,
        train: bool = False,
    ) -> tuple[
        Float[jax.Array, 'B J L C'],
        Float[jax.Array, 'B J L M K 2'],
        Float[jax.Array, 'B J L M K'],
    ]:
        """Updates the context tokens; the joint token only steers them.

        Args:
          contexts: context tokens.
          joints: joint tokens.
          joints2d_crop: where the joints are, normalised by the crop.
          maps: L feature maps [B, H_l, W_l, C_l].
          doubt: of each joint, 0 to 1; None for none. It is read if `wander` is set.
          train: whether drop path acts.

        Returns:
          Context tokens, sampling points normalised by the crop, and attention weights.

        Raises:
          UserError: the channels cannot be shared out among the heads.
        """
        check_heads(contexts.shape[-1], self.heads)
        drop_path = DropPath(self.drop_path)
        norm1 = LayerNorm(epsilon=1e-5, dtype=self.dtype, name='norm1')
        norm2 = LayerNorm(epsilon=1e-5, dtype=self.dtype, name='norm2')
        mlp = MLP(self.mlp_ratio, self.dtype, name='mlp')

        points, weights = self.sampling(norm1(contexts + joints), joints2d_crop, doubt)
        attended = self.attended(points, weights, maps, contexts.shape[-1])
        contexts = contexts + drop_path(attended, train=train)
        contexts = contexts + drop_path(mlp(norm2(contexts)), train=train)
        return contexts, points, weights

    def sampling(
        self,
        queries: Float[Array, 'B J L C'],
        joints2d_crop: Float[Array, 'B J 2'],
        doubt: Float[Array, 'B J'] | None = None,
    ) -> tuple[Float[jax.Array, 'B J L M K 2'], Float[jax.Array, 'B J L M K']]:
        """Where the queries look, and how much each point counts.

        Returns:
          Points, the joint plus tanh of a dense layer, times more for a doubtful joint where points
          may wander; and weights, softmax of a dense layer over the points of each head.
        """
        shape = (*queries.shape[:-1], self.heads, self.points)
        scores = nn.Dense(
            self.heads * self.points,
            kernel_init=nn.initializers.zeros,
            dtype=self.dtype,
            name='attention_weights',
        )(queries)
        offsets = nn.Dense(
            self.heads * self.points * 2,
            kernel_init=nn.initializers.zeros,
            bias_init=lambda *_: compass(self.heads, self.points),
            dtype=self.dtype,
            name='sampling_offsets',
        )(queries)
        weights = nn.softmax(scores.astype(jnp.float32).reshape(shape))
        offsets = jnp.tanh(offsets.astype(jnp.float32)).reshape(*shape, 2)
        if self.wander:
            reach = self.param('reach', nn.initializers.constant(FIRST_REACH), (self.heads, 1, 1))
            if doubt is not None:
                offsets = offsets * (1 + reach * doubt[:, :, None, None, None, None])
        return joints2d_crop[:, :, None, None, None] + offsets, weights

    def attended(
        self,
        points: Float[Array, 'B J L M K 2'],
        weights: Float[Array, 'B J L M K'],
        maps: Sequence[Float[Array, 'B _ _ _']],
        channels: int,
    ) -> Float[jax.Array, 'B J L C']:
        """The maps at the points: for each head, the weighted sum of its K values."""
        levels = []
        for level, one_map in enumerate(maps):
            samples = grid_sample(one_map, points[:, :, level], 'border')  # [B, J, M, K, C_l]
            project = dense(
                one_map.shape[-1],
                channels // self.heads,
                dtype=self.dtype,
                name=f'value_projection_{level}',
            )
            values = project(samples)  # [B, J, M, K, C / M]
            mixed = jnp.sum(weights[:, :, level, ..., None].astype(values.dtype) * values, axis=-2)
            levels.append(mixed.reshape(*mixed.shape[:2], channels))
        return jnp.stack(levels, axis=2)

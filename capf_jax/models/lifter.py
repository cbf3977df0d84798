"""The lifter of Context-Aware PoseFormer: 2D joints and frozen feature maps -> one 3D pose.

Source: "A Single 2D Pose with Context is Worth Hundreds for 3D Human Pose Estimation", NeurIPS
2023, section 3. The order of things: joint-context embedding, deformable context extraction,
pose-context fusion, spatial inter-joint modelling, head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from capf_jax.models.grid_sample import grid_sample
from capf_jax.models.layers import (
    MLP,
    DropPath,
    TransformerBlock,
    WeightedSumLinear,
    check_heads,
    drop_path_rates,
    layer_norm,
    linear,
)


def compass(heads: int, points: int) -> jax.Array:
    """First biases of the sampling offsets [M * K * 2]: head h looks at angle 2 pi h / M.

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
      drop_path: chance that a sample skips each of the two branches.
    """

    heads: int
    points: int
    mlp_ratio: int
    drop_path: float = 0.0

    @nn.compact
    def __call__(
        self,
        contexts: jax.Array,
        joints: jax.Array,
        joints2d_crop: jax.Array,
        maps: Sequence[jax.Array],
        *,
        train: bool = False,
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Updates the context tokens; the joint token only steers them.

        Args:
          contexts: [B, J, L, C] context tokens.
          joints: [B, J, 1, C] joint tokens.
          joints2d_crop: [B, J, 2] where the joints are, normalised by the crop.
          maps: L feature maps [B, H, W, C_l].

        Returns:
          Context tokens [B, J, L, C], sampling points [B, J, L, M, K, 2] normalised by the crop,
          attention weights [B, J, L, M, K].
        """
        shape, channels = contexts.shape, contexts.shape[-1]
        check_heads(channels, self.heads)
        head_shape = (*shape[:-1], self.heads, self.points)
        drop = DropPath(self.drop_path)
        rows = contexts.reshape(-1, channels)  # as in TransformerBlock
        normed = layer_norm((contexts + joints).reshape(-1, channels), 1e-5, 'norm1')
        weights = nn.Dense(
            self.heads * self.points,
            kernel_init=nn.initializers.zeros,
            name='attention_weights',
        )(normed)
        weights = nn.softmax(weights.reshape(head_shape))
        offsets = nn.Dense(
            self.heads * self.points * 2,
            kernel_init=nn.initializers.zeros,
            bias_init=lambda *_: compass(self.heads, self.points),
            name='sampling_offsets',
        )(normed)
        offsets = jnp.tanh(offsets).reshape(*head_shape, 2)
        points = joints2d_crop[:, :, None, None, None, :] + offsets
        attended = []
        for level, one_map in enumerate(maps):
            samples = grid_sample(one_map, points[:, :, level], 'border')  # [B, J, M, K, C_l]
            projection = WeightedSumLinear(channels // self.heads, name=f'value_projection_{level}')
            mixed = projection(
                samples.reshape(-1, *samples.shape[-2:]),
                weights[:, :, level].reshape(-1, self.points),
            )
            attended.append(mixed.reshape(-1, channels))
        attended = jnp.stack(attended, axis=1).reshape(-1, channels)
        keep = drop(len(contexts), len(rows), train)
        rows = rows + (attended if keep is None else attended * keep)
        keep = drop(len(contexts), len(rows), train)
        rows = rows + MLP(self.mlp_ratio, name='mlp')(layer_norm(rows, 1e-5, 'norm2'), keep)
        contexts = rows.reshape(shape)
        return contexts, points, weights


class Lifter(nn.Module):
    """2D joints and feature maps -> 3D joints. Fields are those of `config.model.lifter`.

    Attributes:
      num_joints: joints J.
      ablation_step: 0 coordinates alone, 1 + sampled context, 2 + fusion, 3 + deformable
        extraction (paper Table 3).
      levels: which of the given feature maps are used (paper Table 4).
      deformable: False leaves deformable extraction out at step 3 as well (MPI-INF-3DHP).
      detector_joints: whether the detector's own joints are concatenated to the 2D joints.
      channels: C, the shared dimension.
      layers: blocks in each module.
      heads: heads of fusion and inter-joint attention.
      deformable_heads: heads M of deformable attention.
      sampling_points: sampling points K a head.
      mlp_ratio: hidden width of every MLP over its input width.
      drop_path: rate of each module's last block.
    """

    num_joints: int = 17
    ablation_step: int = 3
    levels: tuple[int, ...] = (0, 1, 2, 3)
    deformable: bool = True
    detector_joints: bool = False
    channels: int = 128
    layers: int = 4
    heads: int = 8
    deformable_heads: int = 4
    sampling_points: int = 4
    mlp_ratio: int = 2
    drop_path: float = 0.2

    @nn.compact
    def __call__(
        self,
        joints2d: jax.Array,
        joints2d_crop: jax.Array,
        maps: Sequence[jax.Array],
        *,
        train: bool = False,
    ) -> tuple[jax.Array, dict[str, Any]]:
        """Lifts.

        Args:
          joints2d: [B, J, 2] normalised by the image; [B, J, 4] with the detector's own joints.
          joints2d_crop: [B, J, 2] normalised by the crop: -1..1 over its border pixels' centres.
          maps: every feature map of the detector, finest first, [B, H_l, W_l, C_l]; unused at
            step 0.
          train: whether drop path acts, from the random stream `drop_path`.

        Returns:
          pose: [B, J, 3] metres, camera frame, relative to the root joint.
          intermediates: tokens after each module that runs, `embedded`, `context` and `fused`
            [B, L+1, J, C] (joint token first; at step 0 `embedded` is [B, J, (L+1) * C]), `joints`
            [B, J, (L+1) * C]; and, one entry a deformable block, `sampling_points`
            [B, L, J, M, K, 2] normalised by the crop and `attention_weights` [B, L, J, M, K].
        """
        self._check(joints2d, maps)
        batch, joints, _ = joints2d.shape
        joint_channels = (len(self.levels) + 1) * self.channels
        rates = drop_path_rates(self.drop_path, self.layers)
        intermediates = {}
        if self.ablation_step == 0:
            x = linear(joints2d, joint_channels, 'joint_embedding')
            shape = (joints, joint_channels)
            x = x + self.param('position_embedding', nn.initializers.zeros, shape)
            intermediates['embedded'] = x
        else:
            maps = [maps[level] for level in self.levels]
            # Tokens lie as [B, J, L+1, C] inside, so that a joint's tokens concatenate for free.
            x = self._embed(joints2d, joints2d_crop, maps)
            intermediates['embedded'] = x.swapaxes(1, 2)
            if self.ablation_step >= 3 and self.deformable:
                x, points, weights = self._extract(x, joints2d_crop, maps, rates, train)
                intermediates['context'] = x.swapaxes(1, 2)
                intermediates['sampling_points'] = points
                intermediates['attention_weights'] = weights
            if self.ablation_step >= 2:
                for layer, rate in enumerate(rates):
                    block = TransformerBlock(
                        self.heads, self.mlp_ratio, rate, name=f'fusion_{layer}'
                    )
                    x = block(x, train=train)
                intermediates['fused'] = x.swapaxes(1, 2)
        x = x.reshape(batch, joints, joint_channels)
        for layer, rate in enumerate(rates):
            block = TransformerBlock(self.heads, self.mlp_ratio, rate, name=f'inter_joint_{layer}')
            x = block(x, train=train)
        intermediates['joints'] = x
        return linear(layer_norm(x, 1e-5, 'head_norm'), 3, 'head'), intermediates

    def _check(self, joints2d, maps):
        """ValueError unless there is such a step, and joints and maps are those it asks for."""
        if self.ablation_step not in (0, 1, 2, 3):
            raise ValueError(
                f'model.lifter.ablation_step is {self.ablation_step}; it must be 0, 1, 2 or 3'
            )
        expected = (self.num_joints, 4 if self.detector_joints else 2)
        if joints2d.shape[1:] != expected:
            raise ValueError(
                f'the lifter got joints2d {joints2d.shape}; for {self.num_joints} joints and '
                f'detector_joints={self.detector_joints} it must be [B, {expected[0]}, '
                f'{expected[1]}]'
            )
        if self.ablation_step > 0 and max(self.levels) >= len(maps):
            raise ValueError(
                f'model.lifter.levels is {self.levels}, but the detector gives {len(maps)} maps; '
                f'use levels 0 to {len(maps) - 1}'
            )

    def _embed(self, joints2d, joints2d_crop, maps):
        """Joint token and one context token a level, plus position: [B, J, L+1, C]."""
        tokens = [linear(joints2d, self.channels, 'joint_embedding')]
        for level, one_map in enumerate(maps):
            samples = grid_sample(one_map, joints2d_crop, 'zeros')  # [B, J, C_l]
            tokens.append(linear(samples, self.channels, f'context_embedding_{level}'))
        x = jnp.stack(tokens, axis=2)
        return x + self.param('position_embedding', nn.initializers.zeros, x.shape[1:])

    def _extract(self, x, joints2d_crop, maps, rates, train):
        """Deformable extraction: tokens [B, J, L+1, C], and every block's points and weights."""
        joints, contexts = x[:, :, :1], x[:, :, 1:]
        all_points, all_weights = [], []
        for layer, rate in enumerate(rates):
            block = DeformableBlock(
                self.deformable_heads,
                self.sampling_points,
                self.mlp_ratio,
                rate,
                name=f'deformable_{layer}',
            )
            contexts, points, weights = block(contexts, joints, joints2d_crop, maps, train=train)
            all_points.append(points.swapaxes(1, 2))
            all_weights.append(weights.swapaxes(1, 2))
        return jnp.concatenate([joints, contexts], axis=2), tuple(all_points), tuple(all_weights)

"""The lifter of Context-Aware PoseFormer: 2D joints and frozen feature maps -> one 3D pose.

Source: "A Single 2D Pose with Context is Worth Hundreds for 3D Human Pose Estimation", NeurIPS
2023, section 3. The order of things is the paper's: joint-context embedding, deformable context
extraction, pose-context fusion, spatial inter-joint modelling, and the head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.models import second_reading
from capf_jax.models.deformable import DeformableBlock
from capf_jax.models.grid_sample import grid_sample
from capf_jax.models.transformer import (
    LayerNorm,
    TransformerBlock,
    dense,
    drop_path_rates,
)
from capf_jax.pose.batch import Array


class Lifter(nn.Module):
    """2D joints and feature maps -> 3D joints. Fields are those of `config.model.lifter`.

    Attributes:
      num_joints: joints J.
      ablation_step: 0 coordinates alone, 1 + sampled context, 2 + fusion, 3 + deformable
        extraction (paper Table 3).
      levels: which of the detector's feature maps are used (paper Table 4); L of them.
      deformable: False leaves deformable extraction out at step 3 as well (MPI-INF-3DHP).
      detector_joints: whether the detector's own joints are concatenated to the 2D joints.
      channels: C, the shared dimension.
      layers: blocks in each module.
      heads: heads of fusion and inter-joint attention.
      deformable_heads: heads M of deformable attention.
      sampling_points: sampling points K a head.
      mlp_ratio: hidden width of every MLP over its input width.
      drop_path: rate of each module's last block.
      robust: means against bad 2D joints, of `second_reading.MEANS`; () is the paper's lifter.
      dtype: of the computation. Parameters are float32, and so are coordinates, sampling points and
        the pose: in bfloat16 a joint of a large image would move by pixels.
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
    robust: tuple[str, ...] = ()
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """The head, which other networks call after modules of their own."""
        self.head_norm = LayerNorm(epsilon=1e-5, dtype=jnp.float32)
        self.head = dense(self.width, 3)

    @nn.compact
    def __call__(
        self,
        joints2d: Float[Array, 'B _ _'],
        joints2d_crop: Float[Array, 'B J 2'],
        maps: Sequence[Float[Array, 'B _ _ _']],
        contexts: Sequence[Float[Array, 'B J _']] | None = None,
        doubt: Float[Array, 'B J'] | None = None,
        *,
        train: bool = False,
    ) -> tuple[Float[jax.Array, 'B J 3'], dict[str, Any]]:
        """Lifts every person of the batch.

        Args:
          joints2d: [B, J, 2] normalised by the image or by their own box, as the lifter's frame
            wants it; with `joint_numbers` numbers a joint where more than these go in.
          joints2d_crop: normalised by the crop: -1..1 over its border pixels' centres.
          maps: every feature map of the detector, finest first, [B, H_l, W_l, C_l]; unused at
            step 0.
          contexts: what `context` gave for every map of the detector, instead of the maps; for
            lifters without deformable extraction alone.
          doubt: of each joint, 0 to 1, for points that may wander; None for none.
          train: whether drop path acts, from the random stream `drop_path`.

        Returns:
          pose: [B, J, 3] metres, relative to the root joint, in the frame of the targets.
          intermediates: tokens after each module that runs, `embedded`, `context` and `fused`
            [B, L+1, J, C] (joint token first; at step 0 `embedded` is [B, J, (L+1) * C]), `joints`
            [B, J, (L+1) * C]; and, one entry a deformable block, `sampling_points`
            [B, L, J, M, K, 2] normalised by the crop and `attention_weights` [B, L, J, M, K].

        Raises:
          UserError: there is no such step, or joints and maps are not those that it needs.
        """
        x, intermediates = self.encode(joints2d, joints2d_crop, maps, contexts, train, doubt)
        return self.regress(x), intermediates

    def encode(
        self,
        joints2d: Float[Array, 'B _ _'],
        joints2d_crop: Float[Array, 'B J 2'],
        maps: Sequence[Float[Array, 'B _ _ _']],
        contexts: Sequence[Float[Array, 'B J _']] | None,
        train: bool,
        doubt: Float[Array, 'B J'] | None = None,
    ) -> tuple[Float[jax.Array, 'B J D'], dict[str, Any]]:
        """All modules but the head: tokens of D = (L+1) * C channels, and the intermediates.

        Arguments and errors are those of `__call__`.
        """
        self._check(joints2d, maps if contexts is None else contexts)
        intermediates: dict[str, Any] = {}
        if self.ablation_step == 0:
            x = self.embed_coordinates(joints2d)
            intermediates['embedded'] = x
        else:
            if contexts is None:
                maps = [maps[level] for level in self.levels]
                contexts = self.context(maps, joints2d_crop)
            elif self.runs_deformable:
                raise UserError(
                    'features made in advance are what the maps show at the joints, and deformable '
                    'extraction looks around them: set config.model.lifter.ablation_step to 2 or '
                    'less or deformable to False, or config.data.features to False'
                )
            else:
                contexts = [contexts[level] for level in self.levels]
            tokens = self.embed(joints2d, contexts)
            intermediates['embedded'] = tokens.swapaxes(1, 2)
            if self.runs_deformable:
                tokens, sampling = self.extract_context(tokens, joints2d_crop, maps, train, doubt)
                intermediates |= {'context': tokens.swapaxes(1, 2), **sampling}
            if self.ablation_step >= 2:
                tokens = self.fuse(tokens, train)
                intermediates['fused'] = tokens.swapaxes(1, 2)
            x = tokens.reshape(*tokens.shape[:2], -1)
        x = self.relate_joints(x, train)
        intermediates['joints'] = x
        return x, intermediates

    @property
    def width(self) -> int:
        """D, the channels of all tokens of a joint side by side."""
        return (len(self.levels) + 1) * self.channels

    @property
    def joint_numbers(self) -> int:
        """How many numbers of each joint `joints2d` holds."""
        return (4 if self.detector_joints else 2) + second_reading.joint_numbers(self.robust)

    @property
    def runs_deformable(self) -> bool:
        """Whether deformable context extraction is a part of this lifter."""
        return self.ablation_step >= 3 and self.deformable

    def embed(
        self, joints2d: Float[Array, 'B J _'], contexts: Sequence[Float[Array, 'B J _']]
    ) -> Float[jax.Array, 'B J tokens C']:
        """Joint-context embedding: a joint token, and a context token for each level.

        A context token is the level's map at the joint. The unified position embedding is added.
        """
        joint = dense(joints2d.shape[-1], self.channels, name='joint_embedding')(joints2d)
        tokens = [joint]
        for level, context in enumerate(contexts):
            embedding = dense(
                context.shape[-1],
                self.channels,
                dtype=self.dtype,
                name=f'context_embedding_{level}',
            )
            tokens.append(embedding(context))
        return self._with_position(jnp.stack(tokens, axis=2))

    def context(
        self, maps: Sequence[Float[Array, 'B _ _ _']], joints2d_crop: Float[Array, 'B J 2']
    ) -> list[Float[jax.Array, 'B J _']]:
        """What each map shows at the joints, [B, J, C_l] for level l."""
        return [grid_sample(one_map, joints2d_crop, 'zeros') for one_map in maps]

    def embed_coordinates(self, joints2d: Float[Array, 'B J _']) -> Float[jax.Array, 'B J D']:
        """The embedding of step 0, D = (L+1) * C: as wide as all tokens of a joint."""
        x = dense(joints2d.shape[-1], self.width, name='joint_embedding')(joints2d)
        return self._with_position(x)

    def extract_context(
        self,
        tokens: Float[Array, 'B J tokens C'],
        joints2d_crop: Float[Array, 'B J 2'],
        maps: Sequence[Float[Array, 'B _ _ _']],
        train: bool,
        doubt: Float[Array, 'B J'] | None = None,
    ) -> tuple[Float[jax.Array, 'B J tokens C'], dict[str, Any]]:
        """Deformable context extraction: updates the context tokens, all but each joint's first.

        The second result is `sampling_points` and `attention_weights`, as `__call__` gives them.
        """
        joints, contexts = tokens[:, :, :1], tokens[:, :, 1:]
        sampling: dict[str, Any] = {'sampling_points': (), 'attention_weights': ()}
        for layer, rate in enumerate(self._drop_path_rates()):
            block = DeformableBlock(
                self.deformable_heads,
                self.sampling_points,
                self.mlp_ratio,
                rate,
                self.dtype,
                second_reading.WANDER in self.robust,
                name=f'deformable_{layer}',
            )
            contexts, points, weights = block(
                contexts, joints, joints2d_crop, maps, doubt=doubt, train=train
            )
            sampling['sampling_points'] += (points.swapaxes(1, 2),)
            sampling['attention_weights'] += (weights.swapaxes(1, 2),)
        return jnp.concatenate([joints, contexts], axis=2), sampling

    def fuse(
        self, tokens: Float[Array, 'B J tokens C'], train: bool
    ) -> Float[jax.Array, 'B J tokens C']:
        """Pose-context fusion: attention among the L+1 tokens of each joint.

        Drop path leaves out the branches of a single joint of a sample, as in the published code,
        whose fusion blocks see a batch of samples times joints.
        """
        return self._transform(tokens, 'fusion', train, drop_path_axes=2)

    def relate_joints(self, x: Float[Array, 'B J D'], train: bool) -> Float[jax.Array, 'B J D']:
        """Spatial inter-joint modelling: attention among J joints of D = (L+1) * C channels."""
        return self._transform(x, 'inter_joint', train)

    def regress(self, x: Float[Array, 'B J D']) -> Float[jax.Array, 'B J 3']:
        """The head: from the D = (L+1) * C channels of each joint to its coordinates."""
        return self.head(self.head_norm(x))

    def _transform(
        self, x: jax.Array, name: str, train: bool, drop_path_axes: int = 1
    ) -> jax.Array:
        """The transformer blocks `name`_0, `name`_1, ... over the second-to-last axis."""
        for layer, rate in enumerate(self._drop_path_rates()):
            block = TransformerBlock(
                self.heads, self.mlp_ratio, rate, self.dtype, drop_path_axes, name=f'{name}_{layer}'
            )
            x = block(x, train=train)
        return x

    def _with_position(self, x: jax.Array) -> jax.Array:
        """The tokens x [B, ...] plus the learned position embedding, one for all samples."""
        position = self.param('position_embedding', nn.initializers.zeros, x.shape[1:])
        return (x + position).astype(self.dtype)

    def _drop_path_rates(self) -> tuple[float, ...]:
        return drop_path_rates(self.drop_path, self.layers)

    def _check(self, joints2d: Array, maps: Sequence[Array]) -> None:
        """UserError unless there is such a step, and joints and maps are those that it needs."""
        if self.ablation_step not in (0, 1, 2, 3):
            raise UserError(
                f'model.lifter.ablation_step is {self.ablation_step}; it must be 0, 1, 2 or 3'
            )
        expected = (self.num_joints, self.joint_numbers)
        if joints2d.shape[1:] != expected:
            raise UserError(
                f'the lifter got joints2d {joints2d.shape}; for {self.num_joints} joints, '
                f'detector_joints={self.detector_joints} and robust={self.robust} it must be '
                f'[B, {expected[0]}, {expected[1]}]'
            )
        if self.ablation_step > 0 and max(self.levels) >= len(maps):
            raise UserError(
                f'model.lifter.levels is {self.levels}, but the detector gives {len(maps)} maps; '
                f'use levels 0 to {len(maps) - 1}'
            )

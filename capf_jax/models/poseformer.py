"""PoseFormer: 2D joints of F frames -> the centre frame's 3D pose, from coordinates alone.

The context-agnostic counterpart of Context-Aware PoseFormer (Zheng et al., "3D Human Pose
Estimation with Spatial and Temporal Transformers", ICCV 2021), wired as its published
weights need it.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.models.transformer import LayerNorm, TransformerBlock, dense, drop_path_rates
from capf_jax.pose.batch import Array


class PoseFormer(nn.Module):
    """2D joints of F frames -> 3D joints of the centre frame.

    Attributes:
      num_joints: joints J.
      frames: frames F of one sequence.
      channels: C, the dimension of one joint's token; a frame's token has C * J.
      layers: blocks in each of the two transformers.
      heads: attention heads.
      mlp_ratio: hidden width of every MLP over its input width.
      drop_path: rate of each transformer's last block.
      dtype: of the computation. Parameters, coordinates and the pose are float32.
    """

    num_joints: int = 17
    frames: int = 81
    channels: int = 32
    layers: int = 4
    heads: int = 8
    mlp_ratio: int = 2
    drop_path: float = 0.1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, joints2d: Float[Array, 'B _ _ _'], *, train: bool = False
    ) -> tuple[Float[jax.Array, 'B J 3'], dict[str, Float[jax.Array, ...]]]:
        """Lifts the centre frame of every sequence.

        Args:
          joints2d: [B, F, J, 2] normalised by the image.
          train: whether drop path acts, from the random stream `drop_path`.

        Returns:
          pose: [B, J, 3] metres, camera frame, relative to the root joint.
          intermediates: `spatial` [B, F, J, C] and `temporal` [B, F, J * C], the tokens after each
            transformer.

        Raises:
          UserError: the numbers of frames, joints or coordinates are not those of the fields.
        """
        expected = (self.frames, self.num_joints, 2)
        if joints2d.shape[1:] != expected:
            raise UserError(
                f'PoseFormer got joints2d {joints2d.shape}; these weights need '
                f'[B, {", ".join(map(str, expected))}]'
            )
        batch, frames, joints, _ = joints2d.shape
        x = dense(2, self.channels, name='joint_embedding')(joints2d)  # [B, F, J, C]
        x = self._transform(x, 'spatial', train)
        spatial = LayerNorm(epsilon=1e-6, dtype=self.dtype, name='spatial_norm')(x)

        x = spatial.reshape(batch, frames, joints * self.channels)
        x = self._transform(x, 'temporal', train)
        temporal = LayerNorm(epsilon=1e-6, dtype=self.dtype, name='temporal_norm')(x)

        # The weighted mean over the frames, and the head.
        x = dense(frames, 1, name='frame_mean')(temporal.swapaxes(1, 2))[..., 0]  # [B, J * C]
        x = LayerNorm(epsilon=1e-5, name='head_norm')(x)
        x = dense(x.shape[-1], 3 * joints, name='head')(x)
        return x.reshape(batch, joints, 3), {'spatial': spatial, 'temporal': temporal}

    def _transform(self, x: jax.Array, name: str, train: bool) -> jax.Array:
        """Position embedding and blocks of one transformer, x [B, F, ..., C] -> the same shape."""
        # The spatial embedding is one for all frames.
        shape = x.shape[-2:]
        x = x + self.param(f'{name}_position', nn.initializers.zeros, shape)
        x = x.astype(self.dtype)
        for layer, rate in enumerate(drop_path_rates(self.drop_path, self.layers)):
            block = TransformerBlock(
                self.heads, self.mlp_ratio, rate, self.dtype, name=f'{name}_{layer}'
            )
            x = block(x, train=train)
        return x

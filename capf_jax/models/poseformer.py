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

    def setup(self) -> None:
        """Both transformers and the head, in the order in which they run."""
        rates = drop_path_rates(self.drop_path, self.layers)

        def blocks() -> list[TransformerBlock]:
            return [
                TransformerBlock(self.heads, self.mlp_ratio, rate, self.dtype) for rate in rates
            ]

        zeros, width = nn.initializers.zeros, self.num_joints * self.channels
        self.joint_embedding = dense(2, self.channels)
        self.spatial_position = self.param(
            'spatial_position', zeros, (self.num_joints, self.channels)
        )
        self.spatial = blocks()
        self.spatial_norm = LayerNorm(epsilon=1e-6, dtype=self.dtype)
        self.temporal_position = self.param('temporal_position', zeros, (self.frames, width))
        self.temporal = blocks()
        self.temporal_norm = LayerNorm(epsilon=1e-6, dtype=self.dtype)
        self.frame_mean = dense(self.frames, 1)
        self.head_norm = LayerNorm(epsilon=1e-5)
        self.head = dense(width, 3 * self.num_joints)

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
        spatial = self.relate_joints(joints2d, train=train)
        pose, temporal = self._relate_frames(spatial, train)
        return pose, {'spatial': spatial, 'temporal': temporal}

    def relate_joints(
        self, joints2d: Float[Array, 'B frames J 2'], *, train: bool = False
    ) -> Float[jax.Array, 'B frames J C']:
        """The spatial transformer, over the joints of each of any number of frames."""
        x = self.joint_embedding(joints2d) + self.spatial_position  # one embedding for all frames
        x = x.astype(self.dtype)
        for block in self.spatial:
            x = block(x, train=train)
        return self.spatial_norm(x)

    def over_time(self, tokens: Float[Array, 'B F J C']) -> Float[jax.Array, 'B J 3']:
        """The poses of sequences whose frames `relate_joints` has encoded already."""
        return self._relate_frames(tokens, train=False)[0]

    def _relate_frames(
        self, tokens: Float[Array, 'B F J C'], train: bool
    ) -> tuple[Float[jax.Array, 'B J 3'], Float[jax.Array, 'B F D']]:
        """The temporal transformer over D = J * C channels, the mean over the frames, the head."""
        x = tokens.reshape(*tokens.shape[:2], -1) + self.temporal_position
        x = x.astype(self.dtype)
        for block in self.temporal:
            x = block(x, train=train)
        temporal = self.temporal_norm(x)
        x = self.frame_mean(temporal.swapaxes(1, 2))[..., 0]  # [B, J * C]
        pose = self.head(self.head_norm(x))
        return pose.reshape(-1, self.num_joints, 3), temporal

"""PoseFormer: 2D joints of F frames -> the centre frame's 3D pose, from coordinates alone.

The context-agnostic counterpart of Context-Aware PoseFormer (Zheng et al., "3D Human Pose
Estimation with Spatial and Temporal Transformers", ICCV 2021), as its published weights need it.
"""

from __future__ import annotations

import flax.linen as nn
import jax

from capf_jax.models.layers import TransformerBlock, drop_path_rates, layer_norm, linear


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
    """

    num_joints: int = 17
    frames: int = 81
    channels: int = 32
    layers: int = 4
    heads: int = 8
    mlp_ratio: int = 2
    drop_path: float = 0.1

    @nn.compact
    def __call__(
        self, joints2d: jax.Array, *, train: bool = False
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Lifts.

        Args:
          joints2d: [B, F, J, 2] normalised by the image.
          train: whether drop path acts, from the random stream `drop_path`.

        Returns:
          pose: [B, J, 3] metres, camera frame, relative to the root joint.
          intermediates: `spatial` [B, F, J, C] and `temporal` [B, F, J * C], the tokens after each
            transformer.

        Raises:
          ValueError: other numbers of frames, joints or coordinates than the fields say.
        """
        expected = (self.frames, self.num_joints, 2)
        if joints2d.shape[1:] != expected:
            raise ValueError(
                f'PoseFormer got joints2d {joints2d.shape}; these weights need '
                f'[B, {", ".join(map(str, expected))}]'
            )
        zeros, rates = nn.initializers.zeros, drop_path_rates(self.drop_path, self.layers)
        x = linear(joints2d, self.channels, 'joint_embedding')  # [B, F, J, C]
        x = x + self.param('spatial_position', zeros, x.shape[2:])
        for layer, rate in enumerate(rates):
            block = TransformerBlock(self.heads, self.mlp_ratio, rate, name=f'spatial_{layer}')
            x = block(x, train=train)
        spatial = x = layer_norm(x, 1e-6, 'spatial_norm')

        x = x.reshape(*x.shape[:2], -1)  # [B, F, J * C]
        x = x + self.param('temporal_position', zeros, x.shape[1:])
        for layer, rate in enumerate(rates):
            block = TransformerBlock(self.heads, self.mlp_ratio, rate, name=f'temporal_{layer}')
            x = block(x, train=train)
        temporal = x = layer_norm(x, 1e-6, 'temporal_norm')

        x = linear(x.swapaxes(1, 2), 1, 'frame_mean')[..., 0]  # [B, J * C]
        x = linear(layer_norm(x, 1e-5, 'head_norm'), 3 * self.num_joints, 'head')
        pose = x.reshape(-1, self.num_joints, 3)
        return pose, {'spatial': spatial, 'temporal': temporal}

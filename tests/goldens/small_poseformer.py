"""Makes small_poseformer.npz with PyTorch: `python -m tests.goldens.small_poseformer`.

A small PoseFormer, written with PyTorch's own functions on the recipe's weights, with its tokens
on the way, so that a mismatch of the whole network can be traced to its part.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from tests.goldens import recipe
from tests.goldens.detector_blocks import layer_norm, linear, transformer_block, weight

FILE = pathlib.Path(__file__).with_suffix('.npz')


def poseformer(joints, channels=8, layers=2, heads=2):
    """2D joints [B, F, J, 2]: tokens of joints, tokens of frames, 3D pose of the centre frame."""
    batch, frames, number, _ = joints.shape
    x = linear(joints.flatten(0, 1), 'Spatial_patch_to_embedding', channels)
    x = x + weight('Spatial_pos_embed', 1, number, channels)
    for layer in range(layers):
        x = transformer_block(x, f'Spatial_blocks.{layer}', heads, mlp_ratio=2)
    spatial = layer_norm(x, 'Spatial_norm').unflatten(0, (batch, frames))
    x = spatial.flatten(2) + weight('Temporal_pos_embed', 1, frames, number * channels)
    for layer in range(layers):
        x = transformer_block(x, f'blocks.{layer}', heads, mlp_ratio=2)
    temporal = layer_norm(x, 'Temporal_norm')
    mean = weight('weighted_mean.weight', 1, frames, 1), weight('weighted_mean.bias', 1)
    x = F.conv1d(temporal, *mean).squeeze(1)
    x = linear(layer_norm(x, 'head.0', eps=1e-5), 'head.1', 3 * number)
    return {'spatial': spatial, 'temporal': temporal, 'pose': x.unflatten(-1, (number, 3))}


def main():
    # Few frames and many joints: the Flax model's two ways of attention, see its FEW_TOKENS.
    joints = recipe.keypoints(6, joints=9)[0].reshape(2, 3, 9, 2)
    stages = poseformer(torch.from_numpy(joints))
    np.savez_compressed(FILE, **{name: stage.numpy() for name, stage in stages.items()})


if __name__ == '__main__':
    main()

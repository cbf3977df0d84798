"""PyTorch names of the published PoseFormer files -> our PoseFormer's."""

from __future__ import annotations

from capf_jax.models.poseformer import PoseFormer
from converters.engine import Layout, Rule, layer_norm, linear
from converters.lifter_names import transformer

_POSITION = Layout('position', lambda x: x[0], lambda x: x[None])  # [1, N, C] -> [N, C]
_FRAMES = Layout('frames', lambda x: x[0], lambda x: x[None])  # [1, F, 1] -> [F, 1]


def poseformer_rules(model: PoseFormer) -> list[Rule]:
    """The table of one PoseFormer's keys; the number of layers decides which there are."""
    params = ('params',)
    rules = [
        Rule('Spatial_pos_embed', (*params, 'spatial_position'), _POSITION),
        Rule('Temporal_pos_embed', (*params, 'temporal_position'), _POSITION),
        *linear('Spatial_patch_to_embedding', (*params, 'joint_embedding')),
        *layer_norm('Spatial_norm', (*params, 'spatial_norm')),
        *layer_norm('Temporal_norm', (*params, 'temporal_norm')),
        Rule('weighted_mean.weight', (*params, 'frame_mean', 'kernel'), _FRAMES),
        Rule('weighted_mean.bias', (*params, 'frame_mean', 'bias')),
        *layer_norm('head.0', (*params, 'head_norm')),
        *linear('head.1', (*params, 'head')),
    ]
    for layer in range(model.layers):
        rules += transformer(f'Spatial_blocks.{layer}', f'spatial_{layer}')
        rules += transformer(f'blocks.{layer}', f'temporal_{layer}')
    return rules

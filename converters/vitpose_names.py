"""PyTorch names of the ViTPose files (COCO), official and MMPose -> our ViTPose's."""

from __future__ import annotations

from capf_jax.models.detectors.vitpose import ViTPose
from converters.engine import Rule, conv, layer_norm, linear
from converters.simplebaseline_names import deconv_head


def vitpose_rules(detector: ViTPose, prefix: str = '') -> list[Rule]:
    """The table of one ViTPose's keys.

    The position embedding keeps its row for a class token, which is added to all other rows.

    Args:
      detector: how many blocks there are.
      prefix: what stands before every key.
    """
    backbone = f'{prefix}backbone'
    rules = [
        Rule(f'{backbone}.pos_embed', ('params', 'position_embedding')),
        *conv(f'{backbone}.patch_embed.proj', ('params', 'patch_embedding'), bias=True),
        *layer_norm(f'{backbone}.last_norm', ('params', 'norm')),
    ]
    for k in range(detector.depth):
        rules += _block(f'{backbone}.blocks.{k}', f'block{k}')
    return [*rules, *deconv_head(f'{prefix}keypoint_head.', layers=2)]


def _block(key: str, name: str) -> list[Rule]:
    """A transformer block `key` -> our TransformerBlock `name`."""
    path = ('params', name)
    return [
        *layer_norm(f'{key}.norm1', (*path, 'norm1')),
        *linear(f'{key}.attn.qkv', (*path, 'attention', 'qkv')),
        *linear(f'{key}.attn.proj', (*path, 'attention', 'proj')),
        *layer_norm(f'{key}.norm2', (*path, 'norm2')),
        *linear(f'{key}.mlp.fc1', (*path, 'mlp', 'fc1')),
        *linear(f'{key}.mlp.fc2', (*path, 'mlp', 'fc2')),
    ]

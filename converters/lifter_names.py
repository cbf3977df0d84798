"""PyTorch names of the published lifter (`volume_net.*` of a CA-PF checkpoint) -> our Lifter's."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from capf_jax.errors import UserError
from capf_jax.models.lifter import Lifter
from converters.engine import Layout, Path, Rule, layer_norm, linear

# [1, L+1, J, C] -> [J, L+1, C]
_POSITION = Layout(
    'position', lambda x: np.swapaxes(x[0], 0, 1), lambda x: np.swapaxes(x, 0, 1)[None]
)


def lifter_rules(lifter: Lifter, prefix: str = 'volume_net.') -> list[Rule]:
    """The table of one lifter's keys.

    Args:
      lifter: the module, whose fields tell the blocks, levels and layers. Its ablation step is 2
        or 3, since lifters of the other steps were never published.
      prefix: what stands before every key.

    Raises:
      UserError: the ablation step is 0 or 1.
    """
    if lifter.ablation_step < 2:
        raise UserError(
            f'ablation_step is {lifter.ablation_step}; published lifters exist for steps 2 and 3'
        )
    rules = [
        Rule(f'{prefix}Spatial_pos_embed', ('params', 'position_embedding'), _POSITION),
        *linear(f'{prefix}coord_embed', ('params', 'joint_embedding')),
        *layer_norm(f'{prefix}head.0', ('params', 'head_norm')),
        *linear(f'{prefix}head.1', ('params', 'head')),
    ]
    levels = range(len(lifter.levels))
    for level in levels:
        path = ('params', f'context_embedding_{level}')
        rules += linear(f'{prefix}feat_embed.{level}', path)
    for layer in range(lifter.layers):
        if lifter.ablation_step >= 3 and lifter.deformable:
            rules += _deformable(f'{prefix}context_blocks.{layer}', f'deformable_{layer}', levels)
        rules += transformer(f'{prefix}res_blocks.{layer}', f'fusion_{layer}')
        rules += transformer(f'{prefix}joint_blocks.{layer}', f'inter_joint_{layer}')
    return rules


def transformer(key: str, name: str) -> list[Rule]:
    """A pre-norm transformer block `key` -> our TransformerBlock `name`, a child of the model."""
    path = ('params', name)
    return [
        *layer_norm(f'{key}.norm1', (*path, 'norm1')),
        *linear(f'{key}.attn.qkv', (*path, 'attention', 'qkv')),
        *linear(f'{key}.attn.proj', (*path, 'attention', 'proj')),
        *layer_norm(f'{key}.norm2', (*path, 'norm2')),
        *_mlp(f'{key}.mlp', path),
    ]


def _deformable(key: str, name: str, levels: Iterable[int]) -> list[Rule]:
    """The deformable context extraction `key` -> our module `name`."""
    path = ('params', name)
    rules = [
        *layer_norm(f'{key}.norm1', (*path, 'norm1')),
        *linear(f'{key}.attention_weights', (*path, 'attention_weights')),
        *linear(f'{key}.sampling_offsets', (*path, 'sampling_offsets')),
        *layer_norm(f'{key}.norm2', (*path, 'norm2')),
        *_mlp(f'{key}.mlp', path),
    ]
    for level in levels:
        rules += linear(f'{key}.embed_proj.{level}', (*path, f'value_projection_{level}'))
    return rules


def _mlp(key: str, path: Path) -> list[Rule]:
    """The MLP of a block `key` -> the child `mlp` of our module at `path`."""
    return [
        *linear(f'{key}.fc1', (*path, 'mlp', 'fc1')),
        *linear(f'{key}.fc2', (*path, 'mlp', 'fc2')),
    ]

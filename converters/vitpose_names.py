"""PyTorch names of the ViTPose files (COCO), of four origins -> our ViTPose's.

The official files and MMPose's of before version 1 have the same names. MMPose 1 took its
transformer from another library, and Hugging Face's transformers has names of its own.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from capf_jax.models.detectors.vitpose import ViTPose
from converters import namings
from converters.engine import (
    DECONV,
    SAME,
    Layout,
    Path,
    Rule,
    batch_norm,
    conv,
    layer_norm,
    linear,
)
from converters.simplebaseline_names import deconv_head

# Our position embedding has a first row, which is added to all others. Without a class token MMPose
# 1 has none, or has one that it cuts off.
_WITHOUT_FIRST_ROW = Layout(
    'position without first row',
    lambda x: np.concatenate([np.zeros_like(x[:, :1]), x], axis=1),
    lambda x: x[:, 1:] + x[:, :1],
)
_FIRST_ROW_CUT_OFF = Layout(
    'position whose first row is cut off',
    lambda x: np.concatenate([np.zeros_like(x[:, :1]), x[:, 1:]], axis=1),
    lambda x: np.concatenate([np.zeros_like(x[:, :1]), x[:, 1:] + x[:, :1]], axis=1),
)


@dataclasses.dataclass(frozen=True)
class _Names:
    """What one origin calls the parts of the transformer; the last seven follow a block's name."""

    position: str
    patch: str
    norm: str
    blocks: str
    norm1: str
    qkv: tuple[str, ...]  # one layer, or one each for query, key and value
    proj: str
    norm2: str
    fc1: str
    fc2: str
    head: str


_OFFICIAL = _Names(
    'pos_embed', 'patch_embed.proj', 'last_norm', 'blocks',
    'norm1', ('attn.qkv',), 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2', 'keypoint_head.',
)  # fmt: skip
_NAMES = {
    namings.OFFICIAL: _OFFICIAL,
    namings.MMPOSE: _OFFICIAL,
    namings.MMPOSE_1: _Names(
        'pos_embed', 'patch_embed.projection', 'ln1', 'layers',
        'ln1', ('attn.qkv',), 'attn.proj', 'ln2', 'ffn.layers.0.0', 'ffn.layers.1', 'head.',
    ),
    namings.TRANSFORMERS: _Names(
        'embeddings.position_embeddings', 'embeddings.patch_embeddings.projection', 'layernorm',
        'encoder.layer', 'layernorm_before',
        tuple(f'attention.attention.{name}' for name in ('query', 'key', 'value')),
        'attention.output.dense', 'layernorm_after', 'mlp.fc1', 'mlp.fc2', 'head.',
    ),
}  # fmt: skip
NAMINGS = (namings.OFFICIAL, namings.MMPOSE_1, namings.TRANSFORMERS)  # that differ


def vitpose_rules(
    detector: ViTPose,
    prefix: str = '',
    naming: str = namings.OFFICIAL,
    *,
    expert_rows: int = 0,
    has_first_row: bool = True,
) -> list[Rule]:
    """The table of one ViTPose's keys.

    The position embedding keeps its first row, once meant for a class token, which is added to all
    other rows.

    Args:
      detector: how many blocks there are.
      prefix: what stands before every key.
      naming: whose names the keys have.
      expert_rows: in a ViTPose+ file of several data sets, how many outputs of each block's last
        layer are COCO's own, `mlp.experts.0`, beside those of all data sets; 0 in other files.
      has_first_row: whether a file of MMPose 1 has the first row of the position embedding, which
        is not added there.
    """
    names, backbone = _NAMES[naming], prefix + namings.BACKBONE
    layout = SAME
    if naming == namings.MMPOSE_1:
        layout = _FIRST_ROW_CUT_OFF if has_first_row else _WITHOUT_FIRST_ROW
    rules = [
        Rule(f'{backbone}{names.position}', ('params', 'position_embedding'), layout),
        *conv(f'{backbone}{names.patch}', ('params', 'patch_embedding'), bias=True),
        *layer_norm(f'{backbone}{names.norm}', ('params', 'norm')),
    ]
    for k in range(detector.depth):
        key, path = f'{backbone}{names.blocks}.{k}', ('params', f'block{k}')
        rules += _block(key, path, names, detector.dimension, expert_rows)
    if naming == namings.TRANSFORMERS:
        return [*rules, *_transformers_head(f'{prefix}{names.head}')]
    return [*rules, *deconv_head(f'{prefix}{names.head}', layers=2)]


def _block(key: str, path: Path, names: _Names, width: int, expert_rows: int) -> list[Rule]:
    """A transformer block `key` -> our TransformerBlock at `path`."""
    shared = width - expert_rows
    return [
        *layer_norm(f'{key}.{names.norm1}', (*path, 'norm1')),
        *_rows([f'{key}.{name}' for name in names.qkv], (*path, 'attention', 'qkv'), width),
        *linear(f'{key}.{names.proj}', (*path, 'attention', 'proj')),
        *layer_norm(f'{key}.{names.norm2}', (*path, 'norm2')),
        *linear(f'{key}.{names.fc1}', (*path, 'mlp', 'fc1')),
        *(
            _rows_between(f'{key}.{names.fc2}', (*path, 'mlp', 'fc2'), 0, shared)
            + _rows_between(f'{key}.mlp.experts.0', (*path, 'mlp', 'fc2'), shared, width)
            if expert_rows
            else linear(f'{key}.{names.fc2}', (*path, 'mlp', 'fc2'))
        ),
    ]


def _rows(keys: list[str], path: Path, rows: int) -> list[Rule]:
    """Linear layers `keys` of `rows` outputs each -> the one Dense module at `path`."""
    if len(keys) == 1:
        return linear(keys[0], path)
    return [
        rule
        for i, key in enumerate(keys)
        for rule in _rows_between(key, path, i * rows, (i + 1) * rows)
    ]


def _rows_between(key: str, path: Path, start: int, stop: int) -> list[Rule]:
    """A Linear layer `key` -> some outputs of the Dense module at `path`."""
    return [dataclasses.replace(rule, rows=(start, stop)) for rule in linear(key, path)]


def _transformers_head(head: str) -> list[Rule]:
    """The heatmap head in Hugging Face's transformers, whose layers are counted from 1."""
    rules = []
    for k in range(2):
        path: Path = (f'deconv{k}',)
        key = f'{head}deconv{k + 1}.weight'
        rules.append(Rule(key, ('params', *path, 'conv', 'kernel'), DECONV))
        rules += batch_norm(f'{head}batchnorm{k + 1}', (*path, 'norm'))
    return [*rules, *conv(f'{head}conv', ('params', 'head'), bias=True)]

"""A plain PyTorch lifter of the same graph, written from the paper's facts to measure against."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

_OUR_NAMES = {
    'coordinates': 'joint_embedding',
    'head.0': 'head_norm',
    'head.1': 'head',
    'weights': 'attention_weights',
    'offsets': 'sampling_offsets',
    'qkv': 'attention.qkv',
    'proj': 'attention.proj',
    'mlp.0': 'mlp.fc1',
    'mlp.2': 'mlp.fc2',
}


class _MLP(nn.Sequential):
    def __init__(self, channels):
        super().__init__(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )


class _TransformerBlock(nn.Module):
    def __init__(self, channels, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = _MLP(channels)

    def forward(self, x):
        batch, tokens, channels = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        weights = query @ key.transpose(-2, -1) * (channels // self.heads) ** -0.5
        mixed = (weights.softmax(dim=-1) @ value).transpose(1, 2).reshape(x.shape)
        x = x + self.proj(mixed)
        return x + self.mlp(self.norm2(x))


class _DeformableBlock(nn.Module):
    def __init__(self, channels, widths, heads, points):
        super().__init__()
        self.heads, self.points = heads, points
        self.norm1 = nn.LayerNorm(channels)
        self.weights = nn.Linear(channels, heads * points)
        self.offsets = nn.Linear(channels, heads * points * 2)
        self.projections = nn.ModuleList(nn.Linear(width, channels // heads) for width in widths)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = _MLP(channels)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.offsets.weight)
        angles = torch.arange(heads) * (2 * math.pi / heads)
        directions = torch.stack([angles.cos(), angles.sin()], dim=-1)
        directions = directions / directions.abs().amax(dim=-1, keepdim=True)
        steps = 0.01 * torch.arange(1, points + 1)
        self.offsets.bias.data = (directions[:, None] * steps[:, None]).flatten()

    def forward(self, contexts, joints, where, maps):
        batch, levels, count, _ = contexts.shape
        normed = self.norm1(contexts + joints)
        weights = self.weights(normed).reshape(batch, levels, count, self.heads, self.points)
        weights = weights.softmax(dim=-1)
        offsets = self.offsets(normed).tanh().reshape(batch, levels, count, -1, 2)
        points = where[:, None, :, None] + offsets
        attended = []
        for level, projection in enumerate(self.projections):
            samples = functional.grid_sample(
                maps[level], points[:, level], padding_mode='border', align_corners=True
            )
            samples = projection(samples.permute(0, 2, 3, 1))
            samples = samples.reshape(batch, count, self.heads, self.points, -1)
            mixed = (samples * weights[:, level, ..., None]).sum(dim=-2)
            attended.append(mixed.flatten(2))
        contexts = contexts + torch.stack(attended, dim=1)
        return contexts + self.mlp(self.norm2(contexts))


class TorchLifter(nn.Module):
    """The full lifter (step 3). It has no drop path, whose time is negligible."""

    def __init__(self, widths=(32, 64, 128, 256), joints=17, channels=128, layers=4):
        super().__init__()
        tokens = len(widths) + 1
        self.coordinates = nn.Linear(2, channels)
        self.contexts = nn.ModuleList(nn.Linear(width, channels) for width in widths)
        self.position = nn.Parameter(torch.zeros(1, tokens, joints, channels))
        self.deformable = nn.ModuleList(
            _DeformableBlock(channels, widths, 4, 4) for _ in range(layers)
        )
        self.fusion = nn.ModuleList(_TransformerBlock(channels, 8) for _ in range(layers))
        self.inter_joint = nn.ModuleList(
            _TransformerBlock(tokens * channels, 8) for _ in range(layers)
        )
        self.head = nn.Sequential(nn.LayerNorm(tokens * channels), nn.Linear(tokens * channels, 3))

    def forward(self, joints2d, joints2d_crop, maps):
        """joints2d, joints2d_crop [B, J, 2], maps [B, C_l, H, W] -> pose [B, J, 3]."""
        tokens = [self.coordinates(joints2d)]
        for one_map, embed in zip(maps, self.contexts, strict=True):
            samples = functional.grid_sample(
                one_map, joints2d_crop[:, :, None], padding_mode='zeros', align_corners=True
            )
            tokens.append(embed(samples[..., 0].transpose(1, 2)))
        x = torch.stack(tokens, dim=1) + self.position
        joints, contexts = x[:, :1], x[:, 1:]
        for block in self.deformable:
            contexts = block(contexts, joints, joints2d_crop, maps)
        x = torch.cat([joints, contexts], dim=1)
        batch, count, number, channels = x.shape
        x = x.transpose(1, 2).reshape(batch * number, count, channels)
        for block in self.fusion:
            x = block(x)
        x = x.reshape(batch, number, count * channels)
        for block in self.inter_joint:
            x = block(x)
        return self.head(x)


def copy_parameters(params: Any, lifter: TorchLifter) -> None:
    """Puts the parameters of our lifter into PyTorch's.

    Raises:
      ValueError: names or numbers of the two differ, so that they are not the same network.
    """
    ours = {
        '.'.join(key.key for key in path): leaf for path, leaf in jax.tree.leaves_with_path(params)
    }
    used = set()
    for name, theirs in lifter.named_parameters():
        key, transposed = _our_key(name, ours)
        array = np.asarray(ours[key])
        if key == 'position_embedding':  # [1, L+1, J, C]; ours lies as [J, L+1, C]
            array = array.swapaxes(0, 1)
        array = array.T if transposed else array
        theirs.data = torch.from_numpy(array.reshape(theirs.shape).copy())
        used.add(key)
    if used != set(ours):
        raise ValueError(f"PyTorch's lifter lacks {', '.join(sorted(set(ours) - used))}")


def _our_key(name: str, ours: dict[str, Any]) -> tuple[str, bool]:
    """Our name for PyTorch's parameter `name`, and whether ours is transposed."""
    if name == 'position':
        return 'position_embedding', False
    module, _, kind = name.rpartition('.')
    first, *rest = module.split('.')
    if first == 'contexts':
        module = f'context_embedding_{rest[0]}'
    elif first in ('deformable', 'fusion', 'inter_joint'):
        inner = '.'.join(rest[1:]).replace('projections.', 'value_projection_')
        module = f'{first}_{rest[0]}.{_OUR_NAMES.get(inner, inner)}'
    else:
        module = _OUR_NAMES[module]
    for our_kind in ('kernel', 'scale') if kind == 'weight' else ('bias',):
        if (key := f'{module}.{our_kind}') in ours:
            return key, our_kind == 'kernel'
    raise ValueError(f"our lifter has no parameter for {name} of PyTorch's")

"""A plain PyTorch ViTPose, written from the paper's facts to measure against.

Parameters carry the published files' key names, so that the converter's table fills them.
Attention is PyTorch's own fused function.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_resnet import deconvolutions

PATCH, PADDING = 16, 2


class _Attention(nn.Module):
    def __init__(self, dimension, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.proj = nn.Linear(dimension, dimension)

    def forward(self, x):
        batch, tokens, channels = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, channels // self.heads)
        qkv = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, channels))


class _Block(nn.Module):
    def __init__(self, dimension, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dimension, eps=1e-6)
        self.attn = _Attention(dimension, heads)
        self.norm2 = nn.LayerNorm(dimension, eps=1e-6)
        self.mlp = nn.ModuleDict(
            {'fc1': nn.Linear(dimension, 4 * dimension), 'fc2': nn.Linear(4 * dimension, dimension)}
        )

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp['fc2'](functional.gelu(self.mlp['fc1'](self.norm2(x))))


class _Transformer(nn.Module):
    def __init__(self, dimension, depth, heads, tokens):
        super().__init__()
        convolution = nn.Conv2d(3, dimension, PATCH, PATCH, PADDING)
        self.patch_embed = nn.ModuleDict({'proj': convolution})
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + tokens, dimension))
        self.blocks = nn.ModuleList(_Block(dimension, heads) for _ in range(depth))
        self.last_norm = nn.LayerNorm(dimension, eps=1e-6)

    def forward(self, images):
        patches = self.patch_embed['proj'](images)
        x = patches.flatten(2).transpose(1, 2) + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            x = block(x)
        return self.last_norm(x).transpose(1, 2).reshape(patches.shape)


class TorchViTPose(nn.Module):
    """Vision transformer with a heatmap head."""

    def __init__(self, joints=17, dimension=768, depth=12, heads=12, channels=256, tokens=16 * 12):
        super().__init__()
        self.backbone = _Transformer(dimension, depth, heads, tokens)
        self.keypoint_head = nn.ModuleDict(
            {
                'deconv_layers': deconvolutions(dimension, channels, 2),
                'final_layer': nn.Conv2d(channels, joints, 1),
            }
        )
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Normalised images [B, 3, H, W] -> maps of strides 4, 8, 16, heatmaps [B, J, H/4, W/4]."""
        x = self.backbone(images)
        maps = [x]
        for layer in cast(nn.Sequential, self.keypoint_head['deconv_layers']):
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                maps.insert(0, x)
        return maps, self.keypoint_head['final_layer'](x)

"""A plain PyTorch CPN, written from the paper's facts to measure against.

Parameters carry the published file's key names, so that the converter's table fills them. The
heatmap heads of the global net, which only training needs, are left out as in ours.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_resnet import Bottleneck, TorchResNet


class _GlobalNet(nn.Module):
    def __init__(self, stages, channels):
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(stage, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for stage in reversed(stages)
        )
        self.upsamples = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
            for _ in stages[1:]
        )

    def forward(self, stages):
        features = [self.laterals[0](stages[-1])]
        for k, upsample in enumerate(self.upsamples):
            lateral = self.laterals[k + 1](stages[-2 - k])
            features.append(lateral.add_(upsample(features[-1])))
        return features


class _RefineNet(nn.Module):
    def __init__(self, levels, channels, joints):
        super().__init__()

        def block(inputs):
            return Bottleneck(inputs, channels // 2, expansion=2, project=True)

        self.cascade = nn.ModuleList(
            nn.Sequential(*(block(channels) for _ in range(levels - 1 - k))) for k in range(levels)
        )
        self.final_predict = nn.Sequential(
            block(levels * channels),
            nn.Conv2d(channels, joints, 3, padding=1, bias=False),
            nn.BatchNorm2d(joints),
        )

    def forward(self, features):
        size = features[-1].shape[-2:]
        maps = [
            functional.interpolate(blocks(x), size, mode='bilinear', align_corners=True)
            for blocks, x in zip(self.cascade, features, strict=True)
        ]
        return maps, self.final_predict(torch.cat(maps, dim=1))


class TorchCPN(nn.Module):
    """Cascaded pyramid network on ResNet-50."""

    def __init__(self, joints: int = 17, blocks=(3, 4, 6, 3), width: int = 64, channels: int = 256):
        super().__init__()
        self.resnet = TorchResNet(blocks, width)
        stages = [4 * width * 2**k for k in range(len(blocks))]
        self.global_net = _GlobalNet(stages, channels)
        self.refine_net = _RefineNet(len(blocks), channels, joints)
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Normalised images [B, 3, H, W] -> four maps, heatmaps, all at H / 4, W / 4."""
        return self.refine_net(self.global_net(self.resnet(images)[0]))

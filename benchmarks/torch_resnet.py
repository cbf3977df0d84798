"""Plain PyTorch ResNet-50 and SimpleBaseline, written from the paper's facts to measure against.

Parameters carry the published files' key names, so that the converter's table fills them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1; the stride is on the 3x3."""

    def __init__(self, inputs, channels, expansion=4, stride=1, project=False):
        super().__init__()
        outputs = expansion * channels
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if project:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x):
        """Images [B, C, H, W] -> [B, expansion * channels, H / stride, W / stride]."""
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        y = self.bn3(self.conv3(y))
        return y.add_(x if self.downsample is None else self.downsample(x)).relu_()


class TorchResNet(nn.Module):
    """The four stages of a ResNet."""

    def __init__(self, blocks: Sequence[int] = (3, 4, 6, 3), width: int = 64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1)
        channels, stages = width, []
        for stage, count in enumerate(blocks):
            inner, stack = width * 2**stage, []
            for k in range(count):
                stride = 2 if k == 0 and stage > 0 else 1
                stack.append(Bottleneck(channels, inner, stride=stride, project=k == 0))
                channels = 4 * inner
            stages.append(nn.Sequential(*stack))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[list[torch.Tensor], None]:
        """Normalised images [B, 3, H, W] -> maps of strides 4, 8, 16, 32; no heatmaps."""
        maps = [self.layer1(self.pool(self.bn1(self.conv1(images)).relu_()))]
        for stage in (self.layer2, self.layer3, self.layer4):
            maps.append(stage(maps[-1]))
        return maps, None


def deconvolutions(inputs: int, channels: int, layers: int) -> nn.Sequential:
    """Transposed convolutions of stride 2, each with BatchNorm and ReLU."""
    stack = []
    for _ in range(layers):
        stack.append(nn.ConvTranspose2d(inputs, channels, 4, 2, 1, bias=False))
        stack += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
        inputs = channels
    return nn.Sequential(*stack)


class TorchSimpleBaseline(TorchResNet):
    """ResNet-50 with a heatmap head."""

    def __init__(self, joints: int = 17, blocks=(3, 4, 6, 3), width: int = 64, channels: int = 256):
        super().__init__(blocks, width)
        self.deconv_layers = deconvolutions(32 * width, channels, 3)
        self.final_layer = nn.Conv2d(channels, joints, 1)
        self.eval()

    def forward(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Normalised images [B, 3, H, W] -> the stages' maps, heatmaps [B, J, H / 4, W / 4]."""
        maps, _ = super().forward(images)
        return maps, self.final_layer(self.deconv_layers(maps[-1]))

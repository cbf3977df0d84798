"""A plain PyTorch HRNet of the same graph, written from the paper's facts to measure against.

Modules carry the names of `capf_jax.models.detectors.hrnet`, so that `copy_variables` is a rename.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

_TORCH_NAMES = {
    'kernel': 'weight',
    'scale': 'weight',
    'bias': 'bias',
    'mean': 'running_mean',
    'var': 'running_var',
}


class _ConvNorm(nn.Module):
    def __init__(self, inputs, outputs, kernel=3, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class _Bottleneck(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.conv1 = _ConvNorm(inputs, channels, kernel=1)
        self.conv2 = _ConvNorm(channels, channels)
        self.conv3 = _ConvNorm(channels, 4 * channels, kernel=1)
        if inputs != 4 * channels:
            self.projection = _ConvNorm(inputs, 4 * channels, kernel=1)

    def forward(self, x):
        y = self.conv1(x).relu_()
        y = self.conv3(self.conv2(y).relu_())
        return y.add_(self.projection(x) if hasattr(self, 'projection') else x).relu_()


class _BasicBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = _ConvNorm(channels, channels)
        self.conv2 = _ConvNorm(channels, channels)

    def forward(self, x):
        return self.conv2(self.conv1(x).relu_()).add_(x).relu_()


class _Branches(nn.ModuleDict):
    def __init__(self, widths, blocks):
        super().__init__()
        self.count = len(widths)
        self.blocks = blocks
        for i, width in enumerate(widths):
            for k in range(blocks):
                self[f'branch{i}_block{k}'] = _BasicBlock(width)

    def forward(self, branches):
        branches = list(branches)
        for i in range(self.count):
            for k in range(self.blocks):
                branches[i] = self[f'branch{i}_block{k}'](branches[i])
        return branches


class _Fusion(nn.ModuleDict):
    def __init__(self, widths, outputs):
        super().__init__()
        self.outputs = outputs
        for i in range(outputs):
            for j in range(i + 1, len(widths)):
                self[f'from{j}_to{i}'] = _ConvNorm(widths[j], widths[i], kernel=1)
            for j in range(i):
                for k in range(i - j):
                    width = widths[i] if k == i - j - 1 else widths[j]
                    self[f'from{j}_to{i}_{k}'] = _ConvNorm(widths[j], width, stride=2)

    def forward(self, branches):
        fused = []
        for i in range(self.outputs):
            total = self._resized(branches[0], 0, i)
            for j in range(1, len(branches)):
                total = total + self._resized(branches[j], j, i)
            fused.append(total.relu())
        return fused

    def _resized(self, x, j, i):
        if j > i:
            return functional.interpolate(self[f'from{j}_to{i}'](x), scale_factor=2 ** (j - i))
        for k in range(i - j):
            x = self[f'from{j}_to{i}_{k}'](x)
            x = x if k == i - j - 1 else x.relu_()
        return x


class TorchHRNet(nn.ModuleDict):
    """HRNet for evaluation, without gradients (its activations overwrite each other)."""

    def __init__(
        self,
        joints=17,
        width=32,
        stem_channels=64,
        bottlenecks=4,
        modules=(1, 4, 3),
        blocks=4,
        heatmaps: str | None = 'gaussian',
    ):
        super().__init__()
        self.bottlenecks, self.modules_of_stages, self.heatmaps = bottlenecks, modules, heatmaps
        self['stem0'] = _ConvNorm(3, stem_channels, stride=2)
        self['stem1'] = _ConvNorm(stem_channels, stem_channels, stride=2)
        coarsest = stem_channels
        for k in range(bottlenecks):
            self[f'bottleneck{k}'] = _Bottleneck(coarsest, stem_channels)
            coarsest = 4 * stem_channels
        self['transition2_0'] = _ConvNorm(coarsest, width)
        for stage, number in enumerate(modules, start=2):
            widths = [width * 2**i for i in range(stage)]
            self[f'transition{stage}_{stage - 1}'] = _ConvNorm(coarsest, widths[-1], stride=2)
            coarsest = widths[-1]
            for m in range(number):
                outputs = 1 if stage == 4 and m == number - 1 else stage
                self[f'stage{stage}_module{m}_branches'] = _Branches(widths, blocks)
                self[f'stage{stage}_module{m}_fusion'] = _Fusion(widths, outputs)
        if heatmaps is not None:
            self['head'] = nn.Conv2d(width, joints, 1)
        self.eval()

    @torch.no_grad()
    def maps(self, images):
        """Normalised images [B, 3, H, W] -> the four maps [B, C_l, H / s, W / s], finest first."""
        x = self['stem1'](self['stem0'](images).relu_()).relu_()
        for k in range(self.bottlenecks):
            x = self[f'bottleneck{k}'](x)
        branches = [x]
        for stage, number in enumerate(self.modules_of_stages, start=2):
            new = self[f'transition{stage}_{stage - 1}'](branches[-1]).relu_()
            if stage == 2:
                branches = [self['transition2_0'](x).relu_()]
            branches = [*branches, new]
            for m in range(number):
                branches = self[f'stage{stage}_module{m}_branches'](branches)
                if stage == 4 and m == 0:
                    coarse = branches[1:]
                branches = self[f'stage{stage}_module{m}_fusion'](branches)
        return [branches[0], *coarse]

    @torch.no_grad()
    def forward(self, images):
        """Normalised images [B, 3, H, W] -> maps, heatmaps [B, J, H / 4, W / 4] or None."""
        maps = self.maps(images)
        if self.heatmaps is None:
            return maps, None
        heatmaps = self['head'](maps[0])
        if self.heatmaps == 'probability':
            heatmaps = heatmaps.flatten(2).softmax(dim=-1).view_as(heatmaps)
        return maps, heatmaps


def copy_variables(variables: Any, model: TorchHRNet) -> None:
    """Puts the variables of our HRNet into PyTorch's.

    Raises:
      RuntimeError: names or shapes of the two differ, so that they are not the same network.
    """
    state = {}
    for collection in variables.values():
        for path, leaf in jax.tree.leaves_with_path(collection):
            *modules, name = (key.key for key in path)
            array = np.array(leaf)
            if name == 'kernel':
                array = array.transpose(3, 2, 0, 1).copy()
            state['.'.join([*modules, _TORCH_NAMES[name]])] = torch.from_numpy(array)
    for name, tensor in model.state_dict().items():
        if name.endswith('num_batches_tracked'):
            state[name] = tensor
    model.load_state_dict(state)

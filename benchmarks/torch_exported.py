"""The networks of benchmarks.exported_speed as PyTorch programs of the same inputs and outputs.

They have the weights of the exported file. BatchNorm is folded into the convolutions, and both
layouts of images and maps are tried: the faster one stays.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from benchmarks.detectors import CROP, LAYOUTS, folded_in_torch, torch_network
from benchmarks.torch_lifter import TorchLifter, copy_parameters
from capf_jax.exporting.formats import Run
from capf_jax.inference.weight_files import load_weights
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.heatmaps import STRIDE

TRIALS = 3  # calls of a layout, of which the fastest counts


class _Detector(nn.Module):
    """Crops -> 2D joints in pixels of the crop, and confidences, as a detector's export gives."""

    def __init__(self, network: nn.Module, entry: catalog.DetectorEntry):
        super().__init__()
        self.network = network
        self.mean = nn.Buffer(torch.tensor(entry.mean).reshape(1, 3, 1, 1))
        self.deviation = nn.Buffer(torch.tensor(entry.deviation).reshape(1, 3, 1, 1))

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """uint8 [B, H, W, 3] -> [B, J, 2] and [B, J]."""
        images = (crops.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.deviation
        return _joints(self.network(images)[1])


class _Lifter(nn.Module):
    """2D joints and maps [B, H, W, C] -> pose, as a lifter's export gives."""

    def __init__(self, lifter: TorchLifter):
        super().__init__()
        self.lifter = lifter
        height, width = CROP
        self.middle = nn.Buffer(torch.tensor([width, height], dtype=torch.float32) / 2)

    def forward(
        self, joints2d: torch.Tensor, joints2d_crop: torch.Tensor, *maps: torch.Tensor
    ) -> tuple[torch.Tensor]:
        """[B, J, 2], the same in pixels of the crop, and the maps -> [B, J, 3]."""
        by_crop = joints2d_crop / self.middle - 1
        return (self.lifter(joints2d, by_crop, [one.permute(0, 3, 1, 2) for one in maps]),)


def _joints(heatmaps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The arg-max of heatmaps [B, J, H, W], a quarter pixel toward the higher neighbour."""
    height, width = heatmaps.shape[2:]
    flat = heatmaps.flatten(2)
    peak, place = flat.max(dim=-1)
    x, y = place % width, place // width

    def value_at(dx: int, dy: int) -> torch.Tensor:
        column, row = (x + dx).clamp(0, width - 1), (y + dy).clamp(0, height - 1)
        return flat.gather(2, (row * width + column)[..., None])[..., 0]

    shift = torch.stack(
        [
            (value_at(1, 0) - value_at(-1, 0)).sign(),
            (value_at(0, 1) - value_at(0, -1)).sign(),
        ],
        dim=-1,
    )
    inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    joints = torch.stack([x, y], dim=-1) + 0.25 * shift * inside[..., None]
    return STRIDE * joints, peak


def program(part: str, place: pathlib.Path, is_compiled: bool) -> Run:
    """A program of the inputs and outputs of an export.

    Args:
      part: 'detector', of HRNet-W32, or 'lifter', of CA-PF HRNet-32.
      place: where their weight file is.
      is_compiled: by `torch.compile`; PyTorch's own execution otherwise.
    """
    variables, _ = load_weights(place / 'weights.safetensors')
    module = _detector(variables) if part == 'detector' else _lifter(variables)
    chosen: dict[int, Callable[[Sequence[np.ndarray]], list[np.ndarray]]] = {}

    def run(inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        batch = len(inputs[0])
        if batch not in chosen:
            chosen[batch] = _faster(module, inputs, is_compiled)
        return chosen[batch](inputs)

    return run


def _detector(variables: dict) -> nn.Module:
    entry = catalog.get('hrnet_w32')
    network = torch_network(entry.build(17), variables, CROP)
    return _Detector(folded_in_torch(network.eval()), entry).eval()


def _lifter(variables: dict) -> nn.Module:
    lifter = TorchLifter()
    copy_parameters(variables['lifter']['params'], lifter)
    return _Lifter(lifter).eval()


def _faster(
    module: nn.Module, inputs: Sequence[np.ndarray], is_compiled: bool
) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
    """The module in the layout in which PyTorch's own execution is faster for these inputs."""

    def runs(network: Callable[..., Sequence[torch.Tensor]], layout: torch.memory_format) -> Run:
        def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
            tensors = [torch.from_numpy(array) for array in arrays]
            # Crops and maps lie as [B, H, W, C], which is channels last once they are permuted.
            if layout == torch.contiguous_format:
                tensors = [
                    one.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
                    if one.dim() == 4
                    else one
                    for one in tensors
                ]
            with torch.inference_mode():
                return [output.numpy() for output in network(*tensors)]

        return run

    def seconds(run: Run) -> float:
        run(inputs)
        calls = []
        for _ in range(TRIALS):
            start = time.perf_counter()
            run(inputs)
            calls.append(time.perf_counter() - start)
        return min(calls)

    times = {}
    for layout in LAYOUTS.values():
        module.to(memory_format=layout)
        times[layout] = seconds(runs(module, layout))
    layout = min(times, key=times.__getitem__)
    module.to(memory_format=layout)
    return runs(torch.compile(module) if is_compiled else module, layout)

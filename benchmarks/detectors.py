"""Each detector's forward pass against PyTorch's own execution of an equal network.

    python -m benchmarks.run detectors [--only=hrnet_w32+cpn50]

This code's detector is prepared and compiled as an Estimator does it. PyTorch's network has the
same weights by the converter's table and must give the same maps to 1e-4 of their largest value. It
runs in evaluation and inference mode, in the fastest of several ways: both memory layouts, with
BatchNorm as published and folded away, and on a GPU also compiled. The note names that way, and the
ratio to the fastest way without folding. An Estimator runs in its user's process, and so do both
sides here. The commands of this repository also keep freed memory, from which PyTorch's large
batches gain more than this code's: the detector's rows of the training step show that.

On a CPU, rows are in float32 with batches of 1 and 16. On a GPU that both libraries see (start with
XLA_PYTHON_CLIENT_PREALLOCATE=false), rows are in float32 and in bfloat16 with batches of 1, 64 and
256; products of float32 are in TF32 on both sides, which is their default for convolutions.
"""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import linen as nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import Row, median_seconds
from benchmarks.random_inputs import random_variables
from benchmarks.torch_cpn import TorchCPN
from benchmarks.torch_hrnet import TorchHRNet, copy_variables
from benchmarks.torch_resnet import TorchResNet, TorchSimpleBaseline
from benchmarks.torch_vitpose import TorchViTPose
from capf_jax.backends import programs
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from capf_jax.models.detectors.vitpose import PATCH, ViTPose
from converters.engine import to_torch
from converters.tables import detector_rules

# All detectors but 'hrnet', whose size the user chooses. HRNet's ImageNet networks are left out,
# since they are those of COCO without a head.
NAMES = (
    'hrnet_w32', 'hrnet_w48', 'hrnet_w32_imagenet', 'hrnet_w48_imagenet', 'cpn50',
    'simplebaseline_resnet50', 'resnet50_imagenet', 'vitpose_s', 'vitpose_b', 'vitpose_l',
    'vitpose_h',
)  # fmt: skip
GOALS = {
    'hrnet_w32': 1.2,
    'hrnet_w48': 1.2,
    'hrnet_w32_imagenet': 1.2,
    'hrnet_w48_imagenet': 1.2,
}  # times as fast as PyTorch, on a CPU
CNN_GOAL = 1.0
CROP = (256, 192)  # height and width
TOLERANCE = 1e-4  # of a map's largest value
SECONDS = 8.0  # of measuring, a row
IN_USERS_PROCESS = True  # see run.py

LAYOUTS = {'NCHW': torch.contiguous_format, 'NHWC': torch.channels_last}
Program = Callable[[], object]


def rows(only: str = '') -> list[Row]:
    """A row for each detector, number format and batch size.

    Args:
      only: names of the catalog, joined by +; by default those of NAMES.

    Raises:
      UserError: there is no such detector.
      ValueError: the two networks differ.
    """
    names = only.split('+') if only else NAMES
    for name in names:
        catalog.get(name)
    return [row for name in names for row in _rows(name)]


def _rows(name: str) -> list[Row]:
    model = catalog.get(name).build(17)
    variables = random_variables(model, CROP)
    theirs = torch_network(model, variables, CROP)
    check_equal(model, variables, theirs, CROP)
    on_gpu = jax.default_backend() == 'gpu' and torch.cuda.is_available()
    if on_gpu:
        torch.set_float32_matmul_precision('high')
        theirs.cuda()
    formats = (jnp.float32, jnp.bfloat16) if on_gpu else (jnp.float32,)
    batches = (1, 64, 256) if on_gpu else (1, 16)
    return [
        _row(name, model, variables, theirs, batch, jnp.dtype(number))
        for number in formats
        for batch in batches
    ]


def _row(
    name: str, model: nn.Module, variables: Any, theirs: torch.nn.Module, batch: int, number: Any
) -> Row:
    """This code's detector against PyTorch's fastest way."""
    images = np.random.default_rng(1).standard_normal((batch, *CROP, 3)).astype(np.float32)
    ours, compile_seconds = our_program(model, variables, images, number)
    programs = torch_programs(theirs, images, number)
    with FlopCounterMode(display=False) as counter:  # convolutions and matrix products
        programs['NCHW']()
    flops = counter.get_total_flops()
    seconds = median_seconds({'ours': ours, **programs}, SECONDS, least=3)
    best = min(programs, key=seconds.__getitem__)
    unfolded = min(seconds[way] for way in programs if 'folded' not in way)
    on_cpu = jax.default_backend() == 'cpu'
    goal = None if name.startswith('vitpose') or not on_cpu else GOALS.get(name, CNN_GOAL)
    note = (
        f'{batch / seconds["ours"]:.1f} images/s, compiled in {compile_seconds:.1f} s; '
        f'PyTorch {batch / seconds[best]:.1f} images/s in {best}, '
        f'{unfolded / seconds["ours"]:.2f}x its unfolded; {seconds.note("ours", best)}'
    ).rstrip('; ')
    title = f'{name}, {number.name}, batch {batch}'
    return Row(title, seconds['ours'], seconds[best], goal, flops, note)


def our_program(
    model: nn.Module, variables: Any, images: np.ndarray, number: Any
) -> tuple[Program, float]:
    """A detector as a program on images [B, H, W, 3], and the seconds to trace and compile it.

    It computes in the number format, and its images are in it; its parameters are float32.
    """
    model = model.clone(dtype=number)
    arguments = jax.device_put((programs.prepared(variables), images.astype(number)))
    start = time.perf_counter()
    program = programs.jit(lambda variables, images: model.apply(variables, images))
    compiled = program.jitted().lower(*arguments).compile()
    seconds = time.perf_counter() - start
    return lambda: jax.block_until_ready(compiled(*arguments)), seconds


def torch_programs(
    network: torch.nn.Module, images: np.ndarray, number: Any
) -> Mapping[str, Program]:
    """PyTorch's network as programs on images [B, H, W, 3], by the way in which it runs."""
    device = next(network.parameters()).device
    number = getattr(torch, number.name)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).to(device, number)
    programs = {}
    for layout, memory_format in LAYOUTS.items():
        placed = tensor.contiguous(memory_format=memory_format)
        ways = {'': copy.deepcopy(network), ', folded': folded_in_torch(network)}
        for way, one in ways.items():
            one.to(number).to(memory_format=memory_format)
            programs[f'{layout}{way}'] = _program(one, placed)
        if device.type == 'cuda':
            programs[f'{layout}, compiled'] = _program(torch.compile(ways['']), placed)
    return programs


def _program(network: Callable[..., object], images: torch.Tensor) -> Program:
    def program():
        with torch.inference_mode():
            result = network(images)
        if images.is_cuda:
            torch.cuda.synchronize()
        return result

    return program


def folded_in_torch(network: torch.nn.Module) -> torch.nn.Module:
    """The network with BatchNorm folded into convolutions, by PyTorch's own means."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the import uses functions that PyTorch deprecates
        from torch.fx.experimental.optimization import fuse

        return fuse(copy.deepcopy(network))


def torch_network(model: nn.Module, variables: Any, crop: tuple[int, int]) -> torch.nn.Module:
    """PyTorch's network equal to a detector of this code, in evaluation mode."""
    if isinstance(model, HRNet):
        network = TorchHRNet(
            joints=model.num_joints,
            width=model.width,
            stem_channels=model.stem_channels,
            bottlenecks=model.bottlenecks,
            modules=model.modules,
            blocks=model.blocks,
            heatmaps=model.heatmaps,
        )
        copy_variables(variables, network)
        return network
    if isinstance(model, ResNet):
        network = TorchResNet(model.blocks, model.width)
    elif isinstance(model, SimpleBaseline | CPN):
        kind = TorchCPN if isinstance(model, CPN) else TorchSimpleBaseline
        network = kind(model.num_joints, model.blocks, model.width, model.channels)
    elif isinstance(model, ViTPose):
        tokens = crop[0] // PATCH * (crop[1] // PATCH)
        sizes = model.dimension, model.depth, model.heads, model.channels
        network = TorchViTPose(model.num_joints, *sizes, tokens)
    names = network.state_dict().keys()
    rules = [rule for rule in detector_rules(model) if rule.path is not None or rule.key in names]
    state = to_torch(variables, rules)
    network.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in state.items()})
    return network


def check_equal(
    model: nn.Module, variables: Any, network: torch.nn.Module, crop: tuple[int, int]
) -> None:
    """Compares maps and heatmaps of one image with PyTorch's network, folded and not folded.

    Raises:
      ValueError: they differ by more than `TOLERANCE` of a map's largest value.
    """
    images = np.random.default_rng(2).standard_normal((1, *crop, 3)).astype(np.float32)
    with jax.default_matmul_precision('highest'):
        ours = our_program(model, variables, images, jnp.dtype(jnp.float32))[0]()
    tensor = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    for one in (network, folded_in_torch(network)):
        with torch.inference_mode():
            maps, heatmaps = one(tensor)
        for our, their in zip((*ours.maps, ours.heatmaps), (*maps, heatmaps), strict=True):
            if our is None and their is None:
                continue  # a classifier
            their = their.permute(0, 2, 3, 1).numpy()
            error = np.abs(our - their).max() / np.abs(their).max()
            if not error < TOLERANCE:
                raise ValueError(
                    f'{type(model).__name__} and {type(network).__name__} differ by {error:.1e} '
                    f'of a map: they are not the same network, and their times say nothing'
                )

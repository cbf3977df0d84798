"""The whole training step and the frozen detector alone, against the same graph in PyTorch.

uint8 crops -> normalise -> frozen HRNet in evaluation mode -> lifter -> mean joint error ->
gradients -> AdamW. Our step is the one that `capf_jax.train` runs, with random flips and drop path;
PyTorch's step has neither. PyTorch gets the faster of its two memory layouts, and its fused AdamW.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import jax
import torch
from ml_collections import ConfigDict
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.detectors import CROP, torch_network
from benchmarks.machine import Row, median_seconds, ready
from benchmarks.random_inputs import people
from benchmarks.torch_hrnet import TorchHRNet
from benchmarks.torch_lifter import TorchLifter
from capf_jax import assembly
from capf_jax.backends import programs
from capf_jax.inference import model_settings
from capf_jax.models.detectors.catalog import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    normalise_images,
)
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.pose.normalise import normalise_by_crop, normalise_by_image
from capf_jax.runtime import devices
from capf_jax.tasks.task import Task, TrainState, prepared
from configs import base, synthetic

GOAL = 1.3  # times as fast as PyTorch, of the whole step
LAYOUTS = {'NCHW': torch.contiguous_format, 'NHWC': torch.channels_last}
Program = Callable[[], object]


def rows() -> list[Row]:
    """The paper's sizes in a small batch, and the default run's."""
    small = synthetic.get_config()
    small.model.detector_weights = ''  # the weights do not change the speed
    return [
        *_rows('paper', base.get_config(), people(batch=8, height=256, width=192)),
        *_rows('default run', small, people(batch=64, height=128, width=96)),
    ]


def torch_models(config: ConfigDict, detector_variables: dict) -> tuple[TorchHRNet, TorchLifter]:
    """PyTorch's detector, with our variables, and its lifter.

    Raises:
      RuntimeError: the detector's parameters are not ours.
    """
    joints = len(skeletons.get(config.skeleton))
    settings: Any = model_settings.context_aware_pose_former(
        config.model, skeletons.get(config.skeleton)
    ).detector
    detector: Any = torch_network(
        settings, detector_variables, CROP
    )  # an HRNet fits crops of any size
    lifter = TorchLifter(
        widths=tuple(settings.width * 2**i for i in range(4)),
        joints=joints,
        channels=config.model.lifter.channels,
        layers=config.model.lifter.layers,
    )
    return detector, lifter


def _rows(name: str, config: ConfigDict, batch: Batch) -> list[Row]:
    """Detector alone and whole step, of one configuration."""
    task = assembly.make_task(config)
    state = task.init(jax.random.PRNGKey(0), batch)
    detector, lifter = torch_models(config, state.frozen)
    trained = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    assert trained == sum(parameter.numel() for parameter in lifter.parameters())

    size = '{1}x{2} crops, batch {0}'.format(*batch.images.shape)
    detectors = {
        layout: torch_detection(detector, batch, memory_format)
        for layout, memory_format in LAYOUTS.items()
    }
    whole = {
        layout: torch_training(detector, lifter, batch, config.training, memory_format)
        for layout, memory_format in LAYOUTS.items()
    }
    # Our programs are made last, since the training step donates the state's memory.
    return [
        _row(f'detector ({name}), {size}', _detection(config, state, batch), detectors),
        _row(f'training step ({name}), {size}', training(task, state, batch), whole, GOAL),
    ]


def _row(name: str, ours: Program, theirs: dict[str, Program], goal: float | None = None) -> Row:
    """Ours against the faster of PyTorch's layouts."""
    with FlopCounterMode(display=False) as counter:  # convolutions and matrix products
        next(iter(theirs.values()))()
    seconds = median_seconds({'ours': ours, **theirs}, seconds=10)
    best = min(theirs, key=seconds.__getitem__)
    flops = counter.get_total_flops()
    note = f'{flops / 1e9:.1f} GFLOP, PyTorch in {best}; {seconds.note("ours", best)}'.rstrip('; ')
    return Row(name, seconds['ours'], seconds[best], goal, flops, note)


def _detection(config: ConfigDict, state: TrainState, batch: Batch) -> Program:
    """Our detector, maps and heatmaps."""
    model = model_settings.context_aware_pose_former(config.model, skeletons.get(config.skeleton))

    def maps_and_heatmaps(variables, images):
        assert model.detector is not None  # The configurations of this benchmark have one.
        return model.detector.apply(variables, normalise_images(images, model.entry))

    return ready(maps_and_heatmaps, programs.prepared(state.frozen), batch.images)


def training(task: Task, state: TrainState, batch: Batch) -> Program:
    """Our training step as a program, on all devices, with the batch already there."""
    step = devices.train_step(task.train_step)
    # Training prepares the frozen detector, and so does the benchmark.
    state, on_devices = prepared(devices.replicate(state)), devices.shard(batch)

    def program():
        nonlocal state
        state, metrics = step(state, on_devices)
        return jax.block_until_ready((state, metrics))

    return program


def _normaliser(batch: Batch, memory_format: torch.memory_format) -> Program:
    """uint8 crops -> normalised images [B, 3, H, W] in the layout given."""
    images = torch.from_numpy(batch.images)
    mean, deviation = 255 * torch.tensor(IMAGENET_MEAN), 255 * torch.tensor(IMAGENET_DEVIATION)

    def normalise():
        normalised = (images.float() - mean) / deviation
        return normalised.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)

    return normalise


def torch_detection(
    detector: TorchHRNet, batch: Batch, memory_format: torch.memory_format
) -> Program:
    """PyTorch's detector as a program giving maps and heatmaps."""
    placed = cast(Any, copy.deepcopy(detector)).to(memory_format=memory_format)
    normalise = _normaliser(batch, memory_format)
    return lambda: placed(normalise())


def torch_training(
    detector: TorchHRNet,
    lifter: TorchLifter,
    batch: Batch,
    training: ConfigDict,
    memory_format: torch.memory_format,
) -> Program:
    """PyTorch's training step as a program giving the loss before it."""
    detector = cast(Any, copy.deepcopy(detector)).to(memory_format=memory_format)
    lifter = copy.deepcopy(lifter)
    slow = [weights for name, weights in lifter.named_parameters() if '.offsets.' in name]
    others = [weights for name, weights in lifter.named_parameters() if '.offsets.' not in name]
    rate = training.learning_rate
    optimizer = torch.optim.AdamW(
        [{'params': others}, {'params': slow, 'lr': rate * training.offset_learning_rate_factor}],
        lr=rate,
        weight_decay=training.weight_decay,
        fused=True,
    )
    normalise = _normaliser(batch, memory_format)
    height, width = batch.images.shape[1:3]
    joints2d = torch.from_numpy(normalise_by_image(batch.joints2d, batch.image_size))
    crop = torch.from_numpy(normalise_by_crop(batch.joints2d_crop, (width, height)))
    target = torch.from_numpy(batch.joints3d)

    def program():
        pose = lifter(joints2d, crop, detector.maps(normalise()))
        loss = (pose - target).norm(dim=-1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return program

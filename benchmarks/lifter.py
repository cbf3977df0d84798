"""The whole lifter, forward and with gradients, against the same graph in PyTorch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.machine import Row, median_seconds, ready
from benchmarks.torch_lifter import TorchLifter
from capf_jax.models.lifter import Lifter

MAPS = ((64, 48, 32), (32, 24, 64), (16, 12, 128), (8, 6, 256))  # HRNet-32's, height width channels
TRAINING_BATCH = 64
DENSE_FLOPS = 609.9e6  # of one forward pass of one sample, paper Table 3


def inputs(batch: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Random joints2d, joints2d_crop [B, 17, 2] and maps [B, H, W, C_l]."""
    rng = np.random.default_rng(0)
    joints2d, crop = rng.uniform(-1, 1, (2, batch, 17, 2)).astype(np.float32)
    maps = [rng.standard_normal((batch, *size)).astype(np.float32) for size in MAPS]
    return joints2d, crop, maps


def rows() -> list[Row]:
    """Forward at batch 1 and at the training batch, and forward with the weights' gradient."""
    lifter, theirs = Lifter(), TorchLifter()
    variables = jax.jit(lifter.init)(jax.random.key(0), *inputs(1))
    table = []
    for batch, goal in ((1, 2.0), (TRAINING_BATCH, 1.3)):
        ours, reference = _programs(lifter, variables, theirs, batch)
        for what, passes in (('forward', 1), ('forward + backward', 3)):
            seconds = median_seconds({'ours': ours[what], 'torch': reference[what]}, seconds=6)
            if batch == 1 and passes == 3:
                continue  # training uses larger batches
            flops = passes * batch * DENSE_FLOPS
            name = f'lifter {what}, batch {batch}'
            note = seconds.note('ours', 'torch')
            table.append(Row(name, seconds['ours'], seconds['torch'], goal, flops, note))
    return table


def _programs(lifter, variables, theirs, batch):
    """What to time -> program, ours and PyTorch's; the backward pass is of a mean joint error."""
    joints2d, crop, maps = inputs(batch)

    def forward(variables, joints2d, crop, maps):
        return lifter.apply(variables, joints2d, crop, maps)[0]

    def loss(variables, joints2d, crop, maps):
        return jnp.linalg.norm(forward(variables, joints2d, crop, maps) + 1.0, axis=-1).mean()

    arrays: list[Any] = [torch.from_numpy(joints2d), torch.from_numpy(crop)]
    arrays.append([torch.from_numpy(one_map.transpose(0, 3, 1, 2).copy()) for one_map in maps])

    def forward_torch():
        with torch.no_grad():
            return theirs(*arrays)

    def loss_torch():
        theirs.zero_grad(set_to_none=True)
        (theirs(*arrays) + 1.0).norm(dim=-1).mean().backward()

    ours = {
        'forward': ready(forward, variables, joints2d, crop, maps, few_rows=True),
        'forward + backward': ready(jax.value_and_grad(loss), variables, joints2d, crop, maps),
    }
    return ours, {'forward': forward_torch, 'forward + backward': loss_torch}

"""Sampling at the paper's sizes against torch.nn.functional.grid_sample."""

from __future__ import annotations

import jax
import numpy as np
import torch

from benchmarks.machine import Row, median_seconds, ready
from capf_jax.backends.cpu import sampling
from capf_jax.models.grid_sample import grid_sample

# HRNet-32's maps of a 256x192 crop, height, width, channels; 17 joints look at 16 points each.
MAPS = ((64, 48, 32), (32, 24, 64), (16, 12, 128), (8, 6, 256))
POINTS = 17 * 16
BATCH = 32
FLOPS = 8  # a point and channel: a product and a sum for each of four pixels


def rows() -> list[Row]:
    """Each level alone, forward and with gradients."""
    table = []
    for height, width, channels in MAPS:
        rng = np.random.default_rng(0)
        maps = rng.standard_normal((BATCH, height, width, channels)).astype(np.float32)
        points = rng.uniform(-1.05, 1.05, (BATCH, POINTS, 2)).astype(np.float32)
        cotangent = rng.standard_normal((BATCH, POINTS, channels)).astype(np.float32)
        name = f'sampling {height}x{width}x{channels}'
        table += _level(name, maps, points, cotangent)
    return table


def _level(name, maps, points, cotangent):
    maps_torch = torch.from_numpy(maps.transpose(0, 3, 1, 2).copy())
    points_torch = torch.from_numpy(points[:, :, None])
    cotangent_torch = torch.from_numpy(cotangent.transpose(0, 2, 1).copy())[..., None]

    # This is the function that a lifter runs, which on a CPU is the replacement.
    sample = sampling.grid_sample if jax.default_backend() == 'cpu' else grid_sample

    def forward(maps, points):
        return sample(maps, points, 'border')

    def both(maps, points, cotangent):
        samples, pullback = jax.vjp(forward, maps, points)
        return samples, pullback(cotangent)

    def to_points(maps, points, cotangent):
        samples, pullback = jax.vjp(lambda points: forward(maps, points), points)
        return samples, pullback(cotangent)

    def forward_torch(maps=maps_torch, points=points_torch):
        return torch.nn.functional.grid_sample(
            maps, points, padding_mode='border', align_corners=True
        )

    def gradients_torch(maps_too):
        maps = maps_torch.detach().requires_grad_(maps_too)
        points = points_torch.detach().requires_grad_()
        forward_torch(maps, points).backward(cotangent_torch)

    seconds = median_seconds(
        {
            'forward': ready(forward, maps, points),
            'forward torch': forward_torch,
            'points': ready(to_points, maps, points, cotangent),
            'points torch': lambda: gradients_torch(False),
            'both': ready(both, maps, points, cotangent),
            'both torch': lambda: gradients_torch(True),
        }
    )
    return [
        Row(
            f'{name} {what}',
            seconds[key],
            seconds[f'{key} torch'],
            goal,
            flops=passes * FLOPS * cotangent.size,
            note=seconds.note(key, f'{key} torch'),
        )
        for what, key, goal, passes in (
            ('forward', 'forward', 1.0, 1),
            ('forward + gradient to points', 'points', 2.0, 2),
            ('forward + both gradients', 'both', 2.0, 3),
        )
    ]

"""A batch of random people, whose shapes and ranges are those of a real batch."""

from __future__ import annotations

import numpy as np

from capf_jax.pose.batch import Batch


def people(batch: int, height: int, width: int, joints: int = 17) -> Batch:
    """Random people in crops [B, height, width, 3]."""
    rng = np.random.default_rng(0)
    crop = rng.uniform(0, (width - 1, height - 1), (batch, joints, 2)).astype(np.float32)
    pose = rng.normal(0, 0.3, (batch, joints, 3)).astype(np.float32)
    return Batch(
        images=rng.integers(0, 256, (batch, height, width, 3), np.uint8),
        joints2d=4 * crop,
        joints2d_crop=crop,
        joints2d_crop_truth=crop,
        image_size=np.full((batch, 2), 1000, np.float32),
        affine=np.tile(np.eye(2, 3, dtype=np.float32) / 4, (batch, 1, 1)),
        joints3d=pose - pose[:, :1],
        valid=np.ones(batch, bool),
        index=np.arange(batch, dtype=np.int32),
    )

"""The baseline without a network: the training split's mean pose for everyone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from capf_jax.errors import UserError
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring.evaluation import Split, evaluate_split, with_truth
from capf_jax.scoring.poses import PoseResult, pose_scorer
from capf_jax.scoring.protocols import Protocol


def mean_pose(
    batches: Iterable[Float[np.ndarray, '_ J 3']], joints: int
) -> Float[np.ndarray, 'J 3']:
    """Mean pose [J, 3] of a split: the best that a predictor without any input can do.

    Args:
      batches: poses [B, J, 3] of the training split, metres, relative to the root.
      joints: J.

    Raises:
      UserError: there is no pose.
    """
    total, number = np.zeros((joints, 3)), 0
    for poses in batches:
        total += np.sum(poses, axis=0, dtype=np.float64)
        number += len(poses)
    if number == 0:
        raise UserError('the training split holds no pose to take the mean of')
    return total / number


def evaluate_mean_pose(
    train: Split,
    test: Split,
    protocol: Protocol,
    skeleton: Skeleton,
    conditions: Mapping[str, Any] | None = None,
) -> PoseResult:
    """The baseline without a network: the mean pose of `train` for every sample of `test`.

    `conditions` is what to add to the result's conditions.
    """
    pose = mean_pose((batch.joints3d[batch.valid] for batch in train.batches()), len(skeleton))
    scorer = pose_scorer(protocol, skeleton)

    def predict(batch: Batch) -> dict[str, np.ndarray]:
        everyone = np.broadcast_to(pose, batch.joints3d.shape)
        return {'pose': everyone, 'valid': batch.valid, 'index': batch.index}

    words = {
        'predictor': 'mean pose of the training split',
        **{'joints2d': '-', 'box_source': '-', 'flip_test': False, 'ablation_step': '-'},
        **(conditions or {}),
    }
    return evaluate_split(with_truth(predict, scorer), test, scorer, words)

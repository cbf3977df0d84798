"""Trains a lifter on recorded feature maps by the product's own training step and optimizer."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np
import optax

from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.lifter import Lifter
from capf_jax.pose.batch import Batch
from capf_jax.pose.normalise import denormalise_by_image
from capf_jax.pose.skeletons import H36M17
from capf_jax.runtime import devices
from capf_jax.tasks.lifter import lifter_task
from capf_jax.tasks.optimizer import make_optimizer
from capf_jax.tasks.task import TrainState, new_state
from configs import base
from converters import engine, lifter_names

FIRST_MOMENT = 0.1  # share of the gradient in AdamW's first moment after the first step


class Training(NamedTuple):
    """What the parity data says of training."""

    losses: list[float]  # before each step, metres
    gradient_norms: dict[str, float]  # of the first loss, by PyTorch key without prefix


class RecordedMaps(nn.Module):
    """A detector whose 'params' are its maps: it is frozen, so that one pass is enough."""

    def __call__(self, images: Any, *, train: bool = False) -> Detection:
        """The recorded maps, whatever the images."""
        del images, train
        recorded = self.variables['params']
        return Detection(tuple(recorded[name] for name in sorted(recorded)), None)


def train(
    lifter: Lifter,
    variables: dict[str, Any],
    maps: tuple[np.ndarray, ...],
    joints2d: np.ndarray,
    joints2d_crop: np.ndarray,
    pose: np.ndarray,
    steps_done: int = 1,
) -> Training:
    """Steps of AdamW as published for Human3.6M, without flips and drop path.

    Args:
      lifter: the module; its drop path is taken out.
      variables: its {'params'}.
      maps: the frozen detector's maps [B, H, W, C].
      joints2d: [B, J, 2], normalised by the image.
      joints2d_crop: [B, J, 2], pixels of the crop of 256x192.
      pose: [B, J, 3] metres, the target.
      steps_done: optimizer steps.
    """
    config = base.get_config()  # the published rate, 6.4e-4, and weight decay, 0.1 on everything
    config.training.offset_learning_rate_factor = 1.0  # as in the published code
    lifter = lifter.clone(drop_path=0.0)
    entry = dataclasses.replace(catalog.get('hrnet_w32'), heatmaps=None, decode=None)
    model = ContextAwarePoseFormer(lifter, RecordedMaps(), entry)
    recorded = {'params': {f'map{i}': one for i, one in enumerate(maps)}}
    transformation = make_optimizer(config.training, steps_done + 1)
    task = lifter_task(model, transformation, H36M17, flip_probability=0.0)
    state = new_state(transformation, np.zeros(2, np.uint32), variables['params'], frozen=recorded)
    batch = devices.shard(people(joints2d, joints2d_crop, pose))
    step, state = devices.train_step(task.train_step), devices.replicate(state)
    losses, norms = [], {}
    for _ in range(steps_done):
        state, metrics = step(state, batch)
        losses.append(float(metrics['loss']))
        norms = norms or gradient_norms(lifter, state)
    return Training(losses, norms)


def gradient_norms(lifter: Lifter, state: TrainState) -> dict[str, float]:
    """Norms of the first gradient by PyTorch key, read off AdamW's state after the first step.

    Its first moment is then a tenth of the gradient: no second compilation is needed.
    """
    moment = optax.tree_utils.tree_get(state.opt_state, 'mu')
    rules = lifter_names.lifter_rules(lifter, prefix='')
    gradient = engine.to_torch({'params': devices.to_host(moment)}, rules)
    return {key: float(np.linalg.norm(x.ravel())) / FIRST_MOMENT for key, x in gradient.items()}


def people(joints2d: np.ndarray, joints2d_crop: np.ndarray, pose: np.ndarray) -> Batch:
    """A Batch of these people; images are blank, since the maps are recorded."""
    number = len(pose)
    size = np.full((number, 2), 1000, np.float32)
    return Batch(
        images=np.zeros((number, 256, 192, 3), np.uint8),
        joints2d=denormalise_by_image(joints2d, size),
        joints2d_crop=joints2d_crop,
        joints2d_crop_truth=joints2d_crop,
        image_size=size,
        affine=np.tile(np.eye(2, 3, dtype=np.float32), (number, 1, 1)),
        joints3d=pose,
        valid=np.ones(number, bool),
        index=np.arange(number, dtype=np.int32),
    )

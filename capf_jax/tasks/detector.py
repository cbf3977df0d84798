"""The task 'detector': a 2D detector learns joints from crops with true 2D joints."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.inference import start_weights
from capf_jax.inference.detector_weights import load_detector
from capf_jax.models import cost
from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.heatmaps import joints_of, target_heatmaps
from capf_jax.models.detectors.initial import random_variables
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring.joints2d import joints_scorer
from capf_jax.tasks.augmentation import augmented
from capf_jax.tasks.task import Task, TrainState, joint_distances, mean_over_valid, new_state


def detector_task(
    model: nn.Module,
    entry: DetectorEntry,
    optimizer: optax.GradientTransformation,
    joint_set: Skeleton,
    detection: ConfigDict,
    *,
    flip_probability: float = 0.5,
    detector_file: str = '',
    start_file: str = '',
) -> Task:
    """Training of a detector on heatmaps (docs/method.md, Heatmaps and 2D joints).

    `train_step` gives the metrics 'loss' (see LOSSES), 'gradient_norm' and 'crop_error_px', the
    mean distance of the predicted joints in the augmented crops. `eval_step` gives 'joints2d_crop'
    [B, J, 2], the predicted joints in crop pixels.

    Args:
      model: the module, whose BatchNorms take the mean over the axis `AXIS`.
      entry: what the catalog says of it.
      optimizer: of its parameters.
      joint_set: the joints that it learns.
      detection: `config.detection`, targets and augmentation.
      flip_probability: chance that a training sample is mirrored.
      detector_file: weight file of a detector to start from; '' starts from random weights.
      start_file: weight file of a detector, or of a lifter with its detector, that goes before it.

    Raises:
      UserError: the detector has no heatmaps, or none that can be learnt here.
    """
    if entry.heatmaps is None:
        raise UserError(
            f'{entry.name} has no heatmaps to learn: choose a model.detector that finds joints'
        )
    if entry.heatmaps not in LOSSES:
        raise UserError(
            f'{entry.name} cannot be trained here, it is used as published: choose another '
            f'model.detector'
        )
    loss_of = LOSSES[entry.heatmaps]

    def init(key: Array, batch: Batch) -> TrainState:
        del batch  # A detector takes crops of any size.
        key_model, key_steps = jax.random.split(key)
        variables = random_variables(model, key_model, entry.crop)
        params, batch_stats = variables['params'], variables['batch_stats']
        return new_state(optimizer, key_steps, params, batch_stats=batch_stats)

    def weights(state: TrainState) -> dict[str, Any]:
        return {'params': state.params, 'batch_stats': state.batch_stats}

    def loaded(variables: Mapping[str, Any]) -> TrainState:
        """See `Task.loaded`."""
        return new_state(optax.identity(), jax.random.PRNGKey(0), **variables)

    def pretrained(state: TrainState) -> TrainState:
        if start_file:
            start = start_weights.read(start_file)
            start.taken('detector')
            return state.replace(**start.detector(weights(state), joint_set.name, entry.name))
        if not detector_file:
            return state
        return state.replace(**load_detector(detector_file, weights(state), name=entry.name))

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        images, joints = augmented(state, batch, joint_set, detection, flip_probability)

        def loss_share(params: Any) -> tuple[Array, Any]:
            variables = {'params': params, 'batch_stats': state.batch_stats}
            output, changes = model.apply(
                variables, normalise_images(images, entry), train=True, mutable=['batch_stats']
            )
            losses = loss_of(output.heatmaps, joints, detection.sigma)
            loss = mean_over_valid(losses, batch.valid)
            return loss, (output._replace(maps=()), changes['batch_stats'])

        (loss, (output, batch_stats)), gradients = jax.value_and_grad(loss_share, has_aux=True)(
            state.params
        )
        predicted, _ = joints_of(output, entry)
        error = mean_over_valid(joint_distances(predicted, joints).mean(axis=-1), batch.valid)
        loss, error, gradients = jax.lax.psum((loss, error, gradients), AXIS)
        metrics = {
            'loss': loss,
            'gradient_norm': optax.tree.norm(gradients),
            'crop_error_px': error,
        }
        return state.apply_gradients(optimizer, gradients, batch_stats=batch_stats), metrics

    def eval_step(state: TrainState, batch: Batch) -> dict[str, Array]:
        images = normalise_images(batch.images, entry)
        output = cast(Any, model.apply(weights(state), images))  # no tuple without `mutable`
        predicted, _ = joints_of(output, entry)
        return {'joints2d_crop': predicted, 'valid': batch.valid, 'index': batch.index}

    return Task(
        name='detector',
        init=init,
        pretrained=pretrained,
        train_step=train_step,
        eval_step=eval_step,
        scorer=joints_scorer(joint_set),
        weights=weights,
        loaded=loaded,
        weight_metadata={'kind': 'detector', 'name': entry.name},
        costs=lambda crop: {'detector': cost.detector_cost(model, crop)},
    )


def squared_error(
    heatmaps: Float[Array, 'B H W J'], joints: Float[Array, 'B J 2'], sigma: float
) -> Float[Array, ' B']:
    """Squared error of heatmaps [B, h, w, J] to Gaussians at joints [B, J, 2] crop pixels: [B].

    Summed over the pixels, averaged over the joints, and in units of a Gaussian's own sum of
    squares: maps of zeros lose 1, whatever sigma, the size of the map and the number of joints.
    """
    target = target_heatmaps(joints, heatmaps.shape[1:3], sigma)
    squared = jnp.square(heatmaps - target).sum(axis=(1, 2))
    return squared.mean(axis=-1) / (math.pi * sigma**2)


def cross_entropy(
    heatmaps: Float[Array, 'B H W J'], joints: Float[Array, 'B J 2'], sigma: float
) -> Float[Array, ' B']:
    """Cross-entropy [B] of probabilities [B, h, w, J] with Gaussians at joints [B, J, 2], crop px.

    Averaged over the joints; a joint outside the map counts by the share of its Gaussian inside.
    """
    target = target_heatmaps(joints, heatmaps.shape[1:3], sigma) / (2 * math.pi * sigma**2)
    surprise = -jnp.log(jnp.maximum(heatmaps, jnp.finfo(jnp.float32).tiny))
    return (target * surprise).sum(axis=(1, 2)).mean(axis=-1)


LOSSES = {'gaussian': squared_error, 'probability': cross_entropy}  # by what heatmaps are

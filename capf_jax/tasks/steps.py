"""The training and evaluation steps: pure functions of (state, batch)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from capf_jax.inference import model_settings
from capf_jax.inference.detector_weights import load_detector
from capf_jax.pose import skeletons
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.pose.flip import flip_batch, flip_pose
from capf_jax.tasks.optimizer import make_optimizer


class TrainState(flax.struct.PyTreeNode):
    """All that a step changes or needs, and all that a checkpoint holds."""

    step: Array  # [] int32, optimizer steps done
    params: Any  # trained parameters
    frozen: Any  # never changes: the detector's variables while the lifter learns, see frozen.py
    batch_stats: Any  # running statistics of trained BatchNorms; {} where there are none
    opt_state: Any  # the optimizer's moments
    key: Array  # [2] uint32, root of all randomness in steps; never changes

    def apply_gradients(
        self, optimizer: optax.GradientTransformation, gradients: Any, **changes: Any
    ) -> TrainState:
        """The state one optimizer step on; `changes` replaces further fields (batch_stats)."""
        updates, opt_state = optimizer.update(gradients, self.opt_state, self.params)
        params = optax.apply_updates(self.params, updates)
        return self.replace(step=self.step + 1, params=params, opt_state=opt_state, **changes)


@dataclasses.dataclass(frozen=True)
class Task:
    """What is learnt, as three pure functions; devices come in `capf_jax/runtime/devices.py`.

    Attributes:
      init: (key [2] uint32, batch) -> TrainState of random weights; no file is read.
      pretrained: that state -> the same with the weights that the configuration names files of. A
        step of starting a run alone: a checkpoint holds them.
      train_step: (state, batch) -> (state, metrics), runs inside the axis `AXIS`; metrics is a
        dict of scalars, equal on all shards, with at least 'loss'.
      eval_step: (state, batch) -> dict of arrays [B, ...] with at least 'valid' and 'index'.
    """

    init: Callable[[Array, Batch], TrainState]
    pretrained: Callable[[TrainState], TrainState]
    train_step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]]
    eval_step: Callable[[TrainState, Batch], dict[str, Array]]


def new_state(
    optimizer: optax.GradientTransformation,
    key: Array,
    params: Any,
    frozen: Any = None,
    batch_stats: Any = None,
) -> TrainState:
    """The state before the first step."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        frozen={} if frozen is None else frozen,
        batch_stats={} if batch_stats is None else batch_stats,
        opt_state=optimizer.init(params),
        key=key,
    )


def step_keys(state: TrainState, number: int) -> list[Array]:
    """`number` keys of this step, the same on all shards."""
    return list(jax.random.split(jax.random.fold_in(state.key, state.step), number))


def shard_key(key: Array) -> Array:
    """A key that differs between the shards of the batch."""
    return jax.random.fold_in(key, jax.lax.axis_index(AXIS))


def random_of_sample(key: Array, shard_size: int) -> Array:
    """Uniform numbers [B], one a sample.

    They depend on the sample's place in the whole batch, not on how many shards it is cut into.
    """
    whole = jax.random.uniform(key, (shard_size * jax.lax.axis_size(AXIS),))
    return jax.lax.dynamic_slice_in_dim(whole, jax.lax.axis_index(AXIS) * shard_size, shard_size)


def mean_over_valid(values: Array, valid: Array) -> Array:
    """This shard's share of the mean of `values` [B] over the valid samples of the whole batch.

    The shares of all shards, and their gradients, add up (psum) to the whole batch's.
    """
    number = jax.lax.psum(jnp.sum(valid), AXIS)
    return jnp.sum(jnp.where(valid, values, 0)) / jnp.maximum(number, 1)


def joint_distances(predicted: Array, target: Array) -> Array:
    """Euclidean distances [..., J] of joints [..., J, 3].

    The gradient at distance 0 is 0, not NaN: a root predicted exactly is no accident.
    """
    squared = jnp.sum(jnp.square(predicted - target), axis=-1)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def lifter_task(config: ConfigDict, steps_per_epoch: int = 1) -> Task:
    """Training of the lifter on a frozen detector (paper section 3, SPEC section 3).

    Args:
      config: a whole configuration.
      steps_per_epoch: steps after which the learning rate decays.
    """
    joint_set = skeletons.get(config.skeleton)
    model = model_settings.context_aware_pose_former(config.model, joint_set)
    optimizer = make_optimizer(config.training, steps_per_epoch)

    def init(key: Array, batch: Batch) -> TrainState:
        key_model, key_steps = jax.random.split(key)
        variables = model.init(key_model, batch)
        lifter = variables['lifter']
        return new_state(optimizer, key_steps, lifter['params'], frozen=variables['detector'])

    def pretrained(state: TrainState) -> TrainState:
        path = config.model.detector_weights
        if not (path and model.detector):
            return state
        finds = model_settings.detector_joints(config.model, joint_set).name
        joints = finds if model.entry.heatmaps else ''
        return state.replace(frozen=load_detector(path, state.frozen, joints, model.entry.name))

    def variables_of(state: TrainState, params: Any) -> dict[str, Any]:
        return {'detector': state.frozen, 'lifter': {'params': params}}

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        key_flip, key_drop = step_keys(state, 2)
        chance = random_of_sample(key_flip, batch.valid.shape[0])
        batch = flip_batch(batch, chance < config.training.flip_probability, joint_set)

        def loss_share(params: Any) -> Array:
            pose, _ = model.apply(
                variables_of(state, params), batch, train=True, drop_path_key=shard_key(key_drop)
            )
            target = jnp.where(batch.valid[:, None, None], batch.joints3d, 0)
            distances = joint_distances(pose, target)
            return mean_over_valid(jnp.mean(distances, axis=-1), batch.valid)

        loss, gradients = jax.lax.psum(jax.value_and_grad(loss_share)(state.params), AXIS)
        metrics = {'loss': loss, 'gradient_norm': optax.tree.norm(gradients)}
        return state.apply_gradients(optimizer, gradients), metrics

    def eval_step(state: TrainState, batch: Batch) -> dict[str, Array]:
        @jax.jit  # traced once for the plain and the mirrored batch
        def predict(batch: Batch) -> Array:
            return model.apply(variables_of(state, state.params), batch, train=False)[0]

        with jax.default_matmul_precision('highest'):
            pose = predict(batch)
            if config.evaluation.flip_test:
                everyone = jnp.ones(batch.valid.shape, bool)
                mirrored = predict(flip_batch(batch, everyone, joint_set))
                pose = (pose + flip_pose(mirrored, joint_set)) / 2
        return {'pose': pose, 'valid': batch.valid, 'index': batch.index}

    return Task(init, pretrained, train_step, eval_step)

"""The optimizer: AdamW, decay of its rate by epochs, slower offset layers, averaged weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from capf_jax.pose.batch import Array

SLOW_LAYER = 'sampling_offsets'  # modules of this name learn at a share of the rate


def learning_rate_schedule(training: ConfigDict, steps_per_epoch: int) -> optax.Schedule:
    """The rate after each step: constant within an epoch, times the decay after it (paper 4.1)."""
    return optax.exponential_decay(
        training.learning_rate,
        transition_steps=steps_per_epoch,
        decay_rate=training.learning_rate_decay,
        staircase=True,
    )


def rate_factors(params: Any, factor: float) -> Any:
    """For every parameter its share of the learning rate: `factor` in sampling-offset layers."""

    def share(path: tuple, _: Any) -> float:
        names = {getattr(key, 'key', None) for key in path}
        return factor if SLOW_LAYER in names else 1.0

    return jax.tree_util.tree_map_with_path(share, params)


class WeightAverage(NamedTuple):
    """The exponential moving average of the weights, as a part of the optimizer's state."""

    steps: Array  # [] int32, optimizer steps that it is made of
    averaged_weights: Any  # a tree as that of the trained parameters


def average_weights(decay: float) -> optax.GradientTransformation:
    """Keeps an average of the weights after each step, and leaves the updates as they are.

    The average of a run's first steps forgets faster, at (1 + steps) / (10 + steps), so that random
    weights do not stay in it.

    Args:
      decay: share of the average that a step keeps, such as 0.999.
    """

    def init(params: Any) -> WeightAverage:
        return WeightAverage(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, WeightAverage]:
        new = optax.apply_updates(params, updates)
        share = jnp.minimum(decay, (1 + state.steps) / (10 + state.steps))
        average = jax.tree.map(
            lambda old, value: share * old + (1 - share) * value, state.averaged_weights, new
        )
        return updates, WeightAverage(state.steps + 1, average)

    return optax.GradientTransformation(init, update)


def averaged_weights(opt_state: Any) -> Any:
    """The averaged weights in an optimizer's state; None where it keeps none."""
    return optax.tree.get(opt_state, 'averaged_weights')


def make_optimizer(training: ConfigDict, steps_per_epoch: int) -> optax.GradientTransformation:
    """AdamW for a tree of trained parameters.

    Weight decay acts on every parameter, biases and norms too, as published; it is decoupled, so
    in a slow layer it is slowed with the rate. Frozen variables are not among the parameters.

    Args:
      training: `config.training`.
      steps_per_epoch: optimizer steps in one pass over the training split.
    """

    def slow_offsets(updates: Any, params: Any) -> Any:
        del params
        factors = rate_factors(updates, training.offset_learning_rate_factor)
        return jax.tree.map(lambda update, factor: update * factor, updates, factors)

    adamw = optax.adamw(
        learning_rate_schedule(training, steps_per_epoch), weight_decay=training.weight_decay
    )
    # Only a run that wants an average has a place for it, so that older checkpoints stay readable.
    last = [average_weights(training.weight_average)] if training.weight_average else []
    return optax.chain(adamw, optax.stateless(slow_offsets), *last)

"""The optimizer: AdamW, an exponential decay by epochs, and slower sampling offsets."""

from __future__ import annotations

from typing import Any

import jax
import optax
from ml_collections import ConfigDict

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

    return optax.chain(
        optax.adamw(
            learning_rate_schedule(training, steps_per_epoch),
            weight_decay=training.weight_decay,
        ),
        optax.stateless(slow_offsets),
    )

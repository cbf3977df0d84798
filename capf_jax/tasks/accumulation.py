"""Gradient accumulation: a batch in parts, one after another, so that it takes less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from capf_jax.pose.batch import Array, Batch

# (parameters, part of a batch, key) -> this part's share of the loss, and what goes with it.
LossShare = Callable[[Any, Batch, Array], tuple[Array, Any]]


def gradients_in_parts(
    loss_share: LossShare, params: Any, batch: Batch, key: Array, parts: int
) -> tuple[Array, Any, Any]:
    """The sum of the loss's shares over the parts of a batch, and its gradient.

    The sums are those of the whole batch to rounding, if nothing in the loss is random and no
    sample acts on another one.

    Args:
      loss_share: of a part; shares add up.
      params: what the gradient is taken of.
      batch: of one device.
      key: of what is random; each part has a key of its own.
      parts: how many; they divide the batch.

    Returns:
      loss: [].
      gradients: a tree as `params`.
      others: what goes with the loss of the last part.
    """
    differentiate = jax.value_and_grad(loss_share, has_aux=True)
    if parts == 1:
        (loss, others), gradients = differentiate(params, batch, key)
        return loss, gradients, others
    cut = jax.tree.map(lambda x: x.reshape(parts, len(x) // parts, *x.shape[1:]), batch)

    def add(sums: Any, part: tuple[Array, Batch]) -> tuple[Any, Any]:
        number, people = part
        (loss, others), gradients = differentiate(params, people, jax.random.fold_in(key, number))
        return jax.tree.map(jnp.add, sums, (loss, gradients)), others

    nothing = jnp.zeros(()), jax.tree.map(jnp.zeros_like, params)
    (loss, gradients), others = jax.lax.scan(add, nothing, (jnp.arange(parts), cut))
    return loss, gradients, jax.tree.map(lambda values: values[-1], others)

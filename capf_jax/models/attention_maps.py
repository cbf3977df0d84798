"""Where a lifter looks: the sampling points of every block, and the attention between joints."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose.batch import Array, Batch

BLOCKS = 'inter_joint_'  # what the names of the lifter's inter-joint blocks begin with


class Looks(NamedTuple):
    """Where a lifter of N deformable and D inter-joint blocks looks, for B people.

    Attributes:
      joints2d_crop: the lifter's 2D joints, pixels of the crop.
      points: sampling points, normalised by the crop; None without deformable extraction.
      weights: what each of them counts, summing to one over the K points.
      between_joints: how much each joint (second to last axis) takes from each other one (last
        axis, which sums to one), for every inter-joint block and head.
    """

    joints2d_crop: Float[Array, 'B J 2']
    points: Float[Array, 'B N L J M K 2'] | None
    weights: Float[Array, 'B N L J M K'] | None
    between_joints: Float[Array, 'B D M J J']


@functools.partial(jax.jit, static_argnums=0)
def looks(model: ContextAwarePoseFormer, variables: dict[str, Any], batch: Batch) -> Looks:
    """Runs the model as `models` writes it, and keeps what attention does.

    Args:
      model: any Context-Aware PoseFormer.
      variables: its detector's and its lifter's.
      batch: B people, with their images where the model needs them.
    """
    queries_and_keys: list[jax.Array] = []

    def keep(call: Any, arguments: Any, options: Any, context: Any) -> Any:
        output = call(*arguments, **options)
        path = context.module.path
        if path and path[-1] == 'qkv' and any(part.startswith(BLOCKS) for part in path):
            queries_and_keys.append(output)
        return output

    with nn.intercept_methods(keep):
        _, outputs = model.apply(variables, batch)
    own = model.conversion is not None
    between = [_attention(qkv, model.lifter.heads) for qkv in queries_and_keys]
    points = outputs.get('sampling_points')
    return Looks(
        joints2d_crop=outputs['detector_joints'] if own else jnp.asarray(batch.joints2d_crop),
        points=None if points is None else jnp.stack(points, axis=1),
        weights=None if points is None else jnp.stack(outputs['attention_weights'], axis=1),
        between_joints=jnp.stack(between, axis=1),
    )


def _attention(qkv: Float[Array, 'B J D'], heads: int) -> Float[jax.Array, 'B M J J']:
    """The weights of self-attention, of queries, keys and values side by side."""
    query, key, _ = (
        part.reshape(*part.shape[:2], heads, -1) for part in jnp.split(qkv, 3, axis=-1)
    )
    scores = jnp.einsum('bjmc,bkmc->bmjk', query, key) / math.sqrt(query.shape[-1])
    return nn.softmax(scores)

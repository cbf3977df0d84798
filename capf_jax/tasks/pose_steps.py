"""The steps of every task that predicts poses: loss, flips while training, flip test, units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from capf_jax.inference import units
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.pose.flip import flip_batch, flip_pose
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring.poses import input_error_px
from capf_jax.tasks.accumulation import gradients_in_parts
from capf_jax.tasks.joint_noise import JointNoise
from capf_jax.tasks.task import (
    TrainState,
    joint_distances,
    mean_over_valid,
    random_of_sample,
    shard_key,
    step_keys,
)

OWN_JOINTS = 'own_joints'
# (state, parameters, batch, key of drop path or None to evaluate) -> poses [B, J, 3] in the unit
# that is learnt, and a dict of outputs. Read of it are 'batch_stats', the statistics that have
# moved, and `OWN_JOINTS` [B, J, 2], 2D joints in pixels of the crop, where a model has taken these
# instead of those of the batch.
Predict = Callable[[TrainState, Any, Batch, Array | None], tuple[Array, dict[str, Any]]]
Steps = tuple[
    Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]],
    Callable[[TrainState, Batch], dict[str, Array]],
]


def pose_steps(
    predict: Predict,
    optimizer: optax.GradientTransformation,
    joint_set: Skeleton,
    *,
    flip_probability: float,
    flip_test: bool,
    target_unit: str,
    joint_noise: JointNoise | None = None,
    accumulate: int = 1,
) -> Steps:
    """`Task.train_step` and `Task.eval_step` of a network of poses (docs/method.md, Training).

    Args:
      predict: the network.
      optimizer: of the parameters.
      joint_set: the joints of the poses.
      flip_probability: chance that a training sample is mirrored.
      flip_test: whether an evaluation averages with the mirrored prediction.
      target_unit: what the network learns to give, 'm' or 'mm'; an evaluation gives metres.
      joint_noise: what disturbs the 2D joints of training samples; None leaves them alone.
      accumulate: parts that a device computes a batch in, one after another.
    """
    per_metre = units.IN_A_METRE[target_unit]

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        key_flip, key_drop = step_keys(state, 2)
        if joint_noise is not None:
            # Its key is a further one, so that flips and drop path stay those of a run without.
            batch = joint_noise.apply(jax.random.fold_in(key_flip, 1), batch, joint_set)
        chance = random_of_sample(key_flip, batch.valid.shape[0])
        batch = flip_batch(batch, chance < flip_probability, joint_set)

        def loss_share(params: Any, part: Batch, key: Array) -> tuple[Array, Any]:
            pose, outputs = predict(state, params, part, key)
            target = jnp.where(part.valid[:, None, None], part.joints3d, 0)
            distances = joint_distances(pose, per_metre * target)
            loss = mean_over_valid(jnp.mean(distances, axis=-1), part.valid, batch.valid)
            return loss, outputs.get('batch_stats', state.batch_stats)

        loss, gradients, batch_stats = gradients_in_parts(
            loss_share, state.params, batch, shard_key(key_drop), accumulate
        )
        loss, gradients = jax.lax.psum((loss, gradients), AXIS)
        metrics = {'loss': loss / per_metre, 'gradient_norm': optax.tree.norm(gradients)}
        return state.apply_gradients(optimizer, gradients, batch_stats=batch_stats), metrics

    def eval_step(state: TrainState, batch: Batch) -> dict[str, Array]:
        @jax.jit  # The plain and the mirrored batch share one trace.
        def in_metres(batch: Batch) -> tuple[Array, Array | None]:
            pose, outputs = predict(state, state.params, batch, None)
            return pose / per_metre, outputs.get(OWN_JOINTS)

        pose, joints = in_metres(batch)
        if flip_test:
            everyone = jnp.ones(batch.valid.shape, bool)
            mirrored, _ = in_metres(flip_batch(batch, everyone, joint_set))
            pose = (pose + flip_pose(mirrored, joint_set)) / 2
        outputs = {'pose': pose, 'valid': batch.valid, 'index': batch.index}
        if joints is not None:  # The scorer knows the joints of the batch alone.
            used = batch._replace(joints2d=to_image(joints, batch.affine))
            outputs['input_error_px'] = input_error_px(used)
        return outputs

    return train_step, eval_step

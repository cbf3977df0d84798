"""`Task`: what is learnt, with all that sets it apart, and what the steps of all tasks share.

Steps are pure functions of (state, batch). They know nothing of devices but the name of the axis
that a batch is cut over; capf_jax/runtime/devices.py puts them on devices.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from etils import epath
from jaxtyping import Bool, Float, UInt32

from capf_jax.backends import programs
from capf_jax.models.cost import Cost
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.runtime import devices, files
from capf_jax.scoring.evaluation import Scorer, Split, evaluate_step
from capf_jax.scoring.result import Result


class TrainState(flax.struct.PyTreeNode):
    """All that a step changes or needs, and all that a checkpoint holds."""

    step: Array  # [] int32, optimizer steps done
    params: Any  # trained parameters, float32
    frozen: Any  # what never changes: the detector's variables while the lifter learns
    batch_stats: Any  # running statistics of BatchNorms that steps move; {} where there are none
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
class Figures:
    """What a task is given to draw the pictures of a finished run or an evaluation from.

    Attributes:
      result: of the split.
      state: the state that was evaluated, NumPy arrays: one process alone draws.
      split: the split of the result.
      folder: where the pictures go; made if need be.
      people: how many test people to draw.
      log: the run's JSON lines; they may be missing.
    """

    result: Result
    state: TrainState
    split: Split
    folder: files.AnyPath
    people: int
    log: files.AnyPath


def draw_nothing(figures: Figures) -> list[epath.Path]:
    """The `Task.draw` of a task without pictures."""
    del figures
    return []


def costs_nothing(crop: tuple[int, int]) -> dict[str, Cost]:
    """The `Task.costs` of a task that counts none."""
    del crop
    return {}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What is learnt: pure functions, and what others need to know of them.

    A new task is a file beside this one with a function that makes a Task of its parts, and an
    entry of `TASKS` in capf_jax/assembly.py, which takes the parts from a configuration.

    Attributes:
      name: `config.task`, and the name of the weight file.
      init: (key [2] uint32, batch) -> TrainState of random weights; no file is read.
      pretrained: that state -> the same with the weights that the configuration names files of. A
        step of starting a run alone: a checkpoint holds them.
      train_step: (state, batch) -> (state, metrics), runs inside the axis `AXIS`; metrics is a
        dict of scalars, equal on all shards, with at least 'loss'.
      eval_step: (state, batch) -> dict of arrays [B, ...]: 'valid', 'index', and what `scorer`
        scores.
      scorer: what an evaluation compares the step's outputs with, and the result it makes of them.
      weights: state -> the variables that the weight file of a finished run holds.
      loaded: those variables, arrays on the host -> a state to evaluate; it has no optimizer's
        moments, so that it cannot be trained.
      costs: (H, W) of the crops -> parameters and FLOPs by the part of the network.
      costs_beside: as `costs`, of what the network is to be compared with; no parts of it.
      weight_metadata: 'kind' and 'name' of that file, in the words of converted files, and what
        else loading it needs; a 'model' among it goes before `config.model`.
      conditions: what there is to say of the evaluation step in a result's conditions.
      variant: how the evaluation step works, as part of the names of a result's files.
      takes_joints2d: whether 2D joints are an input, so that noise can be added to them.
      takes_features: whether it can learn from what a frozen detector was asked in advance.
      draw: writes the pictures of a state and returns their paths; the main process calls it alone.
    """

    name: str
    init: Callable[[Array, Batch], TrainState]
    pretrained: Callable[[TrainState], TrainState]
    train_step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]]
    eval_step: Callable[[TrainState, Batch], dict[str, Array]]
    scorer: Scorer
    weights: Callable[[TrainState], dict[str, Any]]
    loaded: Callable[[Mapping[str, Any]], TrainState]
    weight_metadata: Mapping[str, Any]
    costs: Callable[[tuple[int, int]], dict[str, Cost]] = costs_nothing
    costs_beside: Callable[[tuple[int, int]], dict[str, Cost]] = costs_nothing
    conditions: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    variant: str = ''
    takes_joints2d: bool = False
    takes_features: bool = False
    draw: Callable[[Figures], list[epath.Path]] = draw_nothing


def evaluate(
    task: Task, state: TrainState, split: Split, conditions: Mapping[str, Any] | None = None
) -> Result:
    """The result of a state on a split, by all processes; `state` stays usable.

    Args:
      task: whose evaluation step is run.
      state: a prepared one or one as it is stored.
      split: what is evaluated.
      conditions: what to add to the result's conditions, for example the checkpoint.

    Raises:
      UserError: as `scoring.evaluation.evaluate_split`.
    """
    conditions = {**task.conditions, **(conditions or {})}
    return evaluate_step(task.eval_step, prepared(state), split, task.scorer, conditions)


def prepared(state: TrainState) -> TrainState:
    """The state with what the backend works out of its frozen detector beforehand, on all devices.

    Steps take either state and give the same; they are faster with this one. A checkpoint or a
    weight file holds the other. All processes must call this together.
    """
    if not state.frozen:
        return state
    frozen = devices.to_host(state.frozen)
    for_use = programs.prepared(frozen)
    return state if for_use is frozen else state.replace(frozen=devices.replicate(for_use))


def with_precision(task: Task, *, training: str, evaluation: str) -> Task:
    """The task with steps whose matrix products have these precisions.

    Args:
      task: any task.
      training, evaluation: values of `jax.default_matmul_precision`.
    """

    def at(precision: str, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def run(state: TrainState, batch: Batch) -> Any:
            with jax.default_matmul_precision(precision):
                return step(state, batch)

        return run

    return dataclasses.replace(
        task,
        train_step=at(training, task.train_step),
        eval_step=at(evaluation, task.eval_step),
    )


def new_state(
    optimizer: optax.GradientTransformation,
    key: UInt32[Array, 2],
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


def step_keys(state: TrainState, number: int) -> list[UInt32[Array, 2]]:
    """`number` keys of this step, the same on all shards."""
    return list(jax.random.split(jax.random.fold_in(state.key, state.step), number))


def shard_key(key: UInt32[Array, 2]) -> UInt32[Array, 2]:
    """A key that differs between the shards of the batch."""
    return jax.random.fold_in(key, jax.lax.axis_index(AXIS))


def random_of_sample(key: UInt32[Array, 2], shard_size: int) -> Float[Array, ' B']:
    """Uniform numbers [B], one a sample.

    They depend on the sample's place in the whole batch, not on how many shards it is cut into.
    """
    whole = jax.random.uniform(key, (shard_size * jax.lax.axis_size(AXIS),))
    return jax.lax.dynamic_slice_in_dim(whole, jax.lax.axis_index(AXIS) * shard_size, shard_size)


def mean_over_valid(
    values: Float[Array, ' B'], valid: Bool[Array, ' B'], of_shard: Bool[Array, ' S'] | None = None
) -> Float[Array, '']:
    """The share of `values` [B] in the mean over the valid samples of the whole batch.

    The shares of all shards, and their gradients, add up (psum) to the whole batch's.

    Args:
      values: of a shard of the batch, or of a part of a shard.
      valid: which of them count.
      of_shard: which of the whole shard's count, where the values are a part of it.
    """
    number = jax.lax.psum(jnp.sum(valid if of_shard is None else of_shard), AXIS)
    return jnp.sum(jnp.where(valid, values, 0)) / jnp.maximum(number, 1)


def joint_distances(
    predicted: Float[Array, '*joints D'], target: Float[Array, '*joints D']
) -> Float[Array, '*joints']:
    """Euclidean distances of joints of D coordinates: 3, or 2 in a picture.

    The gradient at distance 0 is 0, not NaN: a root joint predicted exactly is no accident.
    """
    squared = jnp.sum(jnp.square(predicted - target), axis=-1)
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)

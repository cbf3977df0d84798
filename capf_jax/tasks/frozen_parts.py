"""What stays frozen while a lifter learns, in the state of a run and in weight files.

That is the detector and, where there is one, the projection of its context. Both lie in
`TrainState.frozen`; a detector's statistics lie in `TrainState.batch_stats` where they move.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from capf_jax.inference import start_weights, units
from capf_jax.inference.detector_weights import load_detector
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose import joint_conversions
from capf_jax.pose.skeletons import Skeleton
from capf_jax.tasks.task import TrainState, new_state

PROJECTION = 'projection'
JOINTS2D = {'truth': 'ground truth', 'detected': 'detections stored in the dataset'}


def with_frozen(
    state: TrainState, variables: Mapping[str, Any], model: ContextAwarePoseFormer
) -> TrainState:
    """The state with the detector and the projection that are among a model's variables."""
    detector = dict(variables.get('detector') or {})
    if model.moving_statistics and 'batch_stats' in detector:
        state = state.replace(batch_stats=detector.pop('batch_stats'))
    if model.projection is not None:
        detector[PROJECTION] = variables[PROJECTION]
    return state.replace(frozen=detector)


def detector_of(state: TrainState) -> dict[str, Any]:
    """The detector's variables."""
    detector = {name: part for name, part in state.frozen.items() if name != PROJECTION}
    return {**detector, 'batch_stats': state.batch_stats} if state.batch_stats else detector


def variables_of(state: TrainState, params: Any) -> dict[str, Any]:
    """What a model is applied to, with these parameters of the lifter; and what its file holds."""
    variables = {'lifter': {'params': params}, 'detector': detector_of(state)}
    if PROJECTION in state.frozen:
        variables[PROJECTION] = state.frozen[PROJECTION]
    return variables


def loaded(variables: Mapping[str, Any], model: ContextAwarePoseFormer) -> TrainState:
    """See `Task.loaded`."""
    state = new_state(optax.identity(), jax.random.PRNGKey(0), variables['lifter']['params'])
    return with_frozen(state, variables, model)


def pretrained(
    state: TrainState,
    model: ContextAwarePoseFormer,
    joint_set: Skeleton,
    *,
    detector_file: str,
    detector_joints: str,
    start_file: str,
    start_part: str,
    target_unit: str,
    projection_file: str = '',
) -> TrainState:
    """A random state with the weights of the files that a configuration names.

    Args:
      state: of `Task.init`.
      model: the detector and the lifter.
      joint_set: the lifter's joints.
      detector_file: weight file of the detector; '' leaves it random.
      detector_joints: name of the joints that the detector of the file must find.
      start_file: weight file that training begins from; its detector goes before `detector_file`.
      start_part: what is taken of it, 'all', 'lifter' or 'detector'.
      target_unit: what the lifter learns to give, 'm' or 'mm'.
      projection_file: weight file of the single-frame lifter whose projection of context is kept;
        '' leaves it random.
    """
    variables, name = variables_of(state, state.params), model.entry.name
    shapes = variables['detector']
    joints = detector_joints if model.entry.heatmaps else ''
    start = start_weights.read(start_file) if start_file else None
    taken = start.taken(start_part) if start else ()
    if start and 'lifter' in taken:
        levels = () if model.detector is None else model.lifter.levels
        lifter = start.lifter({'params': state.params}, joint_set.name, levels)
        lifter = units.in_unit(lifter, 'm', target_unit)
        state = state.replace(params=jax.tree.map(jnp.asarray, lifter['params']))
    if model.projection is not None:
        if start and PROJECTION in start.parts and 'lifter' in taken:
            variables[PROJECTION] = start.projection_of(model)
        elif projection_file:
            variables[PROJECTION] = start_weights.read(projection_file).projection_of(model)
    if model.detector:
        if start and 'detector' in taken:
            variables['detector'] = start.detector(shapes, joints, name)
        elif detector_file:
            variables['detector'] = load_detector(detector_file, shapes, joints, name)
    return with_frozen(state, variables, model)


def joints2d_source(model: ContextAwarePoseFormer, joint_set: Skeleton, joints2d: str) -> str:
    """In words: where a model has its 2D joints from, for the conditions of results.

    Args:
      model: the detector and the lifter.
      joint_set: the lifter's joints.
      joints2d: source of those that come with the data, 'detected' or 'truth'.
    """
    source = JOINTS2D.get(joints2d, joints2d)
    if model.conversion is not None:
        source = f'those of the frozen {model.entry.name}'
        if model.conversion.rule != joint_conversions.BY_NAME:
            source += f', made into {joint_set.name} by the rule {model.conversion.rule!r}'
    if model.detector_joints:
        source += f' and those of the frozen {model.entry.name}'
    return source

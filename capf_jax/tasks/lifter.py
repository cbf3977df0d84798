"""The task 'lifter': the lifter learns 3D poses on a frozen detector (paper, section 3)."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from capf_jax.figures import curves, people, sampling_points
from capf_jax.figures.drawing import save
from capf_jax.inference import start_weights, units
from capf_jax.inference.detector_weights import load_detector
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose import joint_conversions
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import AXIS, Array, Batch
from capf_jax.pose.flip import flip_batch, flip_pose
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import logs
from capf_jax.scoring import protocols
from capf_jax.scoring.poses import PoseResult, input_error_px, pose_scorer
from capf_jax.scoring.protocols import METRICS, Protocol
from capf_jax.tasks.joint_noise import JointNoise
from capf_jax.tasks.task import (
    Figures,
    Task,
    TrainState,
    joint_distances,
    mean_over_valid,
    new_state,
    random_of_sample,
    shard_key,
    step_keys,
)

JOINTS2D = {'truth': 'ground truth', 'detected': 'detections stored in the dataset'}


def lifter_task(
    model: ContextAwarePoseFormer,
    optimizer: optax.GradientTransformation,
    joint_set: Skeleton,
    *,
    flip_probability: float = 0.5,
    flip_test: bool = True,
    protocol: Protocol = protocols.PLAIN,
    detector_file: str = '',
    detector_joints: str = '',
    start_file: str = '',
    start_part: str = 'all',
    target_unit: str = 'm',
    joints2d: str = 'detected',
    joint_noise: JointNoise | None = None,
    weight_name: str = 'ca_pf',
) -> Task:
    """Training of a lifter (docs/method.md, Training).

    Args:
      model: the detector and the lifter.
      optimizer: of the lifter's parameters.
      joint_set: the lifter's joints.
      flip_probability: chance that a training sample is mirrored.
      flip_test: whether an evaluation averages with the mirrored prediction.
      protocol: how poses are scored.
      detector_file: weight file of the detector; '' leaves it random.
      detector_joints: name of the joints that the detector of the file must find.
      start_file: weight file that training begins from; its detector goes before `detector_file`.
      start_part: what is taken of it, 'all', 'lifter' or 'detector'.
      target_unit: what the lifter learns to give, 'm' or 'mm'; an evaluation gives metres.
      joints2d: source of the 2D joints that come with the data, 'detected' or 'truth'; it is told
        in results.
      joint_noise: what disturbs the 2D joints of training samples; None leaves them alone.
      weight_name: what the weight file of a finished run says that it is.
    """
    per_metre = units.IN_A_METRE[target_unit]

    def init(key: Array, batch: Batch) -> TrainState:
        key_model, key_steps = jax.random.split(key)
        variables = model.init(key_model, batch)
        lifter = variables['lifter']
        state = new_state(optimizer, key_steps, lifter['params'])
        return with_detector(state, variables['detector'])

    def with_detector(state: TrainState, detector: dict[str, Any]) -> TrainState:
        """The state with a detector; statistics that move lie with those that a step changes."""
        if not (model.moving_statistics and 'batch_stats' in detector):
            return state.replace(frozen=detector)
        return state.replace(
            frozen={'params': detector['params']}, batch_stats=detector['batch_stats']
        )

    def pretrained(state: TrainState) -> TrainState:
        shapes, name = detector_of(state), model.entry.name
        joints = detector_joints if model.entry.heatmaps else ''
        start = start_weights.read(start_file) if start_file else None
        taken = start.taken(start_part) if start else ()
        if start and 'lifter' in taken:
            lifter = start.lifter({'params': state.params}, joint_set.name)
            lifter = units.in_unit(lifter, 'm', target_unit)
            state = state.replace(params=jax.tree.map(jnp.asarray, lifter['params']))
        if not model.detector:
            return state
        if start and 'detector' in taken:
            return with_detector(state, start.detector(shapes, joints, name))
        if detector_file:
            return with_detector(state, load_detector(detector_file, shapes, joints, name))
        return state

    def loaded(weights: Mapping[str, Any]) -> TrainState:
        """See `Task.loaded`."""
        state = new_state(optax.identity(), jax.random.PRNGKey(0), weights['lifter']['params'])
        return with_detector(state, weights.get('detector', {}))

    def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        key_flip, key_drop = step_keys(state, 2)
        if joint_noise is not None:
            # Its key is a further one, so that flips and drop path stay those of a run without.
            batch = joint_noise.apply(jax.random.fold_in(key_flip, 1), batch, joint_set)
        chance = random_of_sample(key_flip, batch.valid.shape[0])
        batch = flip_batch(batch, chance < flip_probability, joint_set)

        def loss_share(params: Any) -> tuple[Array, Any]:
            pose, outputs = model.apply(
                variables_of(state, params), batch, train=True, drop_path_key=shard_key(key_drop)
            )
            target = jnp.where(batch.valid[:, None, None], batch.joints3d, 0)
            distances = joint_distances(pose, per_metre * target)
            loss = mean_over_valid(jnp.mean(distances, axis=-1), batch.valid)
            return loss, outputs.get('batch_stats', state.batch_stats)

        (loss, batch_stats), gradients = jax.value_and_grad(loss_share, has_aux=True)(state.params)
        loss, gradients = jax.lax.psum((loss, gradients), AXIS)
        metrics = {'loss': loss / per_metre, 'gradient_norm': optax.tree.norm(gradients)}
        return state.apply_gradients(optimizer, gradients, batch_stats=batch_stats), metrics

    def eval_step(state: TrainState, batch: Batch) -> dict[str, Array]:
        @jax.jit  # The plain and the mirrored batch share one trace.
        def predict(batch: Batch) -> tuple[Array, Array | None]:
            pose, outputs = model.apply(variables_of(state, state.params), batch, train=False)
            return pose / per_metre, outputs.get('detector_joints')

        pose, joints = predict(batch)
        if flip_test:
            everyone = jnp.ones(batch.valid.shape, bool)
            mirrored, _ = predict(flip_batch(batch, everyone, joint_set))
            pose = (pose + flip_pose(mirrored, joint_set)) / 2
        outputs = {'pose': pose, 'valid': batch.valid, 'index': batch.index}
        if model.conversion is not None:  # The scorer knows the joints of the batch alone.
            used = batch._replace(joints2d=to_image(joints, batch.affine))
            outputs['input_error_px'] = input_error_px(used)
        return outputs

    source = JOINTS2D.get(joints2d, joints2d)
    if model.conversion is not None:
        source = f'those of the frozen {model.entry.name}'
        if model.conversion.rule != joint_conversions.BY_NAME:
            source += f', made into {joint_set.name} by the rule {model.conversion.rule!r}'
    if model.detector_joints:
        source += f' and those of the frozen {model.entry.name}'
    return Task(
        name='lifter',
        init=init,
        pretrained=pretrained,
        train_step=train_step,
        eval_step=eval_step,
        scorer=pose_scorer(protocol, joint_set),
        weights=lambda state: {'lifter': {'params': state.params}, 'detector': detector_of(state)},
        loaded=loaded,
        weight_metadata={'kind': 'ca_pf', 'name': weight_name, 'unit': target_unit},
        conditions={
            'joints2d': source,
            'flip_test': flip_test,
            'ablation_step': model.lifter.ablation_step,
            'frame': model.frame,
        },
        variant='flip' if flip_test else 'noflip',
        takes_joints2d=model.conversion is None,
        draw=lambda figures: draw(figures, model, joint_set),
    )


def variables_of(state: TrainState, params: Any) -> dict[str, Any]:
    """What the model is applied to, with these parameters of the lifter."""
    return {'detector': detector_of(state), 'lifter': {'params': params}}


def detector_of(state: TrainState) -> dict[str, Any]:
    """The detector's variables; its statistics are in `batch_stats` where they move."""
    return {**state.frozen, 'batch_stats': state.batch_stats} if state.batch_stats else state.frozen


def draw(
    figures: Figures, model: ContextAwarePoseFormer, joint_set: Skeleton
) -> list[pathlib.Path]:
    """Draws test people at even quantiles of the error, sampling points and error curves."""
    written = []
    result = cast(PoseResult, figures.result)
    rows, percentiles = people.representative(result.errors['mpjpe'], figures.people)
    batch = figures.split.read(result.labels['index'][rows]) if figures.people else None
    # A dataset of features made in advance has no pictures if its source is not at hand.
    if batch is not None and batch.images.shape[-1]:
        persons = [
            people.Person(
                batch.images[place],
                batch.joints2d_crop[place],
                result.targets[row],
                result.predictions[row],
                str(result.labels['action'][row]),
            )
            for place, row in enumerate(rows)
        ]
        caption = (
            f'Test people at the {people.ordinals(percentiles)} percentile of MPJPE, '
            f'{len(result.predictions)} samples; side views: camera at the left.'
        )
        figure = people.people_figure(persons, joint_set, caption)
        written.append(save(figure, figures.folder / 'people.png'))

        lifter = model.lifter
        if lifter.ablation_step >= 3 and lifter.deformable:
            middle = len(rows) // 2
            one = jax.tree.map(lambda array: array[middle : middle + 1], batch)
            joints2d_crop, points, weights = points_of_one(model, figures.state, one)
            figure = sampling_points.sampling_figure(
                one.images[0],
                joints2d_crop,
                points,
                weights,
                joint_set,
                level_names=[
                    f'map at stride {model.entry.strides[level]}' for level in lifter.levels
                ],
            )
            written.append(save(figure, figures.folder / 'sampling_points.png'))
    titles = {name: METRICS[name].title for name in ('mpjpe', 'pa_mpjpe')}
    figure = curves.run_figure(logs.entries(figures.log), titles)
    if figure is not None:
        written.append(save(figure, figures.folder / 'error_curves.png'))
    return written


def points_of_one(
    model: ContextAwarePoseFormer, state: TrainState, batch: Batch
) -> tuple[Float[np.ndarray, 'J 2'], Float[np.ndarray, 'L J M K 2'], Float[np.ndarray, 'L J M K']]:
    """Where the last deformable block looks, for one person.

    Args:
      model: a model with deformable context extraction.
      state: NumPy arrays, so that one process of many can compute alone.
      batch: one person.

    Returns:
      The lifter's 2D joints, pixels of the crop, the sampling points, normalised by the crop, and
      their weights.
    """

    @jax.jit
    def look(variables: Any, batch: Batch) -> tuple[jax.Array, jax.Array, jax.Array]:
        _, outputs = model.apply(variables, batch)
        own = model.conversion is not None
        joints2d_crop = outputs['detector_joints'] if own else batch.joints2d_crop
        points, weights = outputs['sampling_points'], outputs['attention_weights']
        return joints2d_crop[0], points[-1][0], weights[-1][0]

    joints2d_crop, points, weights = look(variables_of(state, state.params), batch)
    return np.asarray(joints2d_crop), np.asarray(points), np.asarray(weights)

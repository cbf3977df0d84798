"""The task 'lifter': the lifter learns 3D poses on a frozen detector (paper, section 3)."""

from __future__ import annotations

from typing import Any

import jax
import optax

from capf_jax.models import cost
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring import protocols
from capf_jax.scoring.poses import pose_scorer
from capf_jax.scoring.protocols import Protocol
from capf_jax.tasks import frozen_parts
from capf_jax.tasks.frozen_parts import variables_of
from capf_jax.tasks.joint_noise import JointNoise
from capf_jax.tasks.pose_pictures import draw_poses
from capf_jax.tasks.pose_steps import OWN_JOINTS, pose_steps
from capf_jax.tasks.task import Task, TrainState, new_state


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
    accumulate: int = 1,
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
      accumulate: parts that a device computes a training batch in.
    """

    def init(key: Array, batch: Batch) -> TrainState:
        key_model, key_steps = jax.random.split(key)
        variables = model.init(key_model, batch)
        state = new_state(optimizer, key_steps, variables['lifter']['params'])
        return frozen_parts.with_frozen(state, variables, model)

    def pretrained(state: TrainState) -> TrainState:
        return frozen_parts.pretrained(
            state,
            model,
            joint_set,
            detector_file=detector_file,
            detector_joints=detector_joints,
            start_file=start_file,
            start_part=start_part,
            target_unit=target_unit,
        )

    def predict(
        state: TrainState, params: Any, batch: Batch, key: Array | None
    ) -> tuple[Array, dict[str, Any]]:
        pose, outputs = model.apply(
            variables_of(state, params), batch, train=key is not None, drop_path_key=key
        )
        if model.conversion is not None:
            outputs[OWN_JOINTS] = outputs['detector_joints']
        return pose, outputs

    def look(state: TrainState, batch: Batch, row: int) -> tuple[Array, Array, Array]:
        one = jax.tree.map(lambda array: array[row : row + 1], batch)
        _, outputs = model.apply(variables_of(state, state.params), one)
        own = model.conversion is not None
        joints2d_crop = outputs['detector_joints'] if own else one.joints2d_crop
        points, weights = outputs['sampling_points'], outputs['attention_weights']
        return joints2d_crop[0], points[-1][0], weights[-1][0]

    train_step, eval_step = pose_steps(
        predict,
        optimizer,
        joint_set,
        flip_probability=flip_probability,
        flip_test=flip_test,
        target_unit=target_unit,
        joint_noise=joint_noise,
        accumulate=accumulate,
    )
    return Task(
        name='lifter',
        init=init,
        pretrained=pretrained,
        train_step=train_step,
        eval_step=eval_step,
        scorer=pose_scorer(protocol, joint_set),
        weights=lambda state: variables_of(state, state.params),
        loaded=lambda variables: frozen_parts.loaded(variables, model),
        costs=lambda crop: cost.costs(model, crop),
        weight_metadata={'kind': 'ca_pf', 'name': weight_name, 'unit': target_unit},
        conditions={
            'joints2d': frozen_parts.joints2d_source(model, joint_set, joints2d),
            'flip_test': flip_test,
            'ablation_step': model.lifter.ablation_step,
            'frame': model.frame,
        },
        variant='flip' if flip_test else 'noflip',
        takes_joints2d=model.conversion is None,
        takes_features=True,
        draw=lambda figures: draw_poses(figures, model, joint_set, look),
    )

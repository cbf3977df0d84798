"""The task 'sequence': a lifter of windows of frames learns the pose of one of them.

CA-PF-S (paper, appendix C) works on a frozen detector as the task 'lifter' does; PoseFormer has the
2D joints alone. Both read `Batch.frames`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import jax
import jax.numpy as jnp
import optax

from capf_jax.inference import start_weights, units
from capf_jax.models import cost
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.normalise import normalise_by_image
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring import protocols
from capf_jax.scoring.poses import pose_scorer
from capf_jax.scoring.protocols import Protocol
from capf_jax.tasks import frozen_parts
from capf_jax.tasks.frozen_parts import JOINTS2D, loaded, pretrained, variables_of
from capf_jax.tasks.joint_noise import JointNoise
from capf_jax.tasks.pose_pictures import draw_poses
from capf_jax.tasks.pose_steps import OWN_JOINTS, Predict, pose_steps
from capf_jax.tasks.task import Task, TrainState, new_state


@dataclasses.dataclass(frozen=True)
class Window:
    """Which frames a window has; the fields are those of `config.data`.

    Attributes:
      frames: F, how many.
      step: frames of the video from one to the next.
      causal: whether the target is the last one, and not the middle one.
    """

    frames: int = 1
    step: int = 1
    causal: bool = False

    @property
    def target(self) -> int:
        """The place of the target among the F frames."""
        return self.frames - 1 if self.causal else self.frames // 2

    def frames_of(self, batch: Batch) -> Batch:
        """The people of all frames, [B * F, ...]."""
        assert batch.frames is not None, 'the loader gives windows where the task is a sequence'
        return batch.frames

    def targets_of(self, rows: Array) -> Array:
        """Of values [B * F, ...] of all frames those of the targets, [B, ...]."""
        return rows.reshape(-1, self.frames, *rows.shape[1:])[:, self.target]

    def __str__(self) -> str:
        """For the conditions of a result, such as '27 frames, the target in the middle'."""
        steps = f', {self.step} apart' if self.step > 1 else ''
        return (
            f'{self.frames} frames{steps}, the target {"last" if self.causal else "in the middle"}'
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """What a weight file says of the window that its lifter was trained for."""
        return {'frames': self.frames, 'frame_step': self.step, 'causal': self.causal}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Learning:
    """What CA-PF-S and PoseFormer are told alike of their training and evaluation.

    Attributes:
      optimizer: of the lifter's parameters.
      joint_set: the lifter's joints.
      window: of the data.
      flip_probability: chance that a training window is mirrored.
      flip_test: whether an evaluation averages with the mirrored prediction.
      protocol: how poses are scored.
      start_file: weight file that training begins from; '' for none.
      target_unit: what the lifter learns to give, 'm' or 'mm'; an evaluation gives metres.
      joints2d: source of the 2D joints that come with the data, 'detected' or 'truth'.
      joint_noise: what disturbs the 2D joints of training windows; None leaves them alone.
      accumulate: parts that a device computes a training batch in.
    """

    optimizer: optax.GradientTransformation
    joint_set: Skeleton
    window: Window
    flip_probability: float = 0.5
    flip_test: bool = True
    protocol: Protocol = protocols.PLAIN
    start_file: str = ''
    target_unit: str = 'm'
    joints2d: str = 'detected'
    joint_noise: JointNoise | None = None
    accumulate: int = 1

    def task(self, predict: Predict, **parts: Any) -> Task:
        """The task of a network; `parts` are the fields of `Task` in which networks differ."""
        train_step, eval_step = pose_steps(
            predict,
            self.optimizer,
            self.joint_set,
            flip_probability=self.flip_probability,
            flip_test=self.flip_test,
            target_unit=self.target_unit,
            joint_noise=self.joint_noise,
            accumulate=self.accumulate,
        )
        conditions = {
            'flip_test': self.flip_test, 'window': str(self.window), **parts['conditions'],
        }  # fmt: skip
        metadata = {
            'unit': self.target_unit, **self.window.metadata, **parts['weight_metadata'],
        }  # fmt: skip
        return Task(
            name='sequence',
            train_step=train_step,
            eval_step=eval_step,
            scorer=pose_scorer(self.protocol, self.joint_set),
            variant='flip' if self.flip_test else 'noflip',
            **{**parts, 'conditions': conditions, 'weight_metadata': metadata},
        )


def ca_pf_s_task(
    model: ContextAwarePoseFormer,
    learning: Learning,
    *,
    detector_file: str = '',
    detector_joints: str = '',
    projection_file: str = '',
    start_part: str = 'all',
) -> Task:
    """Training of CA-PF-S on a frozen detector, or on its features made in advance.

    Args:
      model: the detector and a `TemporalLifter` of as many frames as the window has.
      learning: what it shares with PoseFormer.
      detector_file: weight file of the detector; '' leaves it random.
      detector_joints: name of the joints that the detector of the file must find.
      projection_file: weight file of the single-frame lifter whose projection of context is kept;
        '' leaves it random; read where the model has a projection.
      start_part: what is taken of `learning.start_file`: 'all', 'lifter' or 'detector'.
    """
    window, joint_set = learning.window, learning.joint_set
    lifter = cast(TemporalLifter, model.lifter)
    assert lifter.frames == window.frames, 'both are made of one configuration'

    def init(key: Array, batch: Batch) -> TrainState:
        key_model, key_steps = jax.random.split(key)
        variables = model.init(key_model, window.frames_of(batch))
        state = new_state(learning.optimizer, key_steps, variables['lifter']['params'])
        return frozen_parts.with_frozen(state, variables, model)

    def start(state: TrainState) -> TrainState:
        return pretrained(
            state,
            model,
            joint_set,
            detector_file=detector_file,
            detector_joints=detector_joints,
            start_file=learning.start_file,
            start_part=start_part,
            target_unit=learning.target_unit,
            projection_file=projection_file,
        )

    def predict(
        state: TrainState, params: Any, batch: Batch, key: Array | None
    ) -> tuple[Array, dict[str, Any]]:
        people = window.frames_of(batch)
        pose, outputs = model.apply(
            variables_of(state, params), people, train=key is not None, drop_path_key=key
        )
        if model.conversion is not None:
            outputs[OWN_JOINTS] = window.targets_of(outputs['detector_joints'])
        return pose, outputs

    def look(state: TrainState, batch: Batch, row: int) -> tuple[Array, Array, Array]:
        people = window.frames_of(batch)
        first, target = row * window.frames, window.target
        one = jax.tree.map(lambda array: array[first : first + window.frames], people)
        _, outputs = model.apply(variables_of(state, state.params), one)
        own = model.conversion is not None
        joints2d_crop = outputs['detector_joints'] if own else one.joints2d_crop
        points, weights = outputs['sampling_points'], outputs['attention_weights']
        return joints2d_crop[target], points[-1][target], weights[-1][target]

    return learning.task(
        predict,
        init=init,
        pretrained=start,
        weights=lambda state: variables_of(state, state.params),
        loaded=lambda variables: loaded(variables, model),
        costs=lambda crop: cost.sequence_costs(model, crop),
        costs_beside=lambda crop: cost.beside_ca_pf_s(model, crop),
        weight_metadata={'kind': 'ca_pf_s', 'name': 'ca_pf_s'},
        conditions={
            'joints2d': frozen_parts.joints2d_source(model, joint_set, learning.joints2d),
            'ablation_step': lifter.ablation_step,
            'frame': model.frame,
        },
        takes_joints2d=model.conversion is None,
        takes_features=True,
        draw=lambda figures: draw_poses(figures, model, joint_set, look),
    )


def poseformer_task(model: PoseFormer, learning: Learning) -> Task:
    """Training of PoseFormer, from coordinates alone.

    Args:
      model: of as many frames as the window has.
      learning: what it shares with CA-PF-S.
    """
    window, joint_set = learning.window, learning.joint_set
    assert model.frames == window.frames, 'both are made of one configuration'

    def joints_of(batch: Batch) -> Array:
        """[B, F, J, 2], normalised by the image."""
        people = window.frames_of(batch)
        joints = normalise_by_image(people.joints2d, people.image_size)
        return joints.reshape(-1, window.frames, *joints.shape[1:])

    def init(key: Array, batch: Batch) -> TrainState:
        key_model, key_steps = jax.random.split(key)
        one = jnp.zeros((1, model.frames, model.num_joints, 2))
        variables = jax.jit(model.init)(key_model, one)
        return new_state(learning.optimizer, key_steps, variables['params'])

    def start(state: TrainState) -> TrainState:
        if not learning.start_file:
            return state
        file = start_weights.read(learning.start_file)
        file.taken('lifter')
        lifter = file.lifter({'params': state.params}, joint_set.name)
        lifter = units.in_unit(lifter, 'm', learning.target_unit)
        return state.replace(params=jax.tree.map(jnp.asarray, lifter['params']))

    def predict(
        state: TrainState, params: Any, batch: Batch, key: Array | None
    ) -> tuple[Array, dict[str, Any]]:
        random = {} if key is None else {'drop_path': key}
        output = model.apply(
            {'params': params}, joints_of(batch), train=key is not None, rngs=random
        )
        return cast(tuple[jax.Array, dict[str, Any]], output)

    fields = {
        'num_joints': model.num_joints,
        'frames': model.frames,
        'channels': model.channels,
        'layers': model.layers,
        'heads': model.heads,
        'mlp_ratio': model.mlp_ratio,
        'drop_path': model.drop_path,
    }
    return learning.task(
        predict,
        init=init,
        pretrained=start,
        weights=lambda state: {'params': state.params},
        loaded=lambda variables: new_state(
            optax.identity(), jax.random.PRNGKey(0), variables['params']
        ),
        costs=lambda crop: cost.poseformer_costs(model),
        weight_metadata={'kind': 'poseformer', 'name': 'poseformer', 'model': fields},
        conditions={'joints2d': JOINTS2D.get(learning.joints2d, learning.joints2d)},
        takes_joints2d=True,
        draw=lambda figures: draw_poses(figures, None, joint_set),
    )

"""Training steps on stored features, beside those in which the detector runs, on windows.

Both are the step that `capf_jax.train` runs, of one configuration but for config.data.features, on
the same random people in memory: nothing is read or decoded. A step on B windows of F frames has B
targets and consumes B * F frames. On stored features these are B * F rows of context vectors; with
the detector running they are B * F crops, each of which passes through the frozen detector. Frames
a second count the B * F frames of a step on both sides.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks import random_inputs, training_step
from benchmarks.machine import Row, median_seconds
from benchmarks.training_step import Program
from capf_jax import assembly
from capf_jax.inference import model_settings
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from configs import human36m_ca_pf_s, synthetic_ca_pf_s
from data_pipeline.reader import take

FRAMES = 27
GOAL = 10.0  # times the frames a second, of the paper's size
SECONDS, LEAST = 6.0, 3  # of measuring a case, and rounds of it


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
      name: in the row.
      config: of windows of FRAMES, with the detector running.
      crop: (H, W) of its crops, pixels.
      windows: B of a step, on both sides.
      goal: times the frames a second; None without a goal.
    """

    name: str
    config: ConfigDict
    crop: tuple[int, int]
    windows: int
    goal: float | None = None

    def row(self) -> Row:
        """Both sides, which run in turns."""
        seconds = median_seconds(self.programs(), SECONDS, LEAST)
        stored, running = seconds['stored'], seconds['detector']
        frames, (height, width) = self.windows * FRAMES, self.crop
        notes = [
            f'frames/s: {frames / stored:,.0f} and {frames / running:,.1f}',
            f'targets/s: {self.windows / stored:,.1f} and {self.windows / running:,.2f}',
            seconds.note('stored', 'detector'),
        ]
        name = (
            f'training step on stored features ({self.name}), {self.windows} windows of {FRAMES} '
            f'frames, beside {self.config.model.detector} running on {frames} crops of '
            f'{height}x{width}'
        )
        return Row(name, stored, running, self.goal, note='; '.join(filter(None, notes)))

    def programs(self) -> dict[str, Program]:
        """The training step from features made in advance, and from pictures."""
        joint_set, model = skeletons.get(self.config.skeleton), self.config.model
        whole = model_settings.context_aware_pose_former(model, joint_set, frames=FRAMES)
        channels = {'stored': sum(whole.context_channels), 'detector': 0}
        programs, state = {}, None
        for side, of_side in channels.items():
            config = self.config.copy_and_resolve_references()
            config.data.features = side == 'stored'
            batch = random_windows(self.windows, FRAMES, self.crop, of_side)
            task = assembly.make_task(config)
            # Both learn the same: the state is made once, since that takes its time to compile.
            state = state or task.init(jax.random.PRNGKey(0), batch)
            programs[side] = training_step.training(task, state, batch)
        return programs


def random_windows(windows: int, frames: int, crop: tuple[int, int], channels: int = 0) -> Batch:
    """Windows of random people, whose targets are their middle frames.

    Args:
      windows: B.
      frames: F.
      crop: (H, W) of the crops, pixels.
      channels: of the context vectors that stand for the pictures, as the reader of stored features
        gives them; 0 for pictures.
    """
    people = random_inputs.people(windows * frames, *crop)
    if channels:
        rng = np.random.default_rng(0)
        joints = people.joints2d.shape[1]
        contexts = rng.standard_normal((len(people.valid), 2, joints, channels), np.float32)
        people = people._replace(
            images=np.zeros((*people.images.shape[:3], 0), np.uint8),
            contexts=contexts.astype(np.float16),
            context_joints=np.stack([people.joints2d_crop] * 2, axis=1),
        )
    targets = take(people, np.arange(windows) * frames + frames // 2)
    return targets._replace(index=np.arange(windows, dtype=np.int32), frames=people)


def cases() -> list[Case]:
    """The paper's size in small batches, and that of the rendered people as it is trained."""
    arg = f'frames={FRAMES},features=false'
    small = synthetic_ca_pf_s.get_config(arg)
    return [
        Case('paper', human36m_ca_pf_s.get_config(arg), (256, 192), 2, GOAL),
        Case('rendered people', small, (128, 96), small.training.batch_size),
    ]


def training_rows() -> list[Row]:
    """Rows of all cases."""
    return [case.row() for case in cases()]

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
    """What is trained, and how much of it at once.

    Attributes:
      name: in the row.
      config: of windows, with the detector running.
      crop: (H, W) of its crops, pixels.
      windows: B on both sides.
      alone: B of a further row of stored features, as many as the configuration trains on, where
        the detector would take minutes; 0 for none.
      goal: times the frames a second; None without a goal.
    """

    name: str
    config: ConfigDict
    crop: tuple[int, int]
    windows: int
    alone: int = 0
    goal: float | None = None

    def rows(self) -> list[Row]:
        """A row of both sides, and one of stored features alone."""
        detector = self.config.model.detector
        sides = {'stored': self.program(self.windows, stored=True)}
        sides['detector'] = self.program(self.windows, stored=False)
        if self.alone:
            sides['alone'] = self.program(self.alone, stored=True)
        seconds = median_seconds(sides, SECONDS, LEAST)
        stored, running = seconds['stored'], seconds['detector']
        height, width = self.crop
        frames = self.windows * FRAMES
        notes = [
            f'frames/s: {frames / stored:,.0f} stored, {frames / running:,.1f} with {detector} on '
            f'{frames} crops of {height}x{width}; targets/s: {self.windows / stored:,.1f} and '
            f'{self.windows / running:,.2f}',
            seconds.note('stored', 'detector'),
        ]
        table = [
            Row(
                f'training step on stored features ({self.name}), {self.windows} windows of '
                f'{FRAMES} frames, beside the detector running',
                stored,
                running,
                self.goal,
                note='; '.join(filter(None, notes)),
            )
        ]
        if self.alone:
            alone = seconds['alone']
            each = alone / self.alone / FRAMES  # seconds of a frame
            note = f'frames/s: {1 / each:,.0f} stored, {running / frames / each:.1f} times as many '
            note += f'as with {detector} on {frames}; targets/s: {self.alone / alone:,.1f}'
            name = f'training step on stored features ({self.name}), {self.alone} windows of '
            table.append(Row(f'{name}{FRAMES} frames', alone, note=note))
        return table

    def program(self, windows: int, *, stored: bool) -> Program:
        """The training step as a program, from features made in advance or from pictures."""
        config = self.config.copy_and_resolve_references()
        config.data.features = stored
        channels = 0
        if stored:
            joints = skeletons.get(config.skeleton)
            model = config.model
            whole = model_settings.context_aware_pose_former(model, joints, frames=FRAMES)
            channels = sum(whole.context_channels)
        batch = random_windows(windows, config.data.frames, self.crop, channels)
        task = assembly.make_task(config)
        state = task.init(jax.random.PRNGKey(0), batch)
        return training_step.training(task, state, batch)


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
    """The paper's size, and that of the rendered people."""
    arg = f'frames={FRAMES},features=false'
    paper, small = human36m_ca_pf_s.get_config(arg), synthetic_ca_pf_s.get_config(arg)
    batch = small.training.batch_size
    return [
        Case('paper', paper, (256, 192), 2, alone=paper.training.batch_size, goal=GOAL),
        Case('rendered people', small, (128, 96), batch),
    ]


def training_rows() -> list[Row]:
    """Rows of all cases."""
    return [row for case in cases() for row in case.rows()]

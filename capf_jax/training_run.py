"""A training run under way: the loop over its steps, its evaluations, and what it hands over.

Only `capf_jax.train` imports this module.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import signal
import sys
import time
from typing import Any

import jax
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.inference import weight_files
from capf_jax.runtime import devices, files, processes, run_folder
from capf_jax.runtime.checkpoints import Checkpoints
from capf_jax.runtime.logs import Logs
from capf_jax.runtime.profiling import Profiler
from capf_jax.runtime.stopping import StopRequest
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.result import Result
from capf_jax.tasks.optimizer import averaged_weights
from capf_jax.tasks.task import Figures, Task, TrainState, evaluate

AHEAD = 2  # steps under way on the devices before the loop waits for the oldest


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended, or why it stopped.

    Attributes:
      state: the state after the last step.
      step: optimizer steps done since the run began.
      total_steps: steps of the whole run.
      signal: number of the signal that stopped the run early; None if it is finished.
    """

    state: TrainState
    step: int
    total_steps: int
    signal: int | None = None


def with_averaged_weights(state: TrainState) -> TrainState | None:
    """The state with the averages of its weights in their place; None where it keeps none."""
    averaged = averaged_weights(state.opt_state)
    return None if averaged is None else state.replace(params=averaged)


@dataclasses.dataclass
class Run:
    """One run's parts, and the loop over its steps.

    Attributes:
      config: a whole configuration.
      workdir: folder of the run.
      dataset: the full name of the dataset.
      split: the test split.
      steps_per_epoch: optimizer steps of one pass over the training split.
      task: what is learnt.
      checkpoints: of the workdir.
      logs: of the workdir.
      frozen: of the state as it is stored; steps run on the prepared one.
      profiler: watches some of the steps.
      result: of the last evaluation, if it was after the last step.
      bad_images: what is wrong with each test image that this process read and skipped.
    """

    config: ConfigDict
    workdir: files.AnyPath
    dataset: str
    split: Split
    steps_per_epoch: int
    task: Task
    checkpoints: Checkpoints
    logs: Logs
    frozen: Any
    profiler: Profiler
    result: Result | None = None
    bad_images: list[str] = dataclasses.field(default_factory=list)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.steps_per_epoch * self.config.training.epochs

    def is_evaluated_at(self, step: int) -> bool:
        """Whether an evaluation is due after this step: every N epochs and at the end."""
        between = self.steps_per_epoch * self.config.evaluation.every_epochs
        return step > 0 and (step % between == 0 or step == self.total_steps)

    def stored(self, state: TrainState) -> TrainState:
        """The state as it is kept: with the frozen detector that the run began with."""
        return state.replace(frozen=self.frozen)

    def train(self, start: int, state: TrainState, batches: Any) -> Outcome:
        """The loop from after step `start` to the end or to a signal.

        Metrics are looked at `AHEAD` steps late, so that the devices never wait for the host.
        """
        training = self.config.training
        train_step = devices.train_step(self.task.train_step)
        under_way: collections.deque = collections.deque()
        step, saved_at = start, time.monotonic()
        with StopRequest() as stop:
            for step, batch in enumerate(batches, start + 1):
                began = time.monotonic()
                # All that a step needs lies on the devices; what does not would slow each step.
                with self.profiler.step(step), jax.transfer_guard('disallow'):
                    state, metrics = train_step(state, batch)
                if step == start + 1:
                    seconds = time.monotonic() - began
                    self.logs.say(f'the training step is compiled, in {seconds:.1f} s')
                under_way.append((step, metrics))
                if len(under_way) > AHEAD:
                    self.look_at(*under_way.popleft())
                self.logs.advance()

                evaluated = self.is_evaluated_at(step)
                stopping = stop.reached(step)
                overdue = time.monotonic() - saved_at > 60 * training.checkpoint_minutes
                is_last = stopping or step == self.total_steps
                if is_last or self.profiler.ends_after(step):
                    self.look_at_all(under_way)  # What the devices do is in the profile to its end.
                    self.profiler.stop()
                if evaluated or stopping or self.agreed(overdue, step):
                    self.look_at_all(under_way)  # A state is saved if its loss is finite.
                    self.checkpoints.save_latest(step, self.stored(state))
                    saved_at = time.monotonic()
                if stopping:
                    number = stop.signal or signal.SIGTERM
                    return Outcome(self.stored(state), step, self.total_steps, number)
                if evaluated:
                    self.evaluate(step, state)
        return Outcome(self.stored(state), step, self.total_steps)

    def agreed(self, wish: bool, step: int) -> bool:
        """Whether any process wishes it; processes ask each other only every `log_steps` steps."""
        if processes.process_count() == 1:
            return wish
        return step % self.config.training.log_steps == 0 and processes.anyone(wish)

    def look_at_all(self, under_way: collections.deque) -> None:
        """Waits for the steps that are under way, and looks at the metrics of each."""
        while under_way:
            self.look_at(*under_way.popleft())

    def look_at(self, step: int, metrics: dict[str, Any]) -> None:
        """Logs a step's metrics when it is time to, and stops if one is not finite."""
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            last = self.checkpoints.path()
            raise UserError(
                f'the {broken[0].replace("_", " ")} is {values[broken[0]]} at step {step}; '
                f'the last checkpoint is {last or "not yet written"}: '
                'look at the data, or lower training.learning_rate in another --workdir'
            )
        if step % self.config.training.log_steps == 0 or step == self.total_steps:
            self.logs.training(step, values)

    def evaluate(self, step: int, state: TrainState) -> None:
        """Scores the state on the test split; the best one so far is kept.

        Averaged weights are scored too, and the log has their scores beside the others.
        """
        result = self.score(state)
        scores = dict(result.scores)
        averaged = with_averaged_weights(state)
        if averaged is not None:
            of_average = self.score(averaged).scores
            scores |= {f'averaged_{name}': score for name, score in of_average.items()}
        self.checkpoints.save_best(step, self.stored(state), result.score)
        # The log comes last: an evaluation in it is a finished one.
        self.logs.evaluation(step, scores, result.conditions['skipped_images'])
        self.result = result if step == self.total_steps else None

    def score(self, state: TrainState) -> Result:
        """The state's result on the test split; images that were skipped are noted."""
        result = evaluate(self.task, state, self.split)
        skipped = result.conditions.get('skipped', ())
        self.bad_images += [image for image in skipped if image not in self.bad_images]
        return result

    def finish(self, state: TrainState) -> None:
        """Writes what a finished run hands over: a weight file and pictures."""
        # All processes evaluate together; a result of before this start is not at hand.
        result = self.result or self.score(state)
        state = devices.to_host(state)  # The main process goes on alone, on arrays of its own.
        if not processes.is_main_process():
            return
        written = [self.save_weights(state, self.task.name)]
        averaged = with_averaged_weights(state)
        if averaged is not None:
            written.append(self.save_weights(averaged, f'{self.task.name}_averaged'))
        figures = Figures(
            result,
            state,
            self.split,
            self.workdir / 'pictures',
            self.config.evaluation.pictures,
            self.logs.path,
        )
        print('written:', *written, *self.task.draw(figures), sep='\n  ', file=sys.stderr)

    def save_weights(self, state: TrainState, name: str) -> files.AnyPath:
        """Writes the weight file of this name into the workdir; returns its path."""
        path = self.workdir / f'{name}.safetensors'
        weights, origin = self.task.weights(state), self.origin(state)
        if self.config.training.weight_detector == 'beside':
            file = self.config.model.detector_weights
            weights, origin = weight_files.with_detector_beside(weights, origin, file)
        weight_files.save_weights(path, weights, origin, self.config.training.weight_type)
        return path

    def origin(self, state: TrainState) -> dict[str, Any]:
        """The metadata of the weight file: what the weights are and where they come from."""
        return {
            'task': self.task.name,
            'skeleton': self.config.skeleton,
            'model': self.config.model.to_dict(),
            **self.task.weight_metadata,
            'dataset': self.dataset,
            'step': int(state.step),
            'best_score': self.checkpoints.best_score,
            'config': self.config.to_dict(),
            'versions': run_folder.versions(),
        }

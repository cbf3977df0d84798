"""Trains what a configuration describes, or goes on with a run that was begun before.

    python -m capf_jax.train --config=configs/synthetic.py --workdir=runs/synthetic
    python -m capf_jax.train --config=configs/synthetic.py:step=0,seed=1 --workdir=runs/step-0
    python -m capf_jax.train --config=configs/human36m_hrnet32.py --workdir=runs/human36m \\
        --config.training.epochs=3 --noconfig.evaluation.flip_test

A run may begin from a weight file, one of converters.convert or of another run, with a learning
rate that starts anew:

    python -m capf_jax.train --config=configs/human36m_hrnet32.py --workdir=runs/finetuned \\
        --config.training.start=ca_pf_hrnet_32.safetensors

Into the workdir go the configuration, the logs, checkpoints, and at the end a weight file and
pictures. The same command again goes on where a run stopped. `--profile=100:110` adds a profile of
steps 100 to 110, which `xprof --logdir=WORKDIR/profile` and TensorBoard show.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from capf_jax import assembly, data_assembly
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import weight_files
from capf_jax.runtime import (
    agreement,
    commands,
    configuration,
    devices,
    files,
    processes,
    run_folder,
)
from capf_jax.runtime.checkpoints import Checkpoints, begun
from capf_jax.runtime.compilation_cache import use_compilation_cache
from capf_jax.runtime.logs import Logs, SilentLogs, was_evaluated
from capf_jax.runtime.profiling import Profiler, steps_of
from capf_jax.runtime.stopping import StopRequest
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.result import Result
from capf_jax.tasks.optimizer import averaged_weights
from capf_jax.tasks.task import Figures, Task, TrainState, evaluate, prepared
from data_pipeline import loader

AHEAD = 2  # steps under way on the devices before the loop waits for the oldest


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a call of `train_and_evaluate` ended.

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


def train_and_evaluate(
    config: ConfigDict, workdir: files.AnyPath, command: str = '', profiled: range = range(0)
) -> Outcome:
    """Trains what `config.task` names, evaluating on the way, or goes on with a run begun before.

    Args:
      config: a whole configuration.
      workdir: folder of the run: configuration, checkpoints, logs, weights and pictures.
      command: the command line's arguments, to be kept in the workdir.
      profiled: the steps that JAX's profiler watches.

    Raises:
      UserError: bad input or a loss that is not finite; the message says where and what to do.
      OSError: something could not be read or written; checkpoints made before are whole.
    """
    training = config.training
    devices.check_batch_size(training.batch_size, 'training.batch_size', training.accumulate)
    devices.check_batch_size(config.evaluation.batch_size, 'evaluation.batch_size')
    files.check_writable(workdir)
    _agree_on_checkpoints(workdir)
    # A run that never came to a checkpoint may be mended.
    goes_on = processes.told_by_main(begun(workdir))
    stored = run_folder.load(workdir) if goes_on and run_folder.is_written(workdir) else None
    config = run_folder.as_begun(config, workdir) if goes_on else config
    config = assembly.with_head_of_start(config, stored)
    # A configuration that describes no task is an error before data are built.
    assembly.make_task(config)
    if goes_on:
        run_folder.check(config, workdir)
    else:
        names = ('model.detector_weights', 'model.projection_weights', 'training.start')
        fields = configuration.flatten(config.to_dict())
        paths = {f'config.{name}': fields[name] for name in names}
        processes.agree(lambda: agreement.of_files(paths), agreement.SAME_FILES)
    with processes.main_process_first():
        builder = data_assembly.open_data(config, build=True)
    processes.agree(lambda: agreement.of_dataset(builder), agreement.SAME_DATASET)
    steps_per_epoch = loader.steps_per_epoch(builder, config)
    # A split that is missing is an error now and not at the end.
    split = data_assembly.open_split(builder, config)
    task = assembly.make_task(config, steps_per_epoch)

    with (
        processes.main_process_locks(workdir, 'is training'),
        Checkpoints(workdir, clean=True) as checkpoints,
    ):
        _agree_on_checkpoints(workdir)  # The main process may have waited for the lock.
        if begun(workdir):  # Another command may have begun it meanwhile.
            run_folder.check(config, workdir)
        start = checkpoints.step() or checkpoints.step('best') or 0
        batches = loader.training_batches(
            builder,
            config,
            start_step=start,
            process_index=processes.process_index(),
            process_count=processes.process_count(),
        )
        first = next(batches)
        state, step = first_state(task, config.seed, first, checkpoints)
        processes.agree(
            lambda: agreement.of_checkpoint(workdir, 'to go on from', step), agreement.SAME_WORKDIR
        )
        if step != start:  # The newest checkpoint is damaged: the data go back with the state.
            start = step
            batches.set_state({'next_index': start})
            first = next(batches)
        total = steps_per_epoch * config.training.epochs
        if processes.is_main_process():
            run_folder.save(config, workdir, command)
        kind = Logs if processes.is_main_process() else SilentLogs
        with kind(workdir, start, total, config.training.batch_size) as logs:
            stored = devices.to_host(state.frozen)
            state = prepared(state)
            run = Run(
                config, workdir, builder.info.full_name, split, steps_per_epoch, task, checkpoints,
                logs, stored, Profiler(profiled, workdir / 'profile'),
            )  # fmt: skip
            missing = run.is_evaluated_at(start) and not was_evaluated(workdir, start)
            if processes.told_by_main(missing):
                run.evaluate(start, state)  # The run was stopped before it could do so.
            coming = itertools.islice(itertools.chain([first], batches), total - start)
            outcome = run.train(start, state, devices.prefetch(coming))
        if outcome.signal is None:
            run.finish(outcome.state)
    tell_skipped(batches.bad_images, 'while training')
    tell_skipped(run.bad_images, 'in evaluations')
    return outcome


def _agree_on_checkpoints(workdir: files.AnyPath) -> None:
    """UserError where a process does not see the checkpoints that process 0 goes on from."""
    checkpoints = Checkpoints(workdir)
    for name in ('latest', 'best'):
        processes.agree(
            lambda name=name: agreement.of_checkpoint(workdir, name, checkpoints.step(name)),
            agreement.SAME_WORKDIR,
        )


def tell_skipped(bad_images: Sequence[str], where: str) -> None:
    """Names and counts the images that did not decode, if there are any."""
    if bad_images:
        print(*bad_images, sep='\n', file=sys.stderr)
        count = len(bad_images)
        print(f'images skipped {where}, since they do not decode: {count}', file=sys.stderr)


def first_state(
    task: Task, seed: int, batch: Any, checkpoints: Checkpoints
) -> tuple[TrainState, int]:
    """The state of the newest checkpoint that is whole, or that of a new run; and its step.

    The state lies on all devices.
    """
    key = jax.random.PRNGKey(seed)
    if checkpoints.step() is None and checkpoints.step('best') is None:
        return devices.replicate(task.pretrained(task.init(key, batch))), 0
    shapes = devices.abstract(jax.eval_shape(task.init, key, batch))
    state, step, _ = checkpoints.restore_newest(shapes, ('latest', 'best'))
    return state, step


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


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    with processes.joined(argv):
        return _run(argv)


def _run(argv: Sequence[str]) -> int:
    parser = commands.Parser('capf_jax.train', __doc__)
    parser.add_argument('--workdir', metavar='FOLDER', help='folder of the run')
    parser.add_argument(
        '--profile', default='', metavar='FIRST:LAST', help='steps to watch with the profiler'
    )
    parser.add_argument(
        processes.DISTRIBUTED, action='store_true', help='join the other processes of the run'
    )
    arguments = configuration.parse(argv, parser=parser, check=assembly.problems)
    assert arguments.config is not None  # `parse` requires one.
    profiled = steps_of(arguments.values.profile)
    config, workdir = arguments.config, arguments.workdir
    processes.agree(lambda: agreement.of_start('train', config, workdir), agreement.SAME_COMMAND)
    programs.start_process()
    use_compilation_cache()
    outcome = train_and_evaluate(arguments.config, arguments.workdir, arguments.command, profiled)
    if outcome.signal is not None:
        print(
            f'stopped after step {outcome.step} of {outcome.total_steps}, all is saved in '
            f'{arguments.workdir}: the same command goes on from there',
            file=sys.stderr,
        )
        return 128 + outcome.signal  # as a shell reports a process that a signal ended
    return 0


if __name__ == '__main__':
    commands.run(main)

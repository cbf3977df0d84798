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

import itertools
import sys
from collections.abc import Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from capf_jax import assembly, data_assembly
from capf_jax.backends import programs
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
from capf_jax.tasks.task import Task, TrainState, prepared
from capf_jax.training_run import Outcome, Run
from data_pipeline import loader


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
    data_assembly.tell_repetitions(builder, config, config.data.train_split, config.data.test_split)
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

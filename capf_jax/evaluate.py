"""Evaluates a run, a weight file, or poses that another program predicted.

    python -m capf_jax.evaluate --workdir=runs/synthetic
    python -m capf_jax.evaluate --workdir=runs/synthetic --checkpoint=latest --noflip_test

Into the workdir go a JSON file with everything, the predictions (.npz) and pictures. How the error
grows with noise on the 2D joints, of a standard deviation of 0 to 5 px or of those listed:

    python -m capf_jax.evaluate --workdir=runs/synthetic --noise_sweep
    python -m capf_jax.evaluate --workdir=runs/synthetic --noise=0,2.5,10

A weight file, one of converters.convert or of a run, on the dataset of a configuration; the file
says which model it holds, and the results go into a folder beside it or into --workdir:

    python -m capf_jax.evaluate --weights=ca_pf_hrnet_32.safetensors \\
        --config=configs/human36m_hrnet32.py

Poses from any other program, in the format of capf_jax/scoring/prediction_files.py; the result goes
beside them:

    python -m capf_jax.evaluate --config=configs/human36m_hrnet32.py --predictions=poses.npz

The baseline without a network, which predicts the training split's mean pose for everyone:

    python -m capf_jax.evaluate --config=configs/synthetic.py --mean_pose
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from capf_jax import assembly, data_assembly, evaluate_arguments
from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.figures import curves
from capf_jax.figures.drawing import save
from capf_jax.inference import start_weights
from capf_jax.pose import skeletons
from capf_jax.runtime import (
    agreement,
    commands,
    devices,
    files,
    processes,
    run_folder,
)
from capf_jax.runtime.checkpoint_checks import DamagedError
from capf_jax.runtime.checkpoints import Checkpoints
from capf_jax.runtime.compilation_cache import use_compilation_cache
from capf_jax.scoring import mean_pose, noise_sweep, predictions, report, tables
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.poses import PoseResult
from capf_jax.scoring.result import Result
from capf_jax.tasks import task as tasks
from capf_jax.tasks.task import Figures, Task, TrainState

# Arguments whose effect the comparison of all processes has under another name.
_COMPARED_APART = ('config', 'workdir', 'data_dir', 'data_cache', 'distributed')
_FOR_ONE_PROCESS = ('--mean_pose', '--predictions')


@dataclasses.dataclass(frozen=True)
class RestoredRun:
    """A checkpoint of a run or a weight file, and what it is evaluated on.

    Attributes:
      task: what was learnt.
      state: of the checkpoint, or with the weights of the file.
      split: the samples.
      conditions: what there is to say of the weights in a result's conditions.
    """

    task: Task
    state: TrainState
    split: Split
    conditions: dict[str, Any]

    def evaluate(self) -> Result:
        """The result on the split."""
        return tasks.evaluate(self.task, self.state, self.split, self.conditions)

    def sweep_noise(self, sigmas: Sequence[float] = noise_sweep.SIGMAS) -> dict[float, PoseResult]:
        """Results with noise on the 2D joints, one for each sigma (px).

        Raises:
          UserError: a sigma is negative or not finite, the task has no 2D joints as input, or the
            context of the joints was made in advance.
        """
        if not self.task.takes_joints2d:
            raise UserError(
                'noise is for 2D joints that a lifter takes from the dataset; '
                f'this {self.task.name} takes none from there'
            )
        if self.split.read(np.array([0])).contexts is not None:
            raise UserError(
                'features made in advance are what the maps show at the joints, and noise would '
                'move the joints away from there: let the pictures be read, by --weights=FILE of '
                'the run, --config=CONFIG and --config.data.features=False'
            )
        return noise_sweep.sweep(
            self.task.eval_step,
            tasks.prepared(self.state),
            self.split,
            self.task.scorer,
            sigmas,
            {**self.task.conditions, **self.conditions},
        )


def open_run(
    workdir: str | os.PathLike, config: ConfigDict, checkpoint: str = 'best'
) -> RestoredRun:
    """A checkpoint of a workdir, ready to be evaluated on `config.data.test_split`.

    Args:
      workdir: folder of a run.
      config: its configuration, perhaps with other fields under data and evaluation.
      checkpoint: 'best' or 'latest'.

    Raises:
      FileNotFoundError: the checkpoint or the dataset is missing.
      UserError: the configuration, the split or the devices do not fit.
    """
    devices.check_batch_size(config.evaluation.batch_size, 'evaluation.batch_size')
    builder = data_assembly.open_data(config, build=False)
    processes.agree(lambda: agreement.of_dataset(builder), agreement.SAME_DATASET)
    split, task = data_assembly.open_split(builder, config), assembly.make_task(config)
    data_assembly.tell_repetitions(builder, config, config.data.test_split)
    with Checkpoints(workdir) as checkpoints:
        step = checkpoints.step(checkpoint)
        _agree_on_checkpoint(workdir, checkpoint, step)
        other = {'best': 'latest', 'latest': 'best'}[checkpoint]
        if step is None:
            there = checkpoints.step(other) is not None
            advice = f'use --checkpoint={other}' if there else 'train there first'
            raise FileNotFoundError(f'{workdir} has no checkpoint {checkpoint!r}; {advice}')
        one = split.read(np.array([0]))
        shapes = jax.eval_shape(task.init, jax.random.PRNGKey(config.seed), one)
        try:
            state, step, _ = checkpoints.restore_newest(devices.abstract(shapes), (checkpoint,))
        except DamagedError as error:
            if checkpoints.step(other) is None:
                raise
            raise UserError(f'{error.short}; use --checkpoint={other}') from error
        _agree_on_checkpoint(workdir, checkpoint, step)  # A damaged one gives way to another.
    conditions = {
        'workdir': str(workdir),
        'checkpoint': checkpoint,
        'checkpoint_step': step,
        'trained_with': run_folder.command_of(files.user_path(workdir)),
        'versions': run_folder.versions(),
    }
    return RestoredRun(task, state, split, conditions)


def _agree_on_checkpoint(workdir: str | os.PathLike, name: str, step: int | None) -> None:
    """UserError where processes see other checkpoints."""
    processes.agree(
        lambda: agreement.of_checkpoint(files.user_path(workdir), name, step),
        agreement.SAME_WORKDIR,
    )


def open_weights(path: str | os.PathLike, config: ConfigDict) -> RestoredRun:
    """A weight file, ready to be evaluated on `config.data.test_split`.

    Args:
      path: a file of `converters.convert` or of a training run.
      config: a whole configuration; its task and its model give way to those of the file.

    Raises:
      FileNotFoundError: the file or the dataset is missing.
      UserError: the file is none of ours, its model is not the one that it describes, or it is for
        other joints or crops than the dataset's; or the devices do not fit.
    """
    devices.check_batch_size(config.evaluation.batch_size, 'evaluation.batch_size')
    path = os.fspath(files.user_path(path))
    processes.agree(lambda: agreement.of_files({'--weights': path}), agreement.SAME_FILES)
    weights = start_weights.read(path)
    config = start_weights.described(config, weights)
    builder = data_assembly.open_data(config, build=False)
    processes.agree(lambda: agreement.of_dataset(builder), agreement.SAME_DATASET)
    split, task = data_assembly.open_split(builder, config), assembly.make_task(config)
    data_assembly.tell_repetitions(builder, config, config.data.test_split)
    one = split.read(np.array([0]))
    start_weights.check_crops(weights, one.images.shape[1:3])
    weights.check(task.weights(jax.eval_shape(task.init, jax.random.PRNGKey(config.seed), one)))
    conditions = {
        'weights': path,
        'model': weights.metadata.get('name', 'unknown'),
        'versions': run_folder.versions(),
    }
    return RestoredRun(task, devices.replicate(task.loaded(weights.variables)), split, conditions)


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    with processes.joined(argv, work_for_one=_FOR_ONE_PROCESS):
        return _run(argv)


def _run(argv: Sequence[str]) -> int:
    values, config = evaluate_arguments.parse(argv, __doc__)
    workdir = files.user_path(values.workdir or _folder_beside(values.weights or ''))
    others = {name: value for name, value in vars(values).items() if name not in _COMPARED_APART}
    processes.agree(
        lambda: agreement.of_start('evaluate', config, workdir, others), agreement.SAME_COMMAND
    )
    programs.start_process()
    use_compilation_cache()
    form = {'group': values.group, 'form': values.format}
    if values.mean_pose or values.predictions:
        _without_run(values, config, {'command': shlex.join(argv[1:])})
        return 0
    if values.weights:
        _warn_if_read_only(workdir)
        run = open_weights(values.weights, config)
    else:
        _warn_if_read_only(workdir)
        run = open_run(workdir, config, values.checkpoint)
    stem = workdir / _name(values, config, run.task)
    if values.sigmas:
        results = run.sweep_noise(values.sigmas)
        if processes.is_main_process():
            path = stem.with_name(f'{stem.name}_noise.json')
            print(noise_sweep.words(results, values.format), flush=True)  # Files may be refused.
            noise_sweep.write(results, path)
            print(f'\n{tables.line_start(values.format)}result: {path}')
            figure = curves.noise_figure(values.sigmas, noise_sweep.errors_in_mm(results))
            picture = save(figure, path.with_suffix('.png'))
            print(f'{tables.line_start(values.format)}picture: {picture}')
        return 0
    result = run.evaluate()
    state = devices.to_host(run.state)  # The main process goes on alone, on arrays of its own.
    if not processes.is_main_process():
        return 0
    _print_and_write(result, stem.with_name(f'{stem.name}.json'), form)
    start = tables.line_start(values.format)
    for content, path in result.write_samples(stem).items():
        print(f'{start}{content}: {path}')
    figures = Figures(
        result,
        state,
        run.split,
        workdir / 'pictures',
        config.evaluation.pictures,
        workdir / 'log.jsonl',
    )
    for path in run.task.draw(figures):
        print(f'{start}picture: {path}')
    return 0


def _warn_if_read_only(folder: files.AnyPath) -> None:
    """Says before the work that its files cannot be written; its table is printed all the same."""
    try:
        files.check_writable(folder)
    except OSError as error:
        print(
            f'WARNING: {commands.sentence(error)}; the table will be printed, its files cannot be '
            'written',
            file=sys.stderr,
        )


def _print_and_write(result: Result, path: files.AnyPath, form: dict[str, Any]) -> None:
    """Prints a result and then writes its JSON file, so that a refused file loses no table."""
    print(report.words(result, **form), flush=True)
    report.write_json(path, result.to_json())
    print(f'\n{tables.line_start(form["form"])}result: {path}')


def _without_run(
    values: argparse.Namespace, config: ConfigDict, conditions: dict[str, Any]
) -> None:
    """Prints the result of an evaluation that restores no checkpoint."""
    form = {'group': values.group, 'form': values.format}
    protocol, joint_set = assembly.protocol(config), skeletons.get(config.skeleton)
    builder = data_assembly.open_data(config, build=False)
    test = data_assembly.open_split(builder, config)
    if values.mean_pose:
        train = data_assembly.open_split(builder, config, config.data.train_split)
        result = mean_pose.evaluate_mean_pose(train, test, protocol, joint_set, conditions)
        print(report.words(result, **form))
        return
    path = files.user_path(values.predictions)
    _warn_if_read_only(path.parent)
    result = predictions.score(path, test, protocol, joint_set, conditions)
    _print_and_write(result, path.with_name(f'{path.stem}_scored.json'), form)


def _folder_beside(weights: str) -> str:
    """Where the results of a weight file go: 'X.safetensors' -> 'X_evaluation'."""
    return weights.removesuffix('.safetensors') + report.BESIDE_WEIGHTS


def _name(values: argparse.Namespace, config: ConfigDict, task: Task) -> str:
    """File name of a result, without its ending: other protocols do not overwrite each other."""
    split = ''.join(c if c.isalnum() else '_' for c in config.data.test_split)
    checkpoint = '' if values.weights else values.checkpoint
    parts = ('evaluation', checkpoint, split, task.variant, values.protocol)
    return '_'.join(filter(None, parts))


if __name__ == '__main__':
    commands.run(main)

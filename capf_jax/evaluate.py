"""Evaluates a run: `python -m capf_jax.evaluate --workdir=runs/synthetic`.

    --checkpoint=best|latest    which checkpoint (default best)
    --split=SPLIT               a TFDS split (default config.data.test_split)
    --protocol=NAME             plain, human36m or mpi_inf_3dhp (default as configured)
    --flip_test, --noflip_test  average with the mirrored prediction (default as configured)
    --group=LABEL               table by action, sequence, subject or camera
    --format=text|markdown|latex  of the tables (default text)
    --pictures=N                test people to draw (default config.evaluation.pictures)
    --data_dir=DIR              where built datasets are kept (default as configured)
    --batch_size=N              samples a step over all devices (default as configured)

Into the workdir go a JSON file with everything, the predictions (.npz) and pictures. How the error
grows with noise on the 2D joints, of a standard deviation of 0 to 5 px or of those given:

    python -m capf_jax.evaluate --workdir=runs/synthetic --noise_sweep
    python -m capf_jax.evaluate --workdir=runs/synthetic --noise=0,2.5,10

Poses from any other program, in the format of capf_jax/scoring/predictions.py; the result goes
beside them:

    python -m capf_jax.evaluate --config=configs/human36m_hrnet32.py --predictions=poses.npz

The trainer-free baseline that predicts the training split's mean pose for everyone:

    python -m capf_jax.evaluate --config=configs/synthetic.py --mean_pose
"""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

import jax
from absl import flags
from ml_collections import ConfigDict

from capf_jax import evaluate_arguments
from capf_jax.backends import programs
from capf_jax.pose import skeletons
from capf_jax.runtime import commands, configuration, devices
from capf_jax.runtime.checkpoints import Checkpoints
from capf_jax.scoring import noise_sweep, predictions, protocols, report
from capf_jax.scoring.detection import DetectionResult
from capf_jax.scoring.evaluation import evaluate_mean_pose, evaluate_split, evaluate_task
from capf_jax.scoring.results import Result
from capf_jax.tasks import detector, lifter_figures, steps
from capf_jax.tasks.steps import Task
from data_pipeline import datasets
from data_pipeline.reader import Reader

__all__ = ['evaluate', 'evaluate_mean_pose', 'evaluate_split', 'evaluate_task', 'main']


def make_task(config: ConfigDict, steps_per_epoch: int = 1) -> Task:
    """The task that `config.task` names; `steps_per_epoch` matters to its optimizer alone.

    Raises:
      ValueError: there is no such task.
    """
    tasks = {'lifter': steps.lifter_task, 'detector': detector.detector_task}
    if config.task not in tasks:
        raise ValueError(f'config.task is {config.task!r}; known are {", ".join(tasks)}')
    return tasks[config.task](config, steps_per_epoch)


def restore(
    workdir: pathlib.Path, checkpoint: str, config: ConfigDict, builder: Any
) -> tuple[Any, int]:
    """State and step of a checkpoint, 'best' or 'latest'.

    Raises:
      FileNotFoundError: there is none.
    """
    with Checkpoints(workdir) as checkpoints:
        step = checkpoints.step(checkpoint)
        other = {'best': 'latest', 'latest': 'best'}[checkpoint]
        if step is None:
            there = checkpoints.step(other) is not None
            advice = f'use --checkpoint={other}' if there else 'train there first'
            raise FileNotFoundError(f'{workdir} has no checkpoint {checkpoint!r}; {advice}')
        one, _ = Reader(
            builder, config.data.test_split, skeletons.get(config.skeleton), bad_image='skip'
        ).batch([0])
        shapes = jax.eval_shape(make_task(config).init, jax.random.PRNGKey(config.seed), one)
        return checkpoints.restore(devices.abstract(shapes), checkpoint), step


def evaluate(
    workdir: pathlib.Path, config: ConfigDict, checkpoint: str = 'best', split: str | None = None
) -> tuple[Result | DetectionResult, Any, Any]:
    """Evaluates a checkpoint of a workdir.

    Args:
      workdir: folder of a run.
      config: its configuration, perhaps with other fields under data and evaluation.
      checkpoint: 'best' or 'latest'.
      split: a TFDS split; config.data.test_split if not given.

    Returns:
      The result, the restored state and the dataset's builder.

    Raises:
      FileNotFoundError: the checkpoint or the dataset is missing.
      ValueError: the configuration, the split or the devices do not fit.
    """
    task, state, builder, said = _open(workdir, config, checkpoint)
    result = evaluate_task(task, state, builder, config, split=split, protocol=said)
    return result, state, builder


def sweep_noise(
    workdir: pathlib.Path,
    config: ConfigDict,
    sigmas: Sequence[float] = noise_sweep.SIGMAS,
    checkpoint: str = 'best',
) -> dict[float, Result]:
    """Results with noise on the 2D joints, one for each sigma (px); arguments as `evaluate`.

    Raises:
      FileNotFoundError, ValueError: as `evaluate`, or a sigma is negative or the run a detector's.
    """
    task, state, builder, said = _open(workdir, config, checkpoint)
    return noise_sweep.sweep(task, state, builder, config, sigmas, protocol=said)


def _open(
    workdir: pathlib.Path, config: ConfigDict, checkpoint: str
) -> tuple[Task, Any, Any, dict[str, Any]]:
    """Task, state and dataset of a run, and what to say of them in the protocol."""
    devices.check_batch_size(config.evaluation.batch_size, 'evaluation.batch_size')
    builder = datasets.open_or_build(config.data, build=False)
    state, step = restore(workdir, checkpoint, config, builder)
    said = {
        'workdir': str(workdir),
        'checkpoint': checkpoint,
        'checkpoint_step': step,
        'trained_with': configuration.command_of(workdir),
        'versions': configuration.versions(),
    }
    return make_task(config), state, builder, said


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    values, config = evaluate_arguments.parse(argv)
    devices.join_processes(argv)
    programs.start_process()
    protocols.get(config.evaluation.get('protocol', 'plain')).check_skeleton(
        skeletons.get(config.skeleton)
    )
    show = {'group': values.group, 'form': values.format}
    if values.mean_pose or values.predictions:
        builder = datasets.open_or_build(config.data, build=False)
        said = {'command': shlex.join(argv[1:])}
        if values.mean_pose:
            result = evaluate_mean_pose(builder, config, protocol=said)
            print(report.words(result, **show))
            return 0
        path = pathlib.Path(values.predictions)
        result = predictions.score(path, builder, config, protocol=said)
        print(report.write(result, path.with_name(f'{path.stem}_scored.json'), **show))
        return 0
    workdir = pathlib.Path(values.workdir)
    sigmas = evaluate_arguments.sigmas(values)
    if sigmas:
        results = sweep_noise(workdir, config, sigmas, values.checkpoint)
        if devices.is_main_process():
            path = workdir / f'{_name(values, config)}_noise.json'
            print(noise_sweep.write(results, path, values.format))
        return 0
    result, state, builder = evaluate(workdir, config, values.checkpoint)
    if not devices.is_main_process():
        return 0
    path = workdir / f'{_name(values, config)}.json'
    print(report.write(result, path, **show))
    if isinstance(result, Result):
        before = report.FORMATS[values.format][1]
        print(f'{before}predictions: {predictions.save(path.with_suffix(".npz"), result)}')
        folder = workdir / 'pictures'
        for path in lifter_figures.write(
            result, state, builder, config, folder, workdir / 'log.jsonl'
        ):
            print(f'{before}picture: {path}')
    return 0


def _name(values: flags.FlagValues, config: ConfigDict) -> str:
    """File name of a result, without its ending: other protocols do not overwrite each other."""
    split = ''.join(c if c.isalnum() else '_' for c in config.data.test_split)
    name = f'evaluation_{values.checkpoint}_{split}'
    if config.task == 'lifter':
        name += '_flip' if config.evaluation.flip_test else '_noflip'
    return name + (f'_{values.protocol}' if values.protocol else '')


if __name__ == '__main__':
    commands.run(main)

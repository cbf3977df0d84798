"""Evaluates a run: `python -m capf_jax.evaluate --workdir=runs/synthetic`.

    --checkpoint=best|latest    which checkpoint (default best)
    --split=SPLIT               a TFDS split (default config.data.test_split)
    --flip_test, --noflip_test  average with the mirrored prediction (default as configured)
    --group=LABEL               table by action, sequence, subject or camera
    --pictures=N                test people to draw (default config.evaluation.pictures)
    --data_dir=DIR              where built datasets are kept (default as configured)
    --batch_size=N              samples a step over all devices (default as configured)

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

from capf_jax import (
    commands,
    configuration,
    detector_steps,
    parallel,
    pictures,
    report,
    steps,
)
from capf_jax import skeleton as skeletons
from capf_jax.allocator import keep_freed_memory
from capf_jax.checkpoints import Checkpoints
from capf_jax.report import DetectionResult, Result
from capf_jax.scoring import evaluate_mean_pose, evaluate_split, evaluate_task
from capf_jax.steps import Task
from data_pipeline import datasets
from data_pipeline.reader import Reader

__all__ = ['evaluate', 'evaluate_mean_pose', 'evaluate_split', 'evaluate_task', 'main']


def make_task(config: ConfigDict, steps_per_epoch: int = 1) -> Task:
    """The task that `config.task` names; `steps_per_epoch` matters to its optimizer alone.

    Raises:
      ValueError: there is no such task.
    """
    tasks = {'lifter': steps.lifter_task, 'detector': detector_steps.detector_task}
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
        # Only shapes are needed: the checkpoint holds the detector, its first weights may be gone.
        bare = config.copy_and_resolve_references()
        with bare.unlocked():
            bare.model.detector_weights = ''
        shapes = jax.eval_shape(make_task(bare).init, jax.random.PRNGKey(config.seed), one)
        return checkpoints.restore(parallel.abstract(shapes), checkpoint), step


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
    parallel.check_batch_size(config.evaluation.batch_size, 'evaluation.batch_size')
    builder = datasets.open_or_build(config.data, build=False)
    task = make_task(config)
    state, step = restore(workdir, checkpoint, config, builder)
    protocol = {
        'workdir': str(workdir),
        'checkpoint': checkpoint,
        'checkpoint_step': step,
        'trained_with': configuration.command_of(workdir),
        'versions': configuration.versions(),
    }
    result = evaluate_task(task, state, builder, config, split=split, protocol=protocol)
    return result, state, builder


def write_report(
    result: Result | DetectionResult, path: pathlib.Path, group: str | None = None
) -> str:
    """Writes the JSON file and returns the text for people: table, then protocol."""
    report.write_json(path, report.to_json(result))
    table = report.table(result, group)
    return f'{table}\n\n{report.describe(result.protocol)}\n\nresult: {path}'


def _flags() -> flags.FlagValues:
    values = flags.FlagValues()
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    text('workdir', None, 'folder of the run', flag_values=values)
    text('split', None, 'TFDS split', flag_values=values)
    text('data_dir', None, 'where built datasets are kept', flag_values=values)
    flags.DEFINE_enum('checkpoint', 'best', ['best', 'latest'], '', flag_values=values)
    flags.DEFINE_enum('group', None, list(report.GROUPS), 'table by', flag_values=values)
    flags.DEFINE_boolean('flip_test', None, 'average with the mirror', flag_values=values)
    flags.DEFINE_boolean('mean_pose', False, 'the mean-pose baseline', flag_values=values)
    number('pictures', None, 'test people to draw', lower_bound=0, flag_values=values)
    number('batch_size', None, 'samples a step', lower_bound=1, flag_values=values)
    return values


def _parse(argv: Sequence[str]) -> tuple[flags.FlagValues, ConfigDict]:
    """The flags, and the configuration they give; ValueError or OSError in one sentence."""
    values = _flags()
    try:
        rest = values(list(argv), known_only=True)[1:]
    except flags.Error as error:
        raise ValueError(' '.join(str(error).split())) from error
    if values.mean_pose:
        config = configuration.parse([argv[0], *rest], required=('config',)).config
    elif rest:
        raise ValueError(f'unknown argument {rest[0]!r}; flags are {", ".join(sorted(values))}')
    elif not values.workdir:
        raise ValueError('--workdir is missing: the folder of a run, such as runs/synthetic')
    else:
        config = configuration.load(values.workdir)
    overrides = {
        'data.dir': values.data_dir,
        'evaluation.flip_test': values.flip_test,
        'evaluation.pictures': values.pictures,
        'evaluation.batch_size': values.batch_size,
        'data.test_split': values.split,
    }
    config.update_from_flattened_dict({k: v for k, v in overrides.items() if v is not None})
    configuration.check_values(config)
    return values, config


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    values, config = _parse(parallel.join_processes(argv))
    keep_freed_memory()
    if values.mean_pose:
        builder = datasets.open_or_build(config.data, build=False)
        result = evaluate_mean_pose(builder, config, protocol={'command': shlex.join(argv[1:])})
        print(f'{report.table(result, values.group)}\n\n{report.describe(result.protocol)}')
        return 0
    workdir = pathlib.Path(values.workdir)
    result, state, builder = evaluate(workdir, config, values.checkpoint)
    if not parallel.is_main_process():
        return 0
    print(write_report(result, workdir / f'{_name(values.checkpoint, config)}.json', values.group))
    if isinstance(result, Result):
        folder = workdir / 'pictures'
        for path in pictures.write(result, state, builder, config, folder, workdir / 'log.jsonl'):
            print(f'picture: {path}')
    return 0


def _name(checkpoint: str, config: ConfigDict) -> str:
    """File name of a result, without its ending: other protocols do not overwrite each other."""
    split = ''.join(c if c.isalnum() else '_' for c in config.data.test_split)
    flip = '_flip' if config.evaluation.flip_test else '_noflip'
    return f'evaluation_{checkpoint}_{split}{flip if config.task == "lifter" else ""}'


if __name__ == '__main__':
    commands.run(main)

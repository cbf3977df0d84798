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

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import tensorflow_datasets as tfds
from absl import flags
from ml_collections import ConfigDict

from capf_jax import (
    configuration,
    detection_report,
    detector_steps,
    parallel,
    pictures,
    report,
    steps,
)
from capf_jax import skeleton as skeletons
from capf_jax.batch import Batch
from capf_jax.checkpoints import Checkpoints
from capf_jax.detection_report import DetectionResult
from capf_jax.report import Result
from capf_jax.steps import Task
from data_pipeline import datasets, loader
from data_pipeline.reader import Reader

PredictFn = Callable[[Batch], Mapping[str, np.ndarray]]
TRUTH = ('joints3d', 'joints2d_crop_truth', 'affine', 'image_size', 'valid', 'index')
OUTPUTS = ('pose', 'joints2d_crop', *TRUTH[:4])  # what is kept of a prediction


def evaluate_split(
    predict_fn: PredictFn,
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    *,
    split: str | None = None,
    protocol: Mapping[str, Any] | None = None,
) -> Result | DetectionResult:
    """Errors over a whole split, every sample exactly once, however many processes share the work.

    Args:
      predict_fn: this process's batch -> arrays of the whole batch, with 'index' and 'valid' [B]
        and 'pose' [B, J, 3] metres (lifter) or 'joints2d_crop' [B, J, 2] pixels (detector).
      builder: a built dataset.
      config: a whole configuration.
      split: a TFDS split; config.data.test_split if not given.
      protocol: what to add to the protocol, for example the checkpoint.

    Raises:
      ValueError: no image could be read, a prediction is not finite, or labels are inconsistent.
    """
    split = split or config.data.test_split
    batches = loader.evaluation_batches(
        builder,
        config,
        split=split,
        process_index=parallel.process_index(),
        process_count=parallel.process_count(),
    )
    labels = dataclasses.asdict(loader.labels(builder, split))
    outputs = _collect(predict_fn, batches, len(labels['frame']))
    seen = outputs.pop('seen')
    protocol = {
        'split': split,
        **describe(builder, config),
        'skipped_images': int((~seen).sum()),
        **(protocol or {}),
    }
    if 'pose' in outputs:
        labels = {name: values[seen] for name, values in labels.items()}
        labels['index'] = np.flatnonzero(seen)
        return report.pose_result(outputs['pose'], outputs['joints3d'], labels, protocol)
    return detection_report.detection_result(
        outputs['joints2d_crop'],
        outputs['joints2d_crop_truth'],
        outputs['affine'],
        outputs['image_size'][:, 0],
        skeletons.get(config.skeleton).joints,
        {k: v for k, v in protocol.items() if k not in ('joints2d', 'flip_test', 'root_joint')},
    )


def evaluate_task(
    task: Task,
    state: Any,
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    *,
    split: str | None = None,
    protocol: Mapping[str, Any] | None = None,
) -> Result | DetectionResult:
    """`evaluate_split` of a task's jitted evaluation step in this state; `state` stays usable."""
    step = parallel.eval_step(_with_truth(task.eval_step))
    return evaluate_split(
        lambda batch: step(state, batch), builder, config, split=split, protocol=protocol
    )


@functools.lru_cache(maxsize=8)  # one function a step, so that it is compiled once
def _with_truth(step: Callable[[Any, Batch], dict[str, Any]]) -> Callable:
    """The step, giving the truth beside its outputs: other processes hold other shares of it."""

    def run(state: Any, batch: Batch) -> dict[str, Any]:
        return {**{name: getattr(batch, name) for name in TRUTH}, **step(state, batch)}

    return run


def _collect(predict_fn: PredictFn, batches: Any, number: int) -> dict[str, np.ndarray]:
    """Outputs of all valid samples in the order of the split, and 'seen' [N] bool."""
    collected: dict[str, np.ndarray] = {}
    seen = np.zeros(number, bool)
    for batch in batches:
        outputs = predict_fn(batch)
        valid = np.asarray(outputs['valid'], bool)
        index = np.asarray(outputs['index'])[valid]
        if seen[index].any() or len(set(index.tolist())) < len(index):
            raise ValueError('a sample of the split came twice; build the dataset again')
        seen[index] = True
        # a plain step gives no truth; alone, a process has all of it
        outputs = {**{name: getattr(batch, name) for name in TRUTH}, **outputs}
        for name in OUTPUTS:
            if name in outputs:
                values = np.asarray(outputs[name])[valid]
                if name not in collected:
                    collected[name] = np.zeros((number, *values.shape[1:]), values.dtype)
                collected[name][index] = values
    return {name: values[seen] for name, values in collected.items()} | {'seen': seen}


def describe(builder: tfds.core.DatasetBuilder, config: ConfigDict) -> dict[str, Any]:
    """What the dataset and the configuration say of an evaluation's protocol."""
    joint_set = skeletons.get(config.skeleton)
    lifter, detector = config.model.lifter, config.model.detector
    source = {'truth': 'ground truth', 'detected': 'detections stored in the dataset'}
    joints2d = source.get(config.data.joints2d, config.data.joints2d)
    if lifter.detector_joints:
        joints2d += f' and those of the frozen {detector.name}'
    metadata = builder.info.metadata or {}
    return {
        'dataset': builder.info.full_name,
        'skeleton': config.skeleton,
        'root_joint': joint_set.joints[joint_set.root],
        'joints2d': joints2d,
        'box_source': metadata.get('box_source', f'as the builder {builder.name} crops'),
        'flip_test': bool(config.evaluation.flip_test),
        'ablation_step': lifter.ablation_step,
    }


def evaluate_mean_pose(builder: tfds.core.DatasetBuilder, config: ConfigDict) -> Result:
    """The trainer-free baseline: the training split's mean pose for every test sample."""
    train = (
        batch.joints3d[batch.valid]
        for batch in loader.evaluation_batches(builder, config, split=config.data.train_split)
    )
    joints = len(skeletons.get(config.skeleton))
    pose = report.mean_pose(train, joints)

    def predict(batch: Batch) -> dict[str, np.ndarray]:
        everyone = np.broadcast_to(pose, batch.joints3d.shape)
        return {**{name: getattr(batch, name) for name in TRUTH}, 'pose': everyone}

    unused = {'joints2d': '-', 'box_source': '-', 'flip_test': False, 'ablation_step': '-'}
    protocol = {'predictor': 'mean pose of the training split', **unused}
    return evaluate_split(predict, builder, config, protocol=protocol)


def make_task(config: ConfigDict) -> Task:
    """The task of a configuration; its optimizer is not used.

    Raises:
      ValueError: there is no such task.
    """
    tasks = {'lifter': steps.lifter_task, 'detector': detector_steps.detector_task}
    if config.task not in tasks:
        raise ValueError(f'config.task is {config.task!r}; known are {", ".join(tasks)}')
    return tasks[config.task](config, 1)


def restore(
    workdir: pathlib.Path, checkpoint: str, config: ConfigDict, builder: Any, task: Task
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
        shapes = jax.eval_shape(task.init, jax.random.PRNGKey(config.seed), one)
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
    state, step = restore(workdir, checkpoint, config, builder, task)
    protocol = {
        'workdir': str(workdir),
        'checkpoint': checkpoint,
        'checkpoint_step': step,
        'versions': configuration.versions(),
    }
    result = evaluate_task(task, state, builder, config, split=split, protocol=protocol)
    return result, state, builder


def write_report(
    result: Result | DetectionResult, path: pathlib.Path, group: str | None = None
) -> str:
    """Writes the JSON file and returns the text for people: table, then protocol."""
    if isinstance(result, DetectionResult):
        table, content = detection_report.table(result), detection_report.to_json(result)
    else:
        table, content = report.table(result, group), report.to_json(result)
    report.write_json(path, content)
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
        # configuration.parse also wants a workdir, which this baseline has not
        config = configuration.parse([argv[0], *rest, '--workdir=-']).config
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
    return values, config


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    values, config = _parse(argv)
    if values.mean_pose:
        builder = datasets.open_or_build(config.data, build=False)
        result = evaluate_mean_pose(builder, config)
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
    flip = 'flip' if config.evaluation.flip_test else 'noflip'
    return f'evaluation_{checkpoint}_{split}_{flip}'


if __name__ == '__main__':
    configuration.run(main)

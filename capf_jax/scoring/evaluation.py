"""Scores a split: runs a step over every sample exactly once and hands the outputs to a report."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from capf_jax.pose import skeletons
from capf_jax.pose.affine import to_image
from capf_jax.pose.batch import Array, Batch
from capf_jax.runtime import devices
from capf_jax.scoring import detection, protocols, results
from capf_jax.scoring.detection import DetectionResult
from capf_jax.scoring.results import Result
from capf_jax.tasks import frozen_detector
from capf_jax.tasks.steps import Task
from data_pipeline import loader

LIFTER_ONLY = ('joints2d', 'flip_test', 'root_joint', 'ablation_step')  # of the protocol
PredictFn = Callable[[Batch], Mapping[str, np.ndarray]]
TRUTH = ('joints3d', 'joints2d_crop_truth', 'affine', 'image_size', 'valid', 'index')
OUTPUTS = ('pose', 'joints2d_crop', 'input_error_px', *TRUTH[:4])  # what is kept of a prediction


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
      ValueError: no image could be read, a prediction is not finite, labels are inconsistent, or
        the protocol is unknown or for other joints.
    """
    split = split or config.data.test_split
    batches = loader.evaluation_batches(
        builder,
        config,
        split=split,
        process_index=devices.process_index(),
        process_count=devices.process_count(),
    )
    labels = dataclasses.asdict(loader.labels(builder, split))
    outputs = _collect(predict_fn, batches, len(labels['frame']))
    seen = outputs.pop('seen')
    protocol = {
        'split': split,
        **describe(builder, config),
        'skipped_images': int((~seen).sum()),
        **({'skipped': tuple(batches.bad_images)} if batches.bad_images else {}),
        **(protocol or {}),
    }
    if 'pose' in outputs:
        labels = {name: values[seen] for name, values in labels.items()}
        labels['index'] = np.flatnonzero(seen)
        return results.pose_result(
            outputs['pose'],
            outputs['joints3d'],
            labels,
            protocol,
            rules=protocols.get(config.evaluation.get('protocol', 'plain')),
            skeleton=skeletons.get(config.skeleton),
            input_error_px=outputs['input_error_px'],
        )
    return detection.detection_result(
        outputs['joints2d_crop'],
        outputs['joints2d_crop_truth'],
        outputs['affine'],
        outputs['image_size'][:, 0],
        skeletons.get(config.skeleton).joints,
        {name: value for name, value in protocol.items() if name not in LIFTER_ONLY},
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
    state = frozen_detector.for_use(state)
    step = devices.eval_step(with_truth(task.eval_step))
    return evaluate_split(
        lambda batch: step(state, batch), builder, config, split=split, protocol=protocol
    )


@functools.lru_cache(maxsize=8)  # one function a step, so that it is compiled once
def with_truth(step: Callable[[Any, Batch], dict[str, Any]]) -> Callable:
    """The step, giving the truth beside its outputs: other processes hold other shares of it."""

    def run(state: Any, batch: Batch) -> dict[str, Any]:
        return {**_truth(batch), **step(state, batch)}

    return run


def input_error_px(batch: Batch) -> Array:
    """Mean over joints of the 2D input's distance from the truth, whole-image pixels. -> [B]."""
    truth = to_image(batch.joints2d_crop_truth, batch.affine)
    return jnp.linalg.norm(batch.joints2d - truth, axis=-1).mean(-1)


def _truth(batch: Batch) -> dict[str, Any]:
    """What a prediction is compared with."""
    truth = {name: getattr(batch, name) for name in TRUTH}
    return {**truth, 'input_error_px': input_error_px(batch)}


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
        outputs = {**(_truth(batch) if 'input_error_px' not in outputs else {}), **outputs}
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
    lifter = config.model.lifter
    source = {'truth': 'ground truth', 'detected': 'detections stored in the dataset'}
    joints2d = source.get(config.data.joints2d, config.data.joints2d)
    if lifter.detector_joints:
        joints2d += f' and those of the frozen {config.model.detector}'
    metadata = dict((builder.info.metadata or {}).items())
    return {
        'dataset': builder.info.full_name,
        'skeleton': config.skeleton,
        'root_joint': joint_set.joints[joint_set.root],
        'joints2d': joints2d,
        'box_source': metadata.get('box_source', f'as the builder {builder.name} crops'),
        'flip_test': bool(config.evaluation.flip_test),
        'ablation_step': lifter.ablation_step,
    }


def evaluate_mean_pose(
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    *,
    protocol: Mapping[str, Any] | None = None,
) -> Result:
    """The trainer-free baseline: the training split's mean pose for every test sample.

    `protocol` is what to add to the protocol.
    """
    train = (
        batch.joints3d[batch.valid]
        for batch in loader.evaluation_batches(builder, config, split=config.data.train_split)
    )
    joints = len(skeletons.get(config.skeleton))
    pose = results.mean_pose(train, joints)

    def predict(batch: Batch) -> dict[str, np.ndarray]:
        everyone = np.broadcast_to(pose, batch.joints3d.shape)
        return {'pose': everyone, 'valid': batch.valid, 'index': batch.index}

    unused = {'joints2d': '-', 'box_source': '-', 'flip_test': False, 'ablation_step': '-'}
    protocol = {'predictor': 'mean pose of the training split', **unused, **(protocol or {})}
    return evaluate_split(predict, builder, config, protocol=protocol)

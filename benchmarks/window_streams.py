"""A new frame of a stream, beside its window again from its first frame on, and beside PoseFormer.

CA-PF-S and PoseFormer are in their published sizes, with random weights, and run as an Estimator
runs them. A stream keeps the tokens of the last F frames: a new frame is encoded once and passes
the temporal head with them. Running the window again encodes all F frames. In the rows of the
lifter alone the context vectors are there already, in memory, as the 2D joints are for PoseFormer;
in the row with the detector it finds the context of one crop on one side, and of F on the other.
"""

from __future__ import annotations

import functools
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks import random_inputs
from benchmarks.machine import Row, median_seconds
from benchmarks.training_step import Program
from benchmarks.window_training import random_windows
from capf_jax.backends import programs
from capf_jax.inference import model_settings, networks, sequences, streaming
from capf_jax.inference.estimator import Estimator
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose import skeletons
from capf_jax.pose.normalise import normalise_by_image
from configs import human36m_ca_pf_s

FRAMES = (27, 81)
POSEFORMER = 81  # frames
CROP = (256, 192)  # height and width, pixels
SECONDS, LEAST = 3.0, 3  # of measuring a row, and rounds of it
NEW, AGAIN = 'new frame', 'window again'


def stream_rows() -> list[Row]:
    """The lifter alone with each F, and with the detector at the first of them."""
    table = []
    whole, beside = f'PoseFormer-{POSEFORMER}', poseformer_programs(POSEFORMER)
    for frames in FRAMES:
        ours = lifter_programs(human36m_ca_pf_s.get_config(f'frames={frames}'), frames)
        seconds = median_seconds({**ours, whole: beside[AGAIN]}, SECONDS, LEAST)
        name = f'new frame of a stream, CA-PF-S of {frames} frames on context vectors, beside'
        for other, words in (AGAIN, 'its window again'), (whole, f"{whole}'s window"):
            note = seconds.note(NEW, other)
            table.append(Row(f'{name} {words}', seconds[NEW], seconds[other], note=note))
    seconds = median_seconds(beside, SECONDS, LEAST)
    name = f'new frame of a stream, PoseFormer of {POSEFORMER} frames, beside its window again'
    table.append(Row(name, seconds[NEW], seconds[AGAIN], note=seconds.note(NEW, AGAIN)))
    frames = FRAMES[0]
    config = human36m_ca_pf_s.get_config(f'frames={frames}')
    seconds = median_seconds(picture_programs(config, frames, CROP), SECONDS, LEAST)
    name = f'new frame of a stream, CA-PF-S of {frames} frames with {config.model.detector} on '
    name += '{}x{} crops, beside its window again'.format(*CROP)
    table.append(Row(name, seconds[NEW], seconds[AGAIN], note=seconds.note(NEW, AGAIN)))
    return table


def ca_pf_s(config: ConfigDict, frames: int, *, detector: bool) -> Estimator:
    """CA-PF-S with random weights; its files hold the detector or, as published ones, do not."""
    joint_set = skeletons.get(config.skeleton)
    whole = model_settings.context_aware_pose_former(config.model, joint_set, frames=frames)
    people = random_inputs.people(frames, *CROP)
    shapes = jax.eval_shape(whole.init, jax.random.key(0), people)
    parts = ('detector', 'lifter') if detector else ('lifter',)
    variables = {part: random_inputs.drawn(shapes[part]) for part in parts}
    metadata = {'kind': 'ca_pf_s', 'model': config.model.to_dict(), 'frames': frames}
    return _estimator(config.skeleton, variables, metadata)


def _estimator(skeleton: str, variables: Any, metadata: dict[str, Any]) -> Estimator:
    metadata['skeleton'] = skeleton
    return Estimator(
        path='random weights',
        metadata=metadata,
        skeleton=skeletons.get(skeleton),
        crop_size=None,
        **cast(Any, networks.build(variables, metadata)),
    )


def lifter_programs(config: ConfigDict, frames: int) -> dict[str, Program]:
    """Poses of the last window of a video from context vectors, in both ways."""
    estimator = ca_pf_s(config, frames, detector=False)
    lifter = estimator.sequence_lifter
    assert lifter is not None
    whole = cast(ContextAwarePoseFormer, lifter.whole)
    people = random_windows(1, frames, CROP, sum(whole.context_channels)).frames
    assert people is not None
    assert people.contexts is not None
    joints2d = normalise_by_image(people.joints2d, people.image_size)[None]
    contexts = people.contexts[None, :, 0].astype(np.float32)

    def encode(place: int) -> jax.Array:
        """The tokens [1, J, D] of one frame."""
        one = joints2d[:, place], contexts[:, place]
        return _encode_vectors(whole, estimator.precision, lifter.variables, *one)

    return {
        NEW: _new_frame(estimator, encode, frames),
        AGAIN: lambda: sequences.lift_contexts(
            estimator, lifter, joints2d, contexts
        ).block_until_ready(),
    }


# The product's `sequences.encode` makes the context vectors itself.
@functools.partial(programs.jit, static_argnums=(0, 1))
def _encode_vectors(
    whole: ContextAwarePoseFormer, precision: str, variables: Any, joints2d: Any, contexts: Any
) -> jax.Array:
    with jax.default_matmul_precision(precision):
        single = cast(TemporalLifter, whole.lifter).of_one_frame()
        by_level = whole.split_contexts(contexts)
        return cast(Any, single.apply(variables, joints2d, joints2d, (), by_level))[1]['joints']


def _new_frame(estimator: Estimator, encode: Any, frames: int) -> Program:
    """The last frame of a window whose others have come before, as `SequenceStream` takes it."""
    lifter = estimator.sequence_lifter
    assert lifter is not None
    # What a stream holds before its newest frame begins with a frame that no longer counts.
    before = [encode(place) for place in (0, *range(frames - 1))]
    memory = jnp.stack(before, axis=1)

    def program() -> jax.Array:
        tokens = jnp.concatenate([memory[:, 1:], encode(frames - 1)[:, None]], axis=1)
        pose = sequences.over_time(lifter.module, estimator.precision, 1, lifter.variables, tokens)
        return pose.block_until_ready()

    return program


def poseformer_programs(frames: int, **fields: Any) -> dict[str, Program]:
    """Poses of the last window of a video from 2D joints, in both ways.

    Args:
      frames: F.
      **fields: in which it differs from the published size.
    """
    module = PoseFormer(frames=frames, **fields)
    people = random_windows(1, frames, (8, 8)).frames
    assert people is not None
    joints2d = normalise_by_image(people.joints2d, people.image_size)[None]
    variables = random_inputs.drawn(jax.eval_shape(module.init, jax.random.key(0), joints2d))
    metadata = {'kind': 'poseformer', 'model': {'frames': frames, **fields}}
    estimator = _estimator('h36m17', variables, metadata)
    lifter = estimator.sequence_lifter
    assert lifter is not None
    return {
        NEW: _new_frame(
            estimator, lambda place: sequences.encode(estimator, joints2d[:, place]), frames
        ),
        AGAIN: lambda: sequences.lift(estimator, lifter, joints2d).block_until_ready(),
    }


def picture_programs(config: ConfigDict, frames: int, crop: tuple[int, int]) -> dict[str, Program]:
    """Poses of the last window of a video from crops, by a stream and by the whole window."""
    estimator = ca_pf_s(config, frames, detector=True)
    people = random_windows(1, frames, crop).frames
    assert people is not None
    joints2d = normalise_by_image(people.joints2d, people.image_size)
    video = joints2d, people.images, people.joints2d_crop
    stream = streaming.open_stream(estimator)
    memory = streaming.START
    for frame in zip(*(array[:-1] for array in video), strict=True):
        memory, _ = stream.push(memory, *frame)
    # Pushing the last frame gives the pose of the frame `delay` before it: that of this window.
    last = tuple(array[-1] for array in video)
    windows = tuple(array[None] for array in video)
    return {
        NEW: lambda: stream.push(memory, *last)[1],
        AGAIN: lambda: estimator.lift_sequence(*windows)[0],
    }

"""The figures of where a lifter looks: attention between joints, and sampling points.

They are of samples that are read from a split: of many for the mean attention, of one whose joints
were detected badly for the sampling points, and of its neighbours in the video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.figures import joint_attention, where_it_looks
from capf_jax.figures.where_it_looks import Look
from capf_jax.models import attention_maps
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose import skeletons
from capf_jax.pose.batch import Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.scoring.comparison import SHORTEST
from capf_jax.scoring.evaluation import Split
from capf_jax.scoring.poses import videos

SEEN = 64  # samples that the worst joint is looked for in, and that attention is the mean over
AT_ONCE = 8  # samples that the model runs on at once
RANK = 0.9  # of these samples' worst joints, by distance: bad ones, and not a lone mishap


def draw_looks(
    model: ContextAwarePoseFormer,
    variables: dict[str, Any],
    split: Split,
    config: ConfigDict,
    samples: Sequence[int] = (),
    *,
    samples_are_shared: bool = False,
) -> Iterator[tuple[str, Figure]]:
    """The figures of where a lifter looks by their names; nothing is written.

    Args:
      model: the whole model.
      variables: its weights.
      split: the samples to choose from.
      config: of the dataset.
      samples: positions in the split of the frames that are drawn; () chooses one of `SEEN` evenly
        spaced ones, at the rank `RANK` of how far their worst joint is off. Of several, each
        figure's name ends with the position.
      samples_are_shared: whether other figures take the samples too, so that a lifter without
        sampling points may leave them out.

    Raises:
      UserError: there is no such sample, its picture is not at hand, or samples are chosen for a
        lifter that has no sampling points.
    """
    skeleton, count = skeletons.get(config.skeleton), len(split.labels['frame'])
    for sample in samples:
        if not 0 <= sample < count:
            raise UserError(
                f'--samples has {sample}, which is no sample of the split; they go from 0 to '
                f'{count - 1}'
            )
    spread = np.unique(np.linspace(0, count - 1, min(SEEN, count)).astype(int))
    batch = split.read(spread)
    if not batch.images.shape[-1]:
        raise UserError(
            'the pictures of these features are not at hand: build the dataset that they are of'
        )
    seen = _looks(model, variables, batch)
    if seen.points is None and samples and not samples_are_shared:
        raise UserError(
            '--samples chooses frames whose sampling points are drawn, and this lifter has none: '
            'leave --samples out'
        )
    attention = np.asarray(seen.between_joints).mean(axis=(0, 1, 2))
    blocks, heads = seen.between_joints.shape[1:3]
    caption = f'Mean over {len(spread)} samples, {blocks} blocks and {heads} heads.'
    yield 'joint_attention', joint_attention.joint_attention(attention, skeleton, caption)
    if seen.points is None:
        return
    if not samples:
        off = np.linalg.norm(seen.joints2d_crop - batch.joints2d_crop_truth, axis=-1).max(-1)
        samples = [int(spread[np.argsort(off, kind='stable')[int(RANK * (len(off) - 1))]])]
    for sample in samples:
        ending = f'_{sample}' if len(samples) > 1 else ''
        for name, figure in _sampling_points(model, variables, split, skeleton, sample):
            yield name + ending, figure


def _sampling_points(
    model: ContextAwarePoseFormer,
    variables: dict[str, Any],
    split: Split,
    skeleton: Skeleton,
    sample: int,
) -> Iterator[tuple[str, Figure]]:
    """The figures of one sample, and of its neighbours if it is a frame of a video."""
    (look,) = _as_looks(model, variables, split, [sample])
    joint = look.worst_joint
    strides = [model.entry.strides[level] for level in model.lifter.levels]
    titles = [f'map at stride {stride}' for stride in strides]
    yield 'sampling_points', where_it_looks.every_block(look, joint, skeleton, titles)
    neighbours = consecutive(split, sample)
    if len(neighbours) >= SHORTEST:
        frames = _as_looks(model, variables, split, neighbours)
        numbers = [f'frame {split.labels["frame"][place]}' for place in neighbours]
        yield (
            'sampling_points_of_frames',
            where_it_looks.over_frames(frames, joint, skeleton, numbers),
        )


def consecutive(split: Split, sample: int, most: int = 4) -> list[int]:
    """Positions of neighbouring frames of a sample's video, the sample among them, in order."""
    numbers = videos(split.labels)
    rows = np.flatnonzero(numbers == numbers[sample])
    rows = rows[np.argsort(split.labels['frame'][rows], kind='stable')]
    first = int(np.flatnonzero(rows == sample)[0]) - most // 2
    first = max(min(first, len(rows) - most), 0)
    return rows[first : first + most].tolist()


def _looks(
    model: ContextAwarePoseFormer, variables: dict[str, Any], batch: Batch
) -> attention_maps.Looks:
    """Where the model looks, in few samples at a time: the detector takes memory."""
    plain = batch._replace(contexts=None, context_joints=None)

    def part(start: int) -> Batch:
        return jax.tree.map(lambda array: array[start : start + AT_ONCE], plain)

    starts = range(0, len(batch.valid), AT_ONCE)
    parts = [
        jax.device_get(attention_maps.looks(model, variables, part(start))) for start in starts
    ]
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *parts)


def _as_looks(
    model: ContextAwarePoseFormer, variables: dict[str, Any], split: Split, samples: Sequence[int]
) -> list[Look]:
    batch = split.read(np.asarray(samples))
    seen = _looks(model, variables, batch)
    assert seen.points is not None  # the caller has looked
    assert seen.weights is not None
    return [
        Look(
            batch.images[place],
            np.asarray(seen.joints2d_crop[place]),
            batch.joints2d_crop_truth[place],
            np.asarray(seen.points[place]),
            np.asarray(seen.weights[place]),
            ', '.join(f'{split.labels[name][sample]}' for name in ('subject', 'action'))
            + f', camera {split.labels["camera"][sample]}, frame {split.labels["frame"][sample]}',
        )
        for place, sample in enumerate(samples)
    ]

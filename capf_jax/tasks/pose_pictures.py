"""The pictures of a finished run of poses: test people, sampling points, error curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import jax
import numpy as np
from etils import epath

from capf_jax.figures import curves, people, sampling_points
from capf_jax.figures.drawing import save
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.pose.batch import Array, Batch
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import logs
from capf_jax.scoring.poses import PoseResult
from capf_jax.scoring.protocols import METRICS
from capf_jax.tasks.task import Figures, TrainState

# (state, batch, row of a person in it) -> the person's 2D joints [J, 2], pixels of the crop, and
# where the last deformable block looks: sampling points [L, J, M, K, 2], normalised by the crop,
# and their weights [L, J, M, K].
Look = Callable[[TrainState, Batch, int], tuple[Array, Array, Array]]


def draw_poses(
    figures: Figures,
    model: ContextAwarePoseFormer | None,
    joint_set: Skeleton,
    look: Look | None = None,
) -> list[epath.Path]:
    """Draws test people at even quantiles of the error, sampling points and error curves.

    Args:
      figures: see `Task.draw`.
      model: the model with its detector; None where there is none.
      joint_set: the joints of the poses.
      look: asked only of models with deformable context extraction; it is compiled.
    """
    written = []
    result = cast(PoseResult, figures.result)
    rows, percentiles = people.representative(result.errors['mpjpe'], figures.people)
    batch = figures.split.read(result.labels['index'][rows]) if figures.people else None
    # Features made in advance and coordinates alone come without pictures.
    if batch is not None and batch.images.shape[-1]:
        persons = [
            people.Person(
                batch.images[place],
                batch.joints2d_crop[place],
                result.targets[row],
                result.predictions[row],
                str(result.labels['action'][row]),
            )
            for place, row in enumerate(rows)
        ]
        caption = (
            f'Test people at the {people.ordinals(percentiles)} percentile of MPJPE, '
            f'{len(result.predictions)} samples; side views: camera at the left.'
        )
        figure = people.people_figure(persons, joint_set, caption)
        written.append(save(figure, figures.folder / 'people.png'))
        if model is not None and model.lifter.runs_deformable and look is not None:
            middle = len(rows) // 2
            looks = jax.jit(look, static_argnums=2)(figures.state, batch, middle)
            joints2d_crop, points, weights = map(np.asarray, looks)
            levels = model.lifter.levels
            figure = sampling_points.sampling_figure(
                batch.images[middle],
                joints2d_crop,
                points,
                weights,
                joint_set,
                level_names=[f'map at stride {model.entry.strides[level]}' for level in levels],
            )
            written.append(save(figure, figures.folder / 'sampling_points.png'))
    titles = {name: METRICS[name].title for name in ('mpjpe', 'pa_mpjpe')}
    figure = curves.run_figure(logs.entries(figures.log), titles)
    if figure is not None:
        written.append(save(figure, figures.folder / 'error_curves.png'))
    return written

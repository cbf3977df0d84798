"""How the error grows when noise is added to the 2D input: the sweep that later papers report.

Gaussian noise of a standard deviation in pixels of the whole image is added, on the device, to
both coordinates of every 2D joint; the joints in the crop move with those in the image. The noise
of a sample depends on its position in the split alone, and is the same at every sigma but for its
size, so that curves are smooth and comparable between models, batch sizes and machines.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import matplotlib
import numpy as np
import tensorflow_datasets as tfds
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from capf_jax.figures.drawing import PAGE_WIDTH, STYLE, new_figure
from capf_jax.figures.people import save
from capf_jax.pose.batch import Array, Batch
from capf_jax.runtime import devices
from capf_jax.scoring import evaluation, report
from capf_jax.scoring.protocols import METRICS
from capf_jax.scoring.results import Result
from capf_jax.tasks import frozen_detector
from capf_jax.tasks.steps import Task

SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)  # px
SEED = 0


def add_noise(batch: Batch, sigma: Array | float, seed: int = SEED) -> Batch:
    """The batch with noisy `joints2d` and `joints2d_crop`; `affine` still maps one to the other.

    Args:
      batch: B people.
      sigma: standard deviation of each coordinate, pixels of the whole image.
      seed: of the noise.
    """
    key = jax.random.PRNGKey(seed)

    def of_sample(index: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(key, index), batch.joints2d.shape[1:])

    noise = sigma * jax.vmap(of_sample)(batch.index)  # [B, J, 2]
    # Written out, since matrix products in reduced precision would be pixels off.
    linear = batch.affine[:, None, :, :2]  # [B, 1, 2, 2]
    in_crop = noise[..., :1] * linear[..., 0] + noise[..., 1:] * linear[..., 1]
    return batch._replace(
        joints2d=batch.joints2d + noise, joints2d_crop=batch.joints2d_crop + in_crop
    )


def sweep(
    task: Task,
    state: Any,
    builder: tfds.core.DatasetBuilder,
    config: ConfigDict,
    sigmas: Sequence[float] = SIGMAS,
    *,
    protocol: Mapping[str, Any] | None = None,
) -> dict[float, Result]:
    """The result at each sigma; compiled once.

    Args:
      task: a lifter's.
      state: its state.
      builder: a built dataset.
      config: a whole configuration.
      sigmas: px of the whole image, at least 0.
      protocol: what to add to the protocol.

    Raises:
      ValueError: the task is not a lifter's, or a sigma is negative or not finite.
    """
    if config.task != 'lifter':
        raise ValueError(f'noise is for the 2D input of a lifter; this run is a {config.task}')
    for sigma in sigmas:
        if not (np.isfinite(sigma) and sigma >= 0):
            raise ValueError(f'--noise has {sigma}; give pixels, at least 0, such as 0,2.5,5')
    state = frozen_detector.for_use(state)
    step = devices.eval_step(_noisy(evaluation.with_truth(task.eval_step)))
    results = {}
    for sigma in dict.fromkeys(map(float, sigmas)):
        noisy_state = (state, np.float32(sigma))
        results[sigma] = evaluation.evaluate_split(
            lambda batch, noisy_state=noisy_state: step(noisy_state, batch),
            builder,
            config,
            protocol={**(protocol or {}), 'noise_sigma_px': sigma, 'noise_seed': SEED},
        )
    return results


@functools.lru_cache(maxsize=8)  # one function a step, so that it is compiled once
def _noisy(step: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The step on a batch with noise; its state is (state, sigma)."""

    def run(state: tuple[Any, Array], batch: Batch) -> dict[str, Any]:
        return step(state[0], add_noise(batch, state[1]))

    return run


def table(results: Mapping[float, Result], form: str = 'text') -> str:
    """One row a sigma: the mean 2D error and the headline's errors; `form` as in `report.table`."""
    first = next(iter(results.values()))
    names = list(first.errors)
    rows = [
        [f'{sigma:g}', np.mean(result.input_error_px), *(result.scores[name] for name in names)]
        for sigma, result in results.items()
    ]
    headers = ['noise [px]', '2D error [px]', *(METRICS[name].title for name in names)]
    return report.grid(rows, headers, form)


def to_json(results: Mapping[float, Result]) -> dict[str, Any]:
    """For `report.write_json`: the protocol once, and the averages and subsets at each sigma."""
    rows = []
    for sigma, result in results.items():
        row = {'sigma_px': sigma, 'input_2d_error_px': float(np.mean(result.input_error_px))}
        kept = report.to_json(result)
        rows.append(row | {name: kept[name] for name in kept.keys() - {'protocol', 'groups'}})
    return {'protocol': shared_protocol(results), 'noise': rows}


def shared_protocol(results: Mapping[float, Result]) -> dict[str, Any]:
    """What holds for all sigmas."""
    said = dict(next(iter(results.values())).protocol)
    del said['input_2d_error']
    return said | {
        'noise_sigma_px': list(results),
        'noise': 'Gaussian, added to both coordinates of every 2D joint, whole-image pixels',
    }


def curves(results: Mapping[float, Result]) -> Figure:
    """Errors in mm over sigma."""
    sigmas = list(results)
    names = [n for n in next(iter(results.values())).errors if METRICS[n].unit == 'mm']
    with matplotlib.rc_context(STYLE):
        figure = new_figure(PAGE_WIDTH / 2, 2.1)
        axes = figure.add_axes((0.15, 0.18, 0.82, 0.77))
        styles = zip(('#0072B2', '#D55E00', '#009E73'), ('o', 's', '^'), strict=True)
        for name, (colour, marker) in zip(names, styles, strict=False):
            values = [result.scores[name] for result in results.values()]
            axes.plot(sigmas, values, color=colour, lw=1.2, marker=marker, ms=3,
                      label=METRICS[name].title)  # fmt: skip
        axes.set(xlabel='standard deviation of the 2D noise [px]', ylabel='error [mm]')
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])  # room for the topmost marker
        axes.grid(axis='y', color='#E5E5E5', lw=0.6)
        axes.set_axisbelow(True)
        # On white, so that no line runs through a name.
        axes.legend(
            loc='lower right', frameon=True, facecolor='white', edgecolor='none', framealpha=1
        )
    return figure


def write(results: Mapping[float, Result], path: pathlib.Path, form: str = 'text') -> str:
    """Writes JSON and picture beside each other and returns the text for people.

    Args:
      results: of `sweep`.
      path: the JSON file.
      form: as in `report.table`.
    """
    report.write_json(path, to_json(results))
    picture = save(curves(results), path.with_suffix('.png'))
    before = report.FORMATS[form][1]
    return (
        f'{table(results, form)}\n\n{report.describe(shared_protocol(results), form)}\n\n'
        f'{before}result: {path}\n{before}picture: {picture}'
    )

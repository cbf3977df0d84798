"""How the error grows when noise is added to the 2D input: the sweep that later papers report.

Gaussian noise of a standard deviation in pixels of the whole image is added, on the device, to
both coordinates of every 2D joint; the joints in the crop move with those in the image. The noise
of a sample depends on its position in the split alone, and is the same at every sigma but for its
size, so that curves are smooth and comparable between models, batch sizes and machines.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose.affine import moved
from capf_jax.pose.batch import Array, Batch
from capf_jax.runtime import devices, files
from capf_jax.scoring import evaluation, report, tables
from capf_jax.scoring.evaluation import Scorer, Split
from capf_jax.scoring.poses import PoseResult
from capf_jax.scoring.protocols import METRICS

SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)  # px
SEED = 0


def add_noise(batch: Batch, sigma: Array | float, seed: int = SEED) -> Batch:
    """The batch with noisy `joints2d` and `joints2d_crop`; `affine` still maps one to the other.

    A frame of the split has the same noise in every window that it belongs to.

    Args:
      batch: B people.
      sigma: standard deviation of each coordinate, pixels of the whole image.
      seed: of the noise.
    """
    key = jax.random.PRNGKey(seed)

    def of_sample(index: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(key, index), batch.joints2d.shape[1:])

    noise = jax.vmap(of_sample)  # of positions [B] in the split: [B, J, 2]
    of_frames = None if batch.frames is None else sigma * noise(batch.frames.index)
    return moved(batch, sigma * noise(batch.index), of_frames)


def sweep(
    step: Callable[[Any, Batch], dict[str, Array]],
    state: Any,
    split: Split,
    scorer: Scorer[PoseResult],
    sigmas: Sequence[float] = SIGMAS,
    conditions: Mapping[str, Any] | None = None,
) -> dict[float, PoseResult]:
    """The result at each sigma; the step is compiled once.

    Args:
      step: the evaluation step of a lifter.
      state: its state.
      split: what is evaluated.
      scorer: of poses.
      sigmas: px of the whole image, at least 0.
      conditions: what to add to the results' conditions.

    Raises:
      UserError: a sigma is negative or not finite.
    """
    for sigma in sigmas:
        if not (np.isfinite(sigma) and sigma >= 0):
            raise UserError(f'--noise has {sigma}; give pixels, at least 0, such as 0,2.5,5')
    on_devices = devices.eval_step(_noisy(evaluation.step_with_truth(step, scorer)))
    results = {}
    for sigma in dict.fromkeys(map(float, sigmas)):
        noisy_state = (state, np.float32(sigma))
        results[sigma] = evaluation.evaluate_split(
            functools.partial(on_devices, noisy_state),
            split,
            scorer,
            {**(conditions or {}), 'noise_sigma_px': sigma, 'noise_seed': SEED},
        )
    return results


@functools.lru_cache(maxsize=8)  # one function a step, so that it is compiled once
def _noisy(step: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The step on a batch with noise; its state is (state, sigma)."""

    def run(state: tuple[Any, Array], batch: Batch) -> dict[str, Any]:
        return step(state[0], add_noise(batch, state[1]))

    return run


def table(results: Mapping[float, PoseResult], form: str = 'text') -> str:
    """One row a sigma: the mean 2D error and the headline's errors; `form` of `tables.FORMATS`."""
    first = next(iter(results.values()))
    names = list(first.errors)
    rows = [
        [f'{sigma:g}', _input_error(result), *(result.scores[name] for name in names)]
        for sigma, result in results.items()
    ]
    headers = ['noise [px]', '2D error [px]', *(METRICS[name].title for name in names)]
    return tables.grid(rows, headers, form)


def to_json(results: Mapping[float, PoseResult]) -> dict[str, Any]:
    """The content of a JSON file: the conditions once, and averages and subsets at each sigma."""
    rows = []
    for sigma, result in results.items():
        row = {'sigma_px': sigma, 'input_2d_error_px': _input_error(result)}
        content = result.to_json()
        rows.append(row | {name: content[name] for name in content.keys() - {'protocol', 'groups'}})
    return {'protocol': shared_conditions(results), 'noise': rows}


def _input_error(result: PoseResult) -> float:
    """Mean distance of the 2D input from the true 2D joints, pixels of the whole image."""
    assert result.input_error_px is not None  # `pose_scorer` measures it.
    return float(np.mean(result.input_error_px))


def shared_conditions(results: Mapping[float, PoseResult]) -> dict[str, Any]:
    """The conditions that hold for all sigmas."""
    conditions = dict(next(iter(results.values())).conditions)
    del conditions['input_2d_error']
    return conditions | {
        'noise_sigma_px': list(results),
        'noise': 'Gaussian, added to both coordinates of every 2D joint, whole-image pixels',
    }


def words(results: Mapping[float, PoseResult], form: str = 'text') -> str:
    """The text for people: table and conditions.

    Args:
      results: of `sweep`.
      form: one of `tables.FORMATS`.
    """
    return f'{table(results, form)}\n\n{report.describe(shared_conditions(results), form)}'


def write(results: Mapping[float, PoseResult], path: files.AnyPath) -> None:
    """Writes the JSON file."""
    report.write_json(path, to_json(results))


def errors_in_mm(results: Mapping[float, PoseResult]) -> dict[str, list[float]]:
    """Title of each error in mm -> its average at each sigma."""
    return {
        METRICS[name].title: [result.scores[name] for result in results.values()]
        for name in next(iter(results.values())).errors
        if METRICS[name].unit == 'mm'
    }

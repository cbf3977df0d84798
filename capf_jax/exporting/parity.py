"""The proof of an export: inputs with JAX's outputs for them, and the comparison with a file's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from capf_jax.exporting.formats import Run
from capf_jax.exporting.tensors import A_SHARE, Export, Tensor
from data_pipeline import images
from data_pipeline.datasets.synthetic import samples as samples_of_people
from data_pipeline.datasets.synthetic.settings import Settings

BATCH = 5
BATCHES = (1, BATCH)  # that a file is compared at


@dataclasses.dataclass(frozen=True)
class Difference:
    """How far a file's output is from JAX's.

    Attributes:
      output: its name.
      batch: the batch size.
      amount: in the output's unit; of feature maps as a share of their largest value.
      tolerance: what may be.
      is_mean: whether `amount` is the mean over all values, not the largest.
    """

    output: str
    batch: int
    amount: float
    tolerance: float
    is_mean: bool = False

    @property
    def passes(self) -> bool:
        """Whether it is small enough; NaN is not."""
        return self.amount <= self.tolerance


def samples(exported: Export) -> dict[str, np.ndarray]:
    """Inputs of `BATCH` samples, and by the name of each output what JAX makes of them.

    Returns:
      Arrays by the names 'inputs/NAME' and 'outputs/NAME'.
    """
    random = np.random.default_rng(0)
    inputs = [_sample(one, exported.crop, random) for one in exported.inputs]
    outputs = jax.device_get(jax.jit(exported.function)(*inputs))
    arrays = {f'inputs/{one.name}': x for one, x in zip(exported.inputs, inputs, strict=True)}
    return arrays | {
        f'outputs/{one.name}': np.asarray(x)
        for one, x in zip(exported.outputs, outputs, strict=True)
    }


def _sample(one: Tensor, crop: tuple[int, int] | None, random: np.random.Generator) -> np.ndarray:
    """Values like those of real inputs: pictures of people, joints that lie in the crop."""
    shape = (BATCH, *one.shape)
    if one.name == 'crops':
        return _pictures(one.shape, random)
    if one.name == 'joints2d_crop':
        height, width = crop or (256, 192)
        return random.uniform(0, (width - 1, height - 1), shape).astype(np.float32)
    if one.name.startswith('maps_'):
        return random.normal(0, 1, shape).astype(np.float32)
    return random.uniform(-0.8, 0.8, shape).astype(np.float32)


def _pictures(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Crops of rendered people, [BATCH, *shape] uint8; all frames of a window show one person.

    In pictures without people a heatmap has no place that is clearly the highest, so that numbers
    that are rounded otherwise give another joint.
    """
    *windows, height, width, _ = shape
    settings = Settings(light='random', height=height, width=width)
    records = [samples_of_people.make_sample(settings, 'test', number) for number in range(BATCH)]
    people = np.stack([images.decode(record.image)[..., ::-1] for record in records])
    people = people.reshape(BATCH, *(1 for _ in windows), height, width, 3)
    return (people + random.normal(0, 4, (BATCH, *shape))).clip(0, 255).astype(np.uint8)


def compare(
    run: Run,
    arrays: Mapping[str, np.ndarray],
    inputs: Sequence[Mapping],
    outputs: Sequence[Mapping],
    budget: Mapping[str, float] | None = None,
) -> list[Difference]:
    """How far a file's outputs are from JAX's, at each of `BATCHES`.

    Args:
      run: the file, opened.
      arrays: what `samples` gave.
      inputs, outputs: of the manifest, in their order.
      budget: of a type of numbers, see `onnx_types.NumberType`.
    """
    differences = []
    for batch in BATCHES:
        results = run([arrays[f'inputs/{one["name"]}'][:batch] for one in inputs])
        for one, result in zip(outputs, results, strict=True):
            expected = arrays[f'outputs/{one["name"]}'][:batch]
            if result.shape != expected.shape:
                amount = float('inf')
            else:
                each = np.abs(result - expected)
                amount = float(each.max() if budget is None else each.mean())
                if one['tolerance_is'] == A_SHARE:
                    amount /= float(np.abs(expected).max()) or 1.0
            tolerance = one['tolerance'] if budget is None else budget[one['unit']]
            differences.append(
                Difference(one['name'], batch, amount, tolerance, budget is not None)
            )
    return differences

"""The proof of an export: inputs with JAX's outputs for them, and the comparison with a file's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from capf_jax.exporting.formats import Run
from capf_jax.exporting.tensors import A_SHARE, Export, Tensor

BATCH = 5
BATCHES = (1, BATCH)  # that a file is compared at


@dataclasses.dataclass(frozen=True)
class Difference:
    """The largest difference between a file's output and JAX's.

    Attributes:
      output: its name.
      batch: the batch size.
      largest: in the output's unit; of feature maps as a share of their largest value.
      tolerance: what may be.
    """

    output: str
    batch: int
    largest: float
    tolerance: float

    @property
    def passes(self) -> bool:
        """Whether it is small enough; NaN is not."""
        return self.largest <= self.tolerance


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
    """Values like those of real inputs: pictures of soft patches, joints that lie in the crop."""
    shape = (BATCH, *one.shape)
    if one.name == 'crops':
        *windows, height, width, _ = one.shape
        coarse = random.uniform(0, 255, (BATCH, *windows, 8, 6, 3))
        rows, columns = np.arange(height) * 8 // height, np.arange(width) * 6 // width
        noise = random.normal(0, 8, shape)
        return (coarse[..., rows, :, :][..., columns, :] + noise).clip(0, 255).astype(np.uint8)
    if one.name == 'joints2d_crop':
        height, width = crop or (256, 192)
        return random.uniform(0, (width - 1, height - 1), shape).astype(np.float32)
    if one.name.startswith('maps_'):
        return random.normal(0, 1, shape).astype(np.float32)
    return random.uniform(-0.8, 0.8, shape).astype(np.float32)


def compare(
    run: Run,
    arrays: Mapping[str, np.ndarray],
    inputs: Sequence[Mapping],
    outputs: Sequence[Mapping],
) -> list[Difference]:
    """How far a file's outputs are from JAX's, at each of `BATCHES`.

    Args:
      run: the file, opened.
      arrays: what `samples` gave.
      inputs, outputs: of the manifest, in their order.
    """
    differences = []
    for batch in BATCHES:
        results = run([arrays[f'inputs/{one["name"]}'][:batch] for one in inputs])
        for one, result in zip(outputs, results, strict=True):
            expected = arrays[f'outputs/{one["name"]}'][:batch]
            if result.shape != expected.shape:
                largest = float('inf')
            else:
                largest = float(np.abs(result - expected).max())
                if one['tolerance_is'] == A_SHARE:
                    largest /= float(np.abs(expected).max()) or 1.0
            differences.append(Difference(one['name'], batch, largest, one['tolerance']))
    return differences

"""What is compared with the parity data, and how closely: tolerances of tests/goldens/README.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

OF_LARGEST = 1e-4  # maps: float32 sums in another order, through up to 60 layers
POSE = 1e-4  # metres
LOSS = 1e-4  # metres, as for poses, since the loss is their error
RELATIVE = 1e-3  # gradient norms and losses after steps of AdamW
STAGES = ('embedded', 'context', 'fused', 'joints')  # of the lifter, in order


@dataclasses.dataclass(frozen=True)
class Check:
    """One comparison: how far off, and how far is allowed."""

    name: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance; NaN is not."""
        return self.error <= self.tolerance


def close(name: str, actual: Any, expected: Any, tolerance: float) -> Check:
    """Largest difference of two arrays of one shape."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    same = actual.shape == expected.shape
    return Check(name, float(np.abs(actual - expected).max()) if same else np.inf, tolerance)


def relative(name: str, actual: Any, expected: Any, tolerance: float = RELATIVE) -> Check:
    """Largest difference over what is expected."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return close(name, actual / expected, np.ones_like(expected), tolerance)


def sampled(
    key: str, actual: Any, golden: Mapping[str, np.ndarray], tolerance: float = OF_LARGEST
) -> list[Check]:
    """A large array at the stored positions, and its channels' means where they are stored.

    Errors are shares of the largest stored value.
    """
    actual, values = np.asarray(actual), golden[f'{key}/value']
    if actual.shape != tuple(golden[f'{key}/shape']):
        return [Check(f'{key} shape {actual.shape}', np.inf, 0)]
    largest = np.abs(values).max()
    stored = actual.reshape(-1)[golden[f'{key}/index']]
    checks = [close(key, stored / largest, values / largest, tolerance)]
    if f'{key}/channel_mean' in golden:
        mean = actual.mean(axis=(0, 1, 2), dtype=np.float64)
        expected = golden[f'{key}/channel_mean']
        checks.append(close(f'{key} means', mean / largest, expected / largest, tolerance))
    return checks


def maps(actual: Sequence[Any], golden: Mapping[str, np.ndarray]) -> list[Check]:
    """The feature maps that the lifter gets."""
    number = sum(key.startswith('map') and key.endswith('/shape') for key in golden)
    if len(actual) != number:
        return [Check(f'{len(actual)} maps instead of {number}', np.inf, 0)]
    return [check for i, one in enumerate(actual) for check in sampled(f'map{i}', one, golden)]


def stages(intermediates: Mapping[str, Any], golden: Mapping[str, np.ndarray]) -> list[Check]:
    """The lifter's tokens after each of its modules.

    PyTorch keeps the fused tokens as [B * J, L + 1, C].
    """
    layouts = {'fused': lambda x: np.swapaxes(x, 1, 2).reshape(-1, x.shape[1], x.shape[3])}
    return [
        check
        for name in STAGES
        for check in sampled(
            f'lifter/{name}', layouts.get(name, np.asarray)(np.asarray(intermediates[name])), golden
        )
    ]


def gradients(norms: Mapping[str, float], expected: Mapping[str, float]) -> Check:
    """L2 norms of the loss's gradient by PyTorch key; the check is named after the worst."""
    if norms.keys() != expected.keys():
        return Check(f'gradients of {len(norms)} instead of {len(expected)} keys', np.inf, 0)
    off = {key: abs(norms[key] / value - 1) for key, value in expected.items()}
    worst = max(off, key=off.get)
    return Check(f'gradient norms, worst {worst}', off[worst], RELATIVE)

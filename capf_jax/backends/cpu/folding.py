"""What is worked out of a frozen detector beforehand: folded BatchNorms and transformed kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from capf_jax.backends.cpu import tricks, winograd
from capf_jax.models.detectors.convolutions import EPSILON

COLLECTION = 'cpu'  # of variables, beside 'params' and 'batch_stats'
PARTS = {'conv', 'norm'}  # the parameters of every ConvNorm and DeconvNorm


def prepared(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """See `backends.programs.prepared`."""
    if COLLECTION in variables or 'batch_stats' not in variables:
        return variables
    return {**variables, COLLECTION: beside(variables['params'], variables['batch_stats'])}


def beside(params: Mapping[str, Any], statistics: Mapping[str, Any]) -> dict[str, Any]:
    """The collection 'cpu' of a detector's variables.

    For every ConvNorm and DeconvNorm it holds the 'kernel' and the 'bias' of one convolution that
    is equal to both of its parts, and, where winograd.py takes the kernel, 'transformed': a tuple
    of kernels, and for a DeconvNorm a tuple of such tuples for each parity of rows and of columns.
    Strided convolutions have transformed kernels too, which nothing reads: parameters do not tell
    them apart.

    Args:
      params: the detector's 'params', NumPy arrays.
      statistics: its 'batch_stats'.
    """
    if not tricks.is_on('folding'):
        return {}
    if params.keys() == PARTS:
        return _folded(params['conv'], params['norm'], statistics['norm'])
    parts = {
        name: beside(part, statistics.get(name, {}))
        for name, part in params.items()
        if isinstance(part, Mapping)
    }
    return {name: part for name, part in parts.items() if part}


def _folded(
    conv: Mapping[str, Any], norm: Mapping[str, Any], statistics: Mapping[str, Any]
) -> dict[str, Any]:
    scale, shift, mean, variance = (
        np.asarray(value, np.float64)
        for value in (norm['scale'], norm['bias'], statistics['mean'], statistics['var'])
    )
    kernel = np.asarray(conv['kernel'])
    factor = scale / np.sqrt(variance + EPSILON)  # [C_out], the kernel's last axis
    folded = {
        'kernel': (kernel * factor).astype(kernel.dtype),
        'bias': (shift - mean * factor).astype(kernel.dtype),
    }
    transformed = _transformed(folded['kernel'])
    return folded if transformed is None else {**folded, 'transformed': transformed}


def _transformed(kernel: np.ndarray) -> tuple[Any, ...] | None:
    """The transformed kernels of a ConvNorm, or of a DeconvNorm; None where there are none."""
    if not tricks.is_on('winograd'):
        return None
    if len(kernel) % 2:  # a ConvNorm's kernels are odd
        return winograd.transformed(kernel)
    of_parities = tuple(
        tuple(winograd.transformed(kernel[row::2, column::2]) for column in range(2))
        for row in range(2)
    )
    return None if of_parities[0][0] is None else of_parities

"""BatchNorm folded into the convolution before it: an equal network with less to do.

On a CPU, kernels are also transformed here, once, for the faster convolutions of winograd.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from capf_jax.backends.cpu import winograd
from capf_jax.models.detectors.convolutions import EPSILON, TRANSFORMED

PARTS = {'conv', 'norm'}  # of every ConvNorm and DeconvNorm


def fold(detector: nn.Module, variables: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """A detector for use: every BatchNorm folded into the convolution before it.

    The variables decide (see `ConvNorm`), so that the module comes back as it is. What is stored in
    weight files and checkpoints stays unfolded; fold what was loaded. Folded twice, nothing more
    happens. On a CPU, kernels that `winograd.transformed` takes have their transforms beside them,
    those of strided convolutions too, which use none: it is not seen here. HRNet-W32 takes 325 MB
    instead of 109.

    Args:
      detector: any detector of the catalog.
      variables: its {'params', 'batch_stats'}, arrays rather than tracers: this is done once, on
        the host, since inside `jit` it would cost more to compile than it saves.

    Returns:
      The detector and its folded variables {'params'}, numpy arrays, and tuples of them.
    """
    return detector, folded(variables)


def folded(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that `fold` gives."""
    return {'params': _folded(variables['params'], variables.get('batch_stats', {}))}


def _folded(params: Mapping[str, Any], statistics: Mapping[str, Any]) -> dict[str, Any]:
    if params.keys() == PARTS:
        scale, shift, mean, variance = (
            np.asarray(part[name], np.float64)
            for part, name in (
                (params['norm'], 'scale'),
                (params['norm'], 'bias'),
                (statistics['norm'], 'mean'),
                (statistics['norm'], 'var'),
            )
        )
        kernel = np.asarray(params['conv']['kernel'])
        factor = scale / np.sqrt(variance + EPSILON)  # [C_out], the kernel's last axis
        conv = {
            'kernel': (kernel * factor).astype(kernel.dtype),
            'bias': (shift - mean * factor).astype(kernel.dtype),
        }
        kernels = _transformed(conv['kernel']) if jax.default_backend() == 'cpu' else None
        return {'conv': conv if kernels is None else {**conv, TRANSFORMED: kernels}}
    return {
        name: _folded(part, statistics.get(name, {}))
        if isinstance(part, Mapping)
        else jax.tree.map(np.asarray, part)
        for name, part in params.items()
    }


def _transformed(kernel: np.ndarray) -> tuple[Any, ...] | None:
    """What a Conv reads as TRANSFORMED or, by row and column, a Deconv; None for nothing."""
    if kernel.shape[0] % 2:  # odd: a Conv
        return winograd.transformed(kernel)
    of_parities = tuple(
        tuple(winograd.transformed(kernel[row::2, column::2]) for column in range(2))
        for row in range(2)
    )
    return None if of_parities[0][0] is None else of_parities


def prepared(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """See `backends.programs.prepared`."""
    return folded(variables) if 'batch_stats' in variables else variables

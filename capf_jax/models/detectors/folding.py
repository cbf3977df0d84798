"""BatchNorm folded into the convolution before it: an equal network with less to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from capf_jax.models.detectors.layers import EPSILON

PARTS = {'conv', 'norm'}  # of every ConvNorm and DeconvNorm


def fold(detector: nn.Module, variables: Mapping[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """A detector for use: every BatchNorm folded into the convolution before it.

    The variables decide (see `ConvNorm`), so that the module comes back as it is. What is stored in
    weight files and checkpoints stays unfolded; fold what was loaded. Folded twice, nothing more
    happens. Works inside `jit` too.

    Args:
      detector: any detector of the catalog.
      variables: its {'params', 'batch_stats'}; without BatchNorms, {'params'}.

    Returns:
      The detector and its folded variables {'params'}.
    """
    statistics = variables.get('batch_stats', {})
    return detector, {'params': _folded(variables['params'], statistics)}


def _folded(params: Mapping[str, Any], statistics: Mapping[str, Any]) -> dict[str, Any]:
    if params.keys() == PARTS:
        norm, moments = params['norm'], statistics['norm']
        factor = norm['scale'] / jnp.sqrt(moments['var'] + EPSILON)  # [C_out], the last axis
        bias = norm['bias'] - moments['mean'] * factor
        return {'conv': {'kernel': params['conv']['kernel'] * factor, 'bias': bias}}
    return {
        name: _folded(part, statistics.get(name, {})) if isinstance(part, Mapping) else part
        for name, part in params.items()
    }

"""Published CA-PF files with the recipe's weights, converted and loaded; no torch needed."""

from __future__ import annotations

import pathlib

import numpy as np
from safetensors.numpy import save_file

from capf_jax.inference.estimator import Estimator
from converters import conversion
from tests.goldens import manifests, recipe

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / 'goldens'


def golden(backbone: str) -> dict[str, np.ndarray]:
    """The committed part of the parity data of a backbone; '3dhp/...' is of its 3DHP model."""
    with np.load(GOLDENS / f'ca_pf_{backbone}.npz') as arrays:
        return dict(arrays)


def state_dict(backbone: str, variant: str = '') -> dict[str, np.ndarray]:
    """The recipe's PyTorch weights of a CA-PF; variant '3dhp_' for that of MPI-INF-3DHP."""
    return recipe.state_dict(manifests.read(f'ca_pf_{variant}{backbone}'))


def estimator(folder: pathlib.Path, backbone: str, variant: str = '') -> Estimator:
    """A CA-PF of the recipe's weights, through the conversion of a file with PyTorch's keys.

    Args:
      folder: for two files that are removed again.
      backbone: 'hrnet_32', 'hrnet_48' or 'cpn'.
      variant: see `state_dict`.
    """
    source, target = folder / 'published.safetensors', folder / 'converted.safetensors'
    save_file(state_dict(backbone, variant), source)
    conversion.convert(source, target, f'ca_pf_{variant}{backbone}')
    loaded = Estimator.load(target)
    source.unlink()
    target.unlink()
    return loaded

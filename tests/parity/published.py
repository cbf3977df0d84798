"""Published CA-PF files with the recipe's weights, converted and loaded; no torch needed."""

from __future__ import annotations

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

from capf_jax.estimator import Estimator
from converters import convert
from tests.goldens import recipe

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / 'goldens'
BACKBONES = {  # and the manifests of their own published files
    'hrnet_32': 'hrnet_w32_coco',
    'hrnet_48': 'hrnet_w48_coco',
    'cpn': 'cpn50_coco',
}


def golden(backbone: str) -> dict[str, np.ndarray]:
    """The committed part of the parity data of a backbone; '3dhp/...' is of its 3DHP model."""
    with np.load(GOLDENS / f'ca_pf_{backbone}.npz') as arrays:
        return dict(arrays)


def state_dict(backbone: str, variant: str = '') -> dict[str, np.ndarray]:
    """The recipe's PyTorch weights of a CA-PF; variant '3dhp_' for that of MPI-INF-3DHP.

    A CA-PF file holds the keys of the detector's own file under 'backbone.', without the heatmap
    head that HRNet has there.
    """
    detector = _manifest(BACKBONES[backbone])
    keys = {f'backbone.{k}': v for k, v in detector.items() if not k.startswith('final_layer.')}
    return recipe.state_dict(keys | _manifest(f'lifter_{variant}{backbone}'))


def estimator(folder: pathlib.Path, backbone: str, variant: str = '') -> Estimator:
    """A CA-PF of the recipe's weights, through the conversion of a file with PyTorch's keys.

    Args:
      folder: for two files that are removed again.
      backbone: one of `BACKBONES`.
      variant: see `state_dict`.
    """
    source, target = folder / 'published.safetensors', folder / 'converted.safetensors'
    save_file(state_dict(backbone, variant), source)
    convert.convert(source, target, f'ca_pf_{variant}{backbone}')
    loaded = Estimator.load(target)
    source.unlink()
    target.unlink()
    return loaded


def _manifest(name: str) -> dict[str, list[int]]:
    return json.loads((GOLDENS / 'manifests' / f'{name}.json').read_text())

"""PyTorch keys and shapes of published files, by name; see README.md beside this file."""

from __future__ import annotations

import json
import pathlib

FOLDER = pathlib.Path(__file__).with_name('manifests')
CA_PF = 'ca_pf_'
DETECTORS = {  # of the CA-PF files, and the manifests of their own published files
    'hrnet_32': 'hrnet_w32_coco',
    'hrnet_48': 'hrnet_w48_coco',
    'cpn': 'cpn50_coco',
}
LIFTERS = ('hrnet_32', 'hrnet_48', 'cpn', '3dhp_hrnet_32', '3dhp_hrnet_48')


def names() -> list[str]:
    """All published files."""
    stored = sorted(path.stem for path in FOLDER.glob('*.json'))
    whole = [name for name in stored if not name.startswith('lifter_')]
    return [*whole, *(CA_PF + name for name in LIFTERS)]


def read(name: str) -> dict[str, tuple[int, ...]]:
    """Key -> shape of a published file, or of one of its parts.

    A CA-PF file holds the keys of the detector's own file under 'backbone.', without the heatmap
    head that HRNet has there, and those of the lifter.
    """
    if not name.startswith(CA_PF):
        stored = json.loads((FOLDER / f'{name}.json').read_text())
        return {key: tuple(shape) for key, shape in stored.items()}
    name = name.removeprefix(CA_PF)
    detector = read(DETECTORS[name.removeprefix('3dhp_')])
    backbone = {f'backbone.{k}': v for k, v in detector.items() if not k.startswith('final_layer.')}
    return backbone | read(f'lifter_{name}')

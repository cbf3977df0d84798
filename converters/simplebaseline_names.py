"""PyTorch names of SimpleBaseline pose files (COCO) -> our SimpleBaseline's: official, MMPose's."""

from __future__ import annotations

from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from converters import namings
from converters.engine import DECONV, Path, Rule, batch_norm, conv
from converters.resnet_names import resnet_rules


def simplebaseline_rules(
    detector: SimpleBaseline, prefix: str = '', naming: str = namings.OFFICIAL
) -> list[Rule]:
    """The table of one SimpleBaseline's keys.

    Args:
      detector: which blocks there are.
      prefix: what stands before every key.
      naming: whose names the keys have; MMPose's tell the ResNet from the head.
    """
    resnet = ResNet(blocks=detector.blocks)
    backbone = prefix if naming == namings.OFFICIAL else prefix + namings.BACKBONE
    return [
        *resnet_rules(resnet, backbone, ('resnet',), classifier=False),
        *deconv_head(prefix + namings.MMPOSE_HEADS.get(naming, ''), layers=3),
    ]


def deconv_head(prefix: str, layers: int) -> list[Rule]:
    """A head of transposed convolutions with BatchNorm, and the 1x1 convolution to heatmaps.

    PyTorch's Sequential counts the convolution, the BatchNorm and the ReLU of each layer.
    """
    rules = []
    for k in range(layers):
        path: Path = (f'deconv{k}',)
        key = f'{prefix}deconv_layers.{3 * k}.weight'
        rules.append(Rule(key, ('params', *path, 'conv', 'kernel'), DECONV))
        rules += batch_norm(f'{prefix}deconv_layers.{3 * k + 1}', (*path, 'norm'))
    return [*rules, *conv(f'{prefix}final_layer', ('params', 'head'), bias=True)]

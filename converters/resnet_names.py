"""PyTorch names of torchvision's ImageNet ResNet-50 -> our ResNet's."""

from __future__ import annotations

from capf_jax.models.detectors.resnet import ResNet
from converters.engine import Path, Rule, batch_norm, conv
from converters.spare_keys import CLASSIFIER


def resnet_rules(
    resnet: ResNet, prefix: str = '', path: Path = (), classifier: bool = True
) -> list[Rule]:
    """The table of one ResNet's keys.

    Args:
      resnet: which blocks there are.
      prefix: what stands before every key, such as 'resnet.' in a CPN file.
      path: where the ResNet is in our tree, without collection, such as ('resnet',).
      classifier: whether the file holds the ImageNet classifier, which is dropped.
    """
    rules = conv_norm(f'{prefix}conv1', f'{prefix}bn1', (*path, 'stem'))
    for stage, blocks in enumerate(resnet.blocks, start=1):
        for k in range(blocks):
            key, name = f'{prefix}layer{stage}.{k}', f'stage{stage}_block{k}'
            rules += bottleneck(key, (*path, name), project=k == 0)
    if classifier:
        keys = [f'{prefix}fc.{leaf}' for leaf in ('weight', 'bias')]
        rules += [Rule(key, None, reason=CLASSIFIER) for key in keys]
    return rules


def bottleneck(key: str, path: Path, project: bool) -> list[Rule]:
    """A bottleneck `key` -> the Bottleneck at `path`, given without its collection."""
    rules = []
    for i in (1, 2, 3):
        rules += conv_norm(f'{key}.conv{i}', f'{key}.bn{i}', (*path, f'conv{i}'))
    if project:
        rules += conv_norm(f'{key}.downsample.0', f'{key}.downsample.1', (*path, 'projection'))
    return rules


def conv_norm(conv_key: str, norm_key: str, path: Path) -> list[Rule]:
    """A Conv2d without bias and its BatchNorm2d -> the ConvNorm at `path`, without collection."""
    return [*conv(conv_key, ('params', *path, 'conv')), *batch_norm(norm_key, (*path, 'norm'))]

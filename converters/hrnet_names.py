"""PyTorch names of HRNet files -> our HRNet's: official COCO and ImageNet files, and MMPose's."""

from __future__ import annotations

from collections.abc import Iterator

from capf_jax.models.detectors.hrnet import HRNet
from converters import namings
from converters.engine import Path, Rule, batch_norm, conv
from converters.spare_keys import CLASSIFIER

MMPOSE_PREFIX = namings.BACKBONE
MMPOSE_HEAD = f'{namings.MMPOSE_HEADS[namings.MMPOSE]}final_layer'
OFFICIAL_HEAD = 'final_layer'


def hrnet_rules(
    detector: HRNet,
    prefix: str = '',
    heatmaps: bool = True,
    head: str = OFFICIAL_HEAD,
    classifier: bool = False,
) -> list[Rule]:
    """The table of one HRNet's keys; MMPose's have prefix MMPOSE_PREFIX and head MMPOSE_HEAD.

    Args:
      detector: which modules and blocks there are.
      prefix: what stands before every key, such as 'backbone.' in a CA-PF checkpoint.
      heatmaps: whether the file holds the heatmap head; CA-PF checkpoints do not.
      head: key of the heatmap head, which follows the prefix only where it is the official one.
      classifier: whether the file holds an ImageNet classifier, whose further layers are dropped.
    """
    rules = []
    for conv_key, norm_key, path in _layers(detector):
        rules += conv(f'{prefix}{conv_key}', ('params', *path, 'conv'))
        rules += batch_norm(f'{prefix}{norm_key}', (*path, 'norm'))
    if heatmaps:
        key = f'{prefix}{head}' if head == OFFICIAL_HEAD else head
        rules += conv(key, ('params', 'head'), bias=True)
    if classifier:
        rules += [
            Rule(f'{prefix}{key}', None, reason=CLASSIFIER) for key in _classifier_keys(detector)
        ]
    return rules


def _classifier_keys(detector: HRNet) -> Iterator[str]:
    """Keys of an ImageNet classifier beyond the layers that make the maps.

    They are the coarser outputs of the last fusion, and the layers that make classes of all four.
    """
    last = f'stage4.{detector.modules[-1] - 1}'
    finest = {conv_key for conv_key, _, _ in _fusion(last, '', 4, 1)}
    layers = [pair[:2] for pair in _fusion(last, '', 4, 4) if pair[0] not in finest]
    for i in range(4):
        block = f'incre_modules.{i}.0'
        layers += [(f'{block}.conv{c}', f'{block}.bn{c}') for c in (1, 2, 3)]
        layers.append((f'{block}.downsample.0', f'{block}.downsample.1'))
    biased = [(f'downsamp_modules.{i}.0', f'downsamp_modules.{i}.1') for i in range(3)]
    biased.append(('final_layer.0', 'final_layer.1'))
    for conv_key, norm_key in [*layers, *biased]:
        yield f'{conv_key}.weight'
        for name in ('weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'):
            yield f'{norm_key}.{name}'
    yield from (f'{conv_key}.bias' for conv_key, _ in biased)
    yield from ('classifier.weight', 'classifier.bias')


def _layers(detector: HRNet) -> Iterator[tuple[str, str, Path]]:
    """(PyTorch convolution, its BatchNorm, our ConvNorm that holds the two) of the network."""
    for k in range(2):
        yield f'conv{k + 1}', f'bn{k + 1}', (f'stem{k}',)
    for k in range(detector.bottlenecks):
        for i in (1, 2, 3):
            yield f'layer1.{k}.conv{i}', f'layer1.{k}.bn{i}', (f'bottleneck{k}', f'conv{i}')
        if k == 0:
            yield 'layer1.0.downsample.0', 'layer1.0.downsample.1', ('bottleneck0', 'projection')
    # PyTorch counts transitions from 1, and we count them by the stage to which they lead. The one
    # at an unchanged resolution is a Sequential; that to a new branch is a Sequential in a list of
    # downsamplings.
    yield 'transition1.0.0', 'transition1.0.1', ('transition2_0',)
    for stage, number in enumerate(detector.modules, start=2):
        new = f'transition{stage - 1}.{stage - 1}.0'
        yield f'{new}.0', f'{new}.1', (f'transition{stage}_{stage - 1}',)
        for m in range(number):
            name, torch_name = f'stage{stage}_module{m}', f'stage{stage}.{m}'
            yield from _branches(torch_name, f'{name}_branches', stage, detector.blocks)
            outputs = 1 if stage == 4 and m == number - 1 else stage
            yield from _fusion(torch_name, f'{name}_fusion', stage, outputs)


def _branches(
    torch_name: str, name: str, branches: int, blocks: int
) -> Iterator[tuple[str, str, Path]]:
    """The layers of the parallel branches of a module, as `_layers` gives them."""
    for i in range(branches):
        for k in range(blocks):
            for c in (1, 2):
                block = f'{torch_name}.branches.{i}.{k}'
                path = (name, f'branch{i}_block{k}', f'conv{c}')
                yield f'{block}.conv{c}', f'{block}.bn{c}', path


def _fusion(
    torch_name: str, name: str, branches: int, outputs: int
) -> Iterator[tuple[str, str, Path]]:
    """The layers of a module's fusion into its first `outputs` branches, as of `_layers`."""
    for i in range(outputs):
        for j in range(branches):
            way = f'{torch_name}.fuse_layers.{i}.{j}'
            if j > i:
                yield f'{way}.0', f'{way}.1', (name, f'from{j}_to{i}')
            for k in range(i - j):
                yield f'{way}.{k}.0', f'{way}.{k}.1', (name, f'from{j}_to{i}_{k}')

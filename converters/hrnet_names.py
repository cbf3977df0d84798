"""The names of the official HRNet files (COCO pose), layer by layer, beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Path = tuple[str, ...]


def layers(
    modules: Sequence[int] = (1, 4, 3), blocks: int = 4, bottlenecks: int = 4
) -> Iterator[tuple[str, str, Path]]:
    """Every convolution with its BatchNorm: (PyTorch convolution, PyTorch BatchNorm, our module).

    Our module holds the two as 'conv' and 'norm'. Arguments as in `HRNet`.
    """
    for k in range(2):
        yield f'conv{k + 1}', f'bn{k + 1}', (f'stem{k}',)
    for k in range(bottlenecks):
        for i in (1, 2, 3):
            yield f'layer1.{k}.conv{i}', f'layer1.{k}.bn{i}', (f'bottleneck{k}', f'conv{i}')
        if k == 0:
            yield 'layer1.0.downsample.0', 'layer1.0.downsample.1', ('bottleneck0', 'projection')
    # PyTorch counts transitions from 1, we by the stage they lead to. The one at an unchanged
    # resolution is a Sequential; a new branch is a Sequential in a list of downsamplings.
    yield 'transition1.0.0', 'transition1.0.1', ('transition2_0',)
    for stage, number in enumerate(modules, start=2):
        new = f'transition{stage - 1}.{stage - 1}.0'
        yield f'{new}.0', f'{new}.1', (f'transition{stage}_{stage - 1}',)
        for m in range(number):
            name, torch_name = f'stage{stage}_module{m}', f'stage{stage}.{m}'
            yield from _branches(torch_name, f'{name}_branches', stage, blocks)
            outputs = 1 if stage == 4 and m == number - 1 else stage
            yield from _fusion(torch_name, f'{name}_fusion', stage, outputs)


def _branches(
    torch_name: str, name: str, branches: int, blocks: int
) -> Iterator[tuple[str, str, Path]]:
    for i in range(branches):
        for k in range(blocks):
            for c in (1, 2):
                block = f'{torch_name}.branches.{i}.{k}'
                path = (name, f'branch{i}_block{k}', f'conv{c}')
                yield f'{block}.conv{c}', f'{block}.bn{c}', path


def _fusion(
    torch_name: str, name: str, branches: int, outputs: int
) -> Iterator[tuple[str, str, Path]]:
    for i in range(outputs):
        for j in range(branches):
            way = f'{torch_name}.fuse_layers.{i}.{j}'
            if j > i:
                yield f'{way}.0', f'{way}.1', (name, f'from{j}_to{i}')
            for k in range(i - j):
                yield f'{way}.{k}.0', f'{way}.{k}.1', (name, f'from{j}_to{i}_{k}')


def table(
    modules: Sequence[int] = (1, 4, 3),
    blocks: int = 4,
    bottlenecks: int = 4,
    prefix: str = '',
    heatmaps: bool = True,
) -> dict[str, tuple[Path, str]]:
    """PyTorch key -> (path in our variables, layout) for every tensor of an HRNet.

    Args:
      modules: and the next two: as in `HRNet`.
      blocks: of a branch.
      bottlenecks: of the first stage.
      prefix: of every PyTorch key, such as 'backbone.'.
      heatmaps: whether the file holds the heatmap head; CA-PF checkpoints do not.
    """
    names: dict[str, tuple[Path, str]] = {}
    for conv, norm, path in layers(modules, blocks, bottlenecks):
        names[f'{prefix}{conv}.weight'] = (('params', *path, 'conv', 'kernel'), 'conv')
        for key, collection, leaf in (
            ('weight', 'params', 'scale'),
            ('bias', 'params', 'bias'),
            ('running_mean', 'batch_stats', 'mean'),
            ('running_var', 'batch_stats', 'var'),
        ):
            names[f'{prefix}{norm}.{key}'] = ((collection, *path, 'norm', leaf), 'same')
    if heatmaps:
        names[f'{prefix}final_layer.weight'] = (('params', 'heatmaps', 'kernel'), 'conv')
        names[f'{prefix}final_layer.bias'] = (('params', 'heatmaps', 'bias'), 'same')
    return names

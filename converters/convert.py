"""A published PyTorch weight file -> ours.

    python -m converters.convert SOURCE TARGET.safetensors [--model=NAME]

SOURCE is a .pth, .pth.tar, .bin, .pt or .safetensors file. The model is recognised by its keys and
shapes. Every key is used or knowingly dropped, every parameter filled, every shape checked, or
nothing is written. TARGET says in its metadata what it holds: loading it needs nothing else.
"""

from __future__ import annotations

import argparse
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import capf_jax
from capf_jax.inference import weight_files
from capf_jax.pose import skeletons
from capf_jax.runtime import commands
from converters import engine, reading, recognise
from converters.reading import Source
from converters.tables import Model


def convert(source: str | pathlib.Path, target: str | pathlib.Path, name: str | None = None) -> str:
    """Converts one file.

    Args:
      source: the published file.
      target: the safetensors file to write.
      name: which model it must be, one of `tables.names()`; None to recognise it.

    Returns:
      A summary for the user: the model, its parameters, what was dropped.

    Raises:
      FileNotFoundError: there is no source.
      ValueError: it holds no weights, or not exactly those of a known model.
      OSError: the target cannot be written.
    """
    if name is not None:
        recognise.check_name(name)
    if pathlib.Path(target).suffix != '.safetensors':
        raise ValueError(f'the target is {target}; give it a name that ends in .safetensors')
    if pathlib.Path(target).resolve() == pathlib.Path(source).resolve():
        raise ValueError(f'the target {target} is the source itself: give it another name')
    opened = reading.read(source)
    model = identify(opened, name)
    what = f'{opened.path} as {model.name}' + ('' if name else ', the nearest known model,')
    metadata = describe(opened, model)
    aside = engine.set_aside(opened.state, model.rules)
    variables = engine.to_flax(opened.state, model.rules, model.expected(), what, consume=True)
    weight_files.save_weights(target, variables, metadata, unused=aside)
    return summary(opened, model, variables, metadata, pathlib.Path(target))


def identify(opened: Source, name: str | None) -> Model:
    """The model that a file holds.

    Raises:
      ValueError: it has nothing in common with any known model, it is not the one asked for, or it
        is for other joints.
    """
    shapes = {key: array.shape for key, array in opened.state.items()}
    model, likeness = recognise.recognise(shapes)
    if likeness == 0:
        first = ', '.join(list(shapes)[:3])
        raise ValueError(
            f'{opened.path} is of no known model: none has keys such as {first}; known are '
            f'{", ".join(recognise.tables.names())}'
        )
    if name is not None and name != model.name:
        sure = 'is a' if likeness == 1 else 'is nearest to a'
        raise ValueError(
            f'{opened.path} {sure} {model.name} file; you asked for {name}: leave --model out, or '
            f'give the other file'
        )
    joints = recognise.number_of_joints(model, shapes)
    known = len(skeletons.get(model.skeleton))
    if likeness == 1 and joints not in (None, known):
        raise ValueError(
            f'{opened.path} is a {model.name} file for {joints} joints; only those for the {known} '
            f'of {model.skeleton} can be converted: give that file'
        )
    return model


def describe(opened: Source, model: Model) -> dict[str, Any]:
    """The metadata: all that loading, and the way back, need to know."""
    dropped = engine.dropped(opened.state, model.rules)
    if opened.beside:
        dropped['beside the state dict'] = list(opened.beside)
    return {
        'kind': model.kind,
        'name': model.name,
        'skeleton': model.skeleton,
        'model': dict(model.settings),
        'naming': model.naming,
        'source': {
            'file': opened.path.name,
            'sha256': opened.sha256,
            'wrappers': list(opened.wrappers),
            'prefix': opened.prefix,
            'numbers': sorted({str(array.dtype) for array in opened.state.values()}),
        },
        'converter': capf_jax.__version__,
        'dropped': dropped,
    }


def summary(
    opened: Source,
    model: Model,
    variables: Mapping[str, Any],
    metadata: Mapping[str, Any],
    target: pathlib.Path,
) -> str:
    """What was done, for the user."""
    flat = weight_files.flatten(variables)
    count = sum(math.prod(a.shape) for path, a in flat.items() if 'batch_stats' not in path)
    statistics = sum(math.prod(a.shape) for path, a in flat.items() if 'batch_stats' in path)
    lines = [
        f'{opened.path} (SHA-256 {opened.sha256})',
        f'  is {model.name}, {count:,} parameters'
        + (f' and {statistics:,} BatchNorm statistics' if statistics else ''),
    ]
    if opened.wrappers or opened.prefix:
        around = [f'{wrapper!r}' for wrapper in opened.wrappers]
        around += [f'the prefix {opened.prefix!r}'] if opened.prefix else []
        lines.append(f'  taken out of {", ".join(around)}')
    if 'float64' in metadata['source']['numbers']:
        lines.append('  rounded from float64 to float32')
    for reason, keys in metadata['dropped'].items():
        named = ', '.join(keys[:4]) + (', ...' if len(keys) > 4 else '')
        lines.append(f'  dropped, {reason}: {len(keys)} ({named})')
    return '\n'.join([*lines, f'written: {target}'])


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m converters.convert',
        description='A published PyTorch weight file -> a safetensors file of ours.',
    )
    parser.add_argument('source', help='.pth, .pth.tar, .bin, .pt or .safetensors')
    parser.add_argument('target', help='file to write, *.safetensors')
    parser.add_argument('--model', help='which model it must be; recognised by default')
    given = parser.parse_args(argv[1:])
    print(convert(given.source, given.target, given.model))
    return 0


if __name__ == '__main__':
    commands.run(main)

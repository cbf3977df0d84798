"""From one published weight file to a weight file of this project."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from etils import epath
from flax.traverse_util import flatten_dict

import capf_jax
from capf_jax.errors import UserError
from capf_jax.inference import units, weight_files
from capf_jax.pose import skeletons
from capf_jax.runtime import files
from converters import engine, reading, recognise
from converters.origins import ORIGINS, PUBLISHED
from converters.reading import Source
from converters.tables import CA_PF_KIND, Model


def convert(source: str | os.PathLike, target: str | os.PathLike, name: str | None = None) -> str:
    """Converts one file.

    Args:
      source: the published file.
      target: the safetensors file to write.
      name: which model it must be, one of `tables.names()`; None to recognise it.

    Returns:
      A summary for the user: the model, its parameters, what was dropped.

    Raises:
      FileNotFoundError: there is no source.
      UserError: it holds no weights, or not exactly those of a known model.
      OSError: the target cannot be written.
    """
    if name is not None:
        recognise.check_name(name)
    source, target = files.user_path(source), files.user_path(target)
    if target.suffix != '.safetensors':
        raise UserError(f'the target is {target}; give it a name that ends in .safetensors')
    if os.path.realpath(target) == os.path.realpath(source):
        raise UserError(f'the target {target} is the source itself: give it another name')
    opened = reading.read(source, PUBLISHED.get(name or '', ''))
    model = identify(opened, name)
    what = f'{opened.path} as {model.name}' + ('' if name else ', the nearest known model,')
    metadata = describe(opened, model)
    aside = engine.set_aside(opened.state, model.rules)
    variables = engine.to_flax(opened.state, model.rules, model.expected(), what, consume=True)
    weight_files.save_weights(target, variables, metadata, unused=aside)
    return summary(opened, model, variables, metadata, target)


def identify(opened: Source, name: str | None) -> Model:
    """The model that a file holds.

    Raises:
      UserError: it has nothing in common with any known model, it is not the one asked for, or it
        is for other joints.
    """
    shapes = {key: array.shape for key, array in opened.state.items()}
    model, likeness = recognise.recognise(shapes)
    if likeness == 0:
        first = ', '.join(list(shapes)[:3])
        raise UserError(
            f'{opened.path} is of no known model: none has keys such as {first}; known are '
            f'{", ".join(recognise.tables.names())}'
        )
    if name is not None and name != model.name:
        sure = 'is a' if likeness == 1 else 'is nearest to a'
        raise UserError(
            f'{opened.path} {sure} {model.name} file; you asked for {name}: leave --model out, or '
            f'give the other file'
        )
    joints = recognise.number_of_joints(model, shapes)
    known = len(skeletons.get(model.skeleton))
    if likeness == 1 and joints not in (None, known):
        raise UserError(
            f'{opened.path} is a {model.name} file for {joints} joints; only those for the {known} '
            f'of {model.skeleton} can be converted: give that file'
        )
    return model


def describe(opened: Source, model: Model) -> dict[str, Any]:
    """The metadata of the target: all that loading it, and exporting it, need to know."""
    dropped = engine.dropped(opened.state, model.rules)
    if opened.beside:
        dropped['beside the state dict'] = list(opened.beside)
    return {
        'kind': model.kind,
        'name': model.name,
        'skeleton': model.skeleton,
        **({'unit': units.published(model.skeleton)} if model.kind == CA_PF_KIND else {}),
        'model': dict(model.settings),
        'naming': model.naming,
        **({'origin': ORIGINS[model.name]} if model.name in ORIGINS else {}),
        'source': {
            'file': next(iter(opened.hashes), opened.path.name),  # not the package around it
            'sha256': opened.sha256,
            **({'hashes': dict(opened.hashes)} if opened.hashes else {}),
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
    target: epath.Path,
) -> str:
    """What the conversion did, for the user."""
    flat: dict[tuple[str, ...], Any] = flatten_dict(variables)
    count = sum(math.prod(a.shape) for path, a in flat.items() if 'batch_stats' not in path)
    statistics = sum(math.prod(a.shape) for path, a in flat.items() if 'batch_stats' in path)
    hashes = opened.hashes or {str(opened.path): opened.sha256}
    lines = [
        *(f'{name} (SHA-256 {sha256})' for name, sha256 in hashes.items()),
        f'  is {model.name}, {count:,} parameters'
        + (f' and {statistics:,} BatchNorm statistics' if statistics else ''),
    ]
    if metadata.get('unit', 'm') != 'm':
        lines.append('  its poses are in mm; Estimator and evaluate give metres')
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

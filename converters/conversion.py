"""From one published weight file to a weight file of this project."""

from __future__ import annotations

import collections
import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import capf_jax
from capf_jax.errors import UserError, nearest
from capf_jax.inference import units, weight_files
from capf_jax.pose import skeletons
from capf_jax.runtime import files
from converters import advice, engine, namings, reading, recognise, spare_keys, tables
from converters.origins import ORIGINS, PUBLISHED
from converters.reading import Source
from converters.tables import CA_PF_KIND, CA_PF_S, Model


def convert(
    source: str | os.PathLike,
    target: str | os.PathLike,
    name: str | None = None,
    skeleton: str | None = None,
    crop: tuple[int, int] | None = None,
    drop: Sequence[str] = (),
) -> str:
    """Converts one file.

    Args:
      source: the published file.
      target: the safetensors file to write.
      name: which model it must be, one of `tables.names()`; None to recognise it.
      skeleton: whose joints it is for, a name of pose/skeletons.py; None for those of the published
        files of its kind.
      crop: (H, W) of the crops that it takes, pixels; None for those that its kind takes.
      drop: beginnings of keys that are left out.

    Returns:
      A summary for the user: the model, its joints and parameters, what was dropped.

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
    if drop:  # Errors name the keys without what is before all of them.
        opened = without(recognised(opened)[0], drop)
    opened, model = identify(opened, name, skeleton)
    metadata = describe(opened, model, crop)
    expected, what = model.expected(), f'{opened.path} as {model.name}'
    what += '' if name else ', the nearest known model,'
    fault = advice.fault(what, opened, model, expected)
    if fault:
        raise UserError(fault)
    lines = summary(opened, model, metadata, expected)
    lines += [f'  {advice.of_joints(model, skeleton is not None)}', f'written: {target}']
    aside = engine.set_aside(opened.state, model.rules)
    variables = engine.to_flax(opened.state, model.rules, expected, what, consume=True)
    weight_files.save_weights(target, variables, metadata, unused=aside)
    return '\n'.join(lines)


def without(opened: Source, drop: Sequence[str]) -> Source:
    """A file's content without the keys that begin with one of these words.

    Keys may be written with and without the prefix that was before all of them.

    Raises:
      UserError: no key begins so; the nearest beginning is named.
    """
    names = {key: (key, opened.prefix + key) for key in opened.state}
    for beginning in drop:
        if not any(one.startswith(beginning) for both in names.values() for one in both):
            parts = {f'{key.partition(".")[0]}.' for key in opened.state}
            raise UserError(
                f'--drop is {beginning!r}, with which no key of {opened.path} begins; the nearest '
                f'is {nearest(beginning, parts)!r}'
            )
    left_out = tuple(
        key for key, both in names.items() if any(one.startswith(tuple(drop)) for one in both)
    )
    state = {key: array for key, array in opened.state.items() if key not in set(left_out)}
    return dataclasses.replace(opened, state=state, left_out=left_out)


def identify(
    opened: Source, name: str | None = None, skeleton: str | None = None
) -> tuple[Source, Model]:
    """The model that a file holds, and the file's content with the keys of that model.

    Args:
      opened: the file's content.
      name: which model it must be; None for any.
      skeleton: whose joints it is for; None for those of published files.

    Raises:
      UserError: it has nothing in common with any known model, it is not the one asked for, or it
        is for other joints.
    """
    opened, model, likeness = recognised(opened)
    if likeness == 0:
        first = ', '.join(list(opened.state)[:3])
        part = advice.of_part(opened)
        raise UserError(
            f'{opened.path} is of no known model: none has keys such as {first}; '
            + (f'but {part}; ' if part else '')
            + f'known are {", ".join(tables.names())}'
        )
    if name is not None and name != model.name:
        sure = 'is a' if likeness == 1 else 'is nearest to a'
        raise UserError(
            f'{opened.path} {sure} {model.name} file; you asked for {name}: leave --model out, or '
            f'give the other file'
        )
    if skeleton is not None:
        model = model.of_joints(skeleton)
    shapes = {key: array.shape for key, array in opened.state.items()}
    joints = recognise.number_of_joints(model, shapes)
    known = len(skeletons.get(model.skeleton))
    if likeness == 1 and joints not in (None, known):
        raise UserError(
            f'{opened.path} is a {model.name} file for {joints} joints, and {model.skeleton} has '
            f'{known}: {advice.for_joints(joints)}'
        )
    return opened, model


def recognised(opened: Source) -> tuple[Source, Model, float]:
    """What `recognise.recognise` says, and the content without what its author put before all keys.

    A first name that all keys share is taken off while no known model has any of the keys.
    """
    while True:
        shapes = {key: array.shape for key, array in opened.state.items()}
        model, likeness = recognise.recognise(shapes)
        first = next(iter(opened.state)).partition('.')[0] + '.'
        if likeness > 0 or not all(key.startswith(first) for key in opened.state):
            return opened, model, likeness
        state = {key.removeprefix(first): array for key, array in opened.state.items()}
        opened = dataclasses.replace(opened, state=state, prefix=opened.prefix + first)


def describe(opened: Source, model: Model, crop: tuple[int, int] | None = None) -> dict[str, Any]:
    """The metadata of the target: all that loading it, and exporting it, need to know."""
    dropped = engine.dropped(opened.state, model.rules)
    if opened.left_out:
        dropped['left out by --drop'] = list(opened.left_out)
    if opened.beside:
        dropped['beside the state dict'] = list(opened.beside)
    crop = crop or (model.crop if model.crop != model.usual_crop else None)
    return {
        'kind': model.kind,
        'name': model.name,
        'skeleton': model.skeleton,
        **(
            {'unit': units.published(model.skeleton)} if model.kind in (CA_PF_KIND, CA_PF_S) else {}
        ),
        **_of_windows(model),
        'model': dict(model.settings),
        'naming': model.naming,
        **({'crop': list(crop)} if crop else {}),
        **({} if model.has_first_row else {'has_first_row': False}),
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


def _of_windows(model: Model) -> dict[str, Any]:
    """What the metadata of a CA-PF-S say beside its model."""
    if model.kind != CA_PF_S:
        return {}
    return {'frames': model.frames, 'temporal_names': list(model.temporal_names)}


def summary(
    opened: Source,
    model: Model,
    metadata: Mapping[str, Any],
    expected: Mapping[str, Any],
    is_whole: bool = True,
) -> list[str]:
    """Lines for the user: what a file is, and what becomes of it.

    Args:
      opened: the file's content.
      model: what it is.
      metadata: what `describe` gives.
      expected: the model's Flax variables as shapes.
      is_whole: whether the file fits; the numbers of one that does not are not looked at, since
        their arrays may claim to be of any size.
    """
    known = engine.torch_shapes(model.rules, expected)
    statistics = ('running_mean', 'running_var', engine.COUNTER)
    kept = {rule.key for rule in model.rules if rule.path is not None}
    counts = collections.Counter()
    for key in kept & known.keys():
        counts[key.endswith(statistics)] += math.prod(known[key])
    hashes = opened.hashes or {str(opened.path): opened.sha256}
    lines = [
        *(f'{name} (SHA-256 {sha256})' for name, sha256 in hashes.items()),
        f'  {"is" if is_whole else "is nearest to"} {model.name}, {counts[False]:,} parameters'
        + (f' and {counts[True]:,} BatchNorm statistics' if counts[True] else ''),
        f'  its keys have {namings.TITLES[model.naming]}',
    ]
    if metadata.get('unit', 'm') != 'm':
        lines.append('  its poses are in mm; Estimator and evaluate give metres')
    if model.name.endswith('_imagenet') and spare_keys.CLASSIFIER not in metadata['dropped']:
        lines.append(
            '  it holds no classifier, so that it may have learnt something else than ImageNet'
        )
    if opened.wrappers or opened.prefix:
        around = [f'{wrapper!r}' for wrapper in opened.wrappers]
        around += [f'the prefix {opened.prefix!r}'] if opened.prefix else []
        lines.append(f'  taken out of {", ".join(around)}')
    if 'float64' in metadata['source']['numbers']:
        lines.append('  rounded from float64 to float32')
    for reason, keys in metadata['dropped'].items():
        named = ', '.join(keys[:4]) + (', ...' if len(keys) > 4 else '')
        lines.append(f'  dropped, {reason}: {len(keys)} ({named})')
    looked_at = kept & opened.state.keys() if is_whole else ()
    unusual = sorted(key for key in looked_at if not weight_files.is_finite(opened.state[key]))
    if unusual:
        lines.append(
            f'  WARNING: NaN or infinity in {len(unusual)} tensors, first in {unusual[0]}: the '
            f'file is damaged, or its training went wrong'
        )
    return lines

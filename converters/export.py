"""A weight file of ours -> PyTorch's layout, key for key.

    python -m converters.export SOURCE.safetensors TARGET.pth [--wrapped]

The target is a state dict that published code loads strictly. With --wrapped it lies under the
names, and its keys have the prefix, that the published file has, such as 'model' or 'module.'.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from capf_jax.inference import weight_files
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.published_sizes import CA_PF, OWN_SIZE
from capf_jax.runtime import commands
from converters import engine, tables
from converters.reading import import_torch
from converters.tables import Model

WRAPPED = {  # (wrappers, prefix) of published files; a bare state dict where not named
    'cpn50': (('state_dict',), 'module.'),
    OWN_SIZE: (('model',), ''),
    **{size.name: (size.wrappers, size.prefix) for size in CA_PF},
    **{f'vitpose_{size}': (('state_dict',), '') for size in 'sblh'},
    tables.POSEFORMER: (('model_pos',), ''),
}


def export(source: str | os.PathLike, target: str | os.PathLike, wrapped: bool = False) -> str:
    """Exports one file.

    Args:
      source: a safetensors file of `converters.convert` or of a training run.
      target: the file to write, for torch.load(weights_only=True).
      wrapped: whether the state dict is put under the names that its published file has.

    Returns:
      A summary for the user.

    Raises:
      FileNotFoundError: there is no source.
      ValueError: it does not say what it holds or holds something else, no published model has its
        parts, or the target is called a safetensors file.
      RuntimeError: torch is not installed.
      OSError: the target cannot be written.
    """
    if pathlib.Path(target).suffix == '.safetensors':
        raise ValueError(
            f"the target is {target}, but what is written is PyTorch's format: give it a name such "
            f'as *.pth'
        )
    torch = import_torch()
    variables, metadata = weight_files.load_weights(source, as_stored=True)
    model = model_of(source, variables, metadata)
    notes = []
    if not model.head and 'head' in variables['detector'].get('params', {}):
        del variables['detector']['params']['head']
        notes.append("  left out: the detector's heatmap head, which published files do not have")
    different = weight_files.differing_tensors(variables, model.expected())
    if different:
        raise ValueError(
            f'{source} does not hold the model that it describes: {len(different)} tensors differ, '
            f'first {different[0]}; convert or train it again'
        )
    aside = weight_files.load_unused(source)
    state = engine.to_torch(variables, model.rules, aside, consume=True)
    notes += _notes(model, state, aside)
    wrappers, prefix = _around(model, metadata) if wrapped else ((), '')
    saved: Any = {prefix + key: _tensor(torch, array) for key, array in state.items()}
    for wrapper in reversed(wrappers):
        saved = {wrapper: saved}
    _save(torch, saved, pathlib.Path(target))
    around = ''.join(f', under {name!r}' for name in wrappers) + (prefix and f', with {prefix!r}')
    first = f'{source}: {model.name}, {len(state)} keys{around}'
    return '\n'.join([first, *notes, f'written: {target}'])


def model_of(
    path: str | os.PathLike, variables: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Model:
    """The model that a file of ours says it holds.

    Raises:
      ValueError: it does not say so, or no published model has its parts.
    """
    needed = {'kind': 'kind', 'name': 'name', 'skeleton': 'skeleton', 'settings': 'model'}
    known = {field: metadata.get(name) for field, name in needed.items()}
    missing = [needed[field] for field, value in known.items() if value is None]
    if not missing and known['kind'] not in tables.JOINT_AXES:
        missing = ['kind']
    if missing:
        raise ValueError(
            f'{path} does not say its {", ".join(missing)}, so that it cannot be exported: make '
            f'it with python -m converters.convert or python -m capf_jax.train of this version'
        )
    is_ca_pf = metadata['kind'] == tables.CA_PF_KIND
    if is_ca_pf and not variables.get('detector'):
        raise ValueError(
            f'{path} is a lifter of coordinates alone, which was never published: there is '
            f'no PyTorch layout for it'
        )
    model = Model(**known, naming=metadata.get('naming', tables.OFFICIAL))
    try:
        if is_ca_pf and isinstance(model.detector, HRNet):
            model = dataclasses.replace(model, head=False)
        _ = model.rules
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(
            f'{path} does not describe its {model.kind} completely ({error}): convert or train it '
            f'again'
        ) from error
    return model


def _notes(model: Model, state: Mapping[str, np.ndarray], aside: Mapping[str, Any]) -> list[str]:
    """What in the exported file is not of this model."""
    blank = [rule.key for rule in model.rules if rule.path is None and rule.shape]
    blank = [key for key in blank if key not in aside]
    absent = [rule.key for rule in model.rules if rule.key not in state]
    notes = []
    if blank:
        notes.append(f'  zeros, since nothing here uses them: {len(blank)} ({blank[0]}, ...)')
    if absent:
        notes.append(
            f'  left out, since they were dropped: {len(absent)} ({absent[0]}, ...); load with '
            f'strict=False'
        )
    return notes


def _around(model: Model, metadata: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Wrappers and prefix: the converted file's own, else those of the published file."""
    source = metadata.get('source') or {}
    if 'wrappers' in source:
        return tuple(source['wrappers']), source.get('prefix', '')
    return WRAPPED.get(model.name, ((), ''))


def _tensor(torch: Any, array: np.ndarray) -> Any:
    """A PyTorch tensor of an array's memory and type."""
    if array.dtype == jnp.bfloat16:  # which torch does not take from numpy
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _save(torch: Any, saved: Any, target: pathlib.Path) -> None:
    """Writes the file; one of that name stays whole until the new one is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
    try:
        with temporary.open('wb') as file:
            torch.save(saved, file)
        os.replace(temporary, target)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as the latter
        raise OSError(f'the weights could not be written to {target}: {error}') from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m converters.export',
        description="A weight file of ours -> PyTorch's layout, key for key.",
    )
    parser.add_argument('source', help='safetensors file of converters.convert or of a run')
    parser.add_argument('target', help='file to write, such as *.pth')
    parser.add_argument(
        '--wrapped',
        action='store_true',
        help="put the state dict under the published file's names, such as 'model'",
    )
    given = parser.parse_args(argv[1:])
    print(export(given.source, given.target, given.wrapped))
    return 0


if __name__ == '__main__':
    commands.run(main)

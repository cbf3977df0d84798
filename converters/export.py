"""Exports a weight file of this project to PyTorch's layout, key for key.

    python -m converters.export weights.safetensors weights.pth
    python -m converters.export runs/h36m/lifter.safetensors ca_pf.pth --wrapped

The source is a file that `python -m converters.convert` or a training run has written. The target
is a state dict that the published code loads strictly. With --wrapped the file has the outer names
and the key prefix of the published file, such as 'model' and 'module.'.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from etils import epath

from capf_jax.errors import UserError
from capf_jax.inference import units, weight_files
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.published_sizes import CA_PF, OWN_SIZE
from capf_jax.runtime import commands, files
from converters import engine, tables
from converters.pytorch_files import import_torch
from converters.tables import Model

# (wrappers, prefix) of published files; those that are not here are bare state dicts.
WRAPPED = {
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
      UserError: the source does not say what it holds or holds something else, no published model
        has its parts, or the target is called a safetensors file.
      RuntimeError: torch is not installed.
      OSError: the target cannot be written.
    """
    target = files.user_path(target)
    if target.suffix == '.safetensors':
        raise UserError(
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
    if model.kind == tables.CA_PF_KIND:
        # A run of ours may give another unit than the published code of these joints.
        variables['lifter'] = units.in_unit(
            variables['lifter'], units.unit_of(metadata), units.published(model.skeleton)
        )
    different = weight_files.differing_tensors(variables, model.expected())
    if different:
        raise UserError(
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
    _save(torch, saved, target)
    around = ''.join(f', under {name!r}' for name in wrappers) + (prefix and f', with {prefix!r}')
    first = f'{source}: {model.name}, {len(state)} keys{around}'
    return '\n'.join([first, *notes, f'written: {target}'])


def model_of(
    path: str | os.PathLike, variables: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Model:
    """The model that a weight file says it holds.

    Args:
      path: the file, for the error.
      variables: its tensors, of which it matters only whether a detector is among them.
      metadata: what the file says of itself.

    Raises:
      UserError: it does not say so, or no published model has its parts.
    """
    names = ('kind', 'name', 'skeleton', 'model')
    missing = [name for name in names if metadata.get(name) is None]
    if not missing and metadata['kind'] not in tables.JOINT_AXES:
        missing = ['kind']
    if missing:
        raise UserError(
            f'{path} does not say its {", ".join(missing)}, so that it cannot be exported: make '
            f'it with python -m converters.convert or python -m capf_jax.train of this version'
        )
    is_ca_pf = metadata['kind'] == tables.CA_PF_KIND
    if is_ca_pf and not variables.get('detector'):
        raise UserError(
            f'{path} is a lifter of coordinates alone, which was never published: there is '
            f'no PyTorch layout for it'
        )
    if metadata.get('naming') == tables.TENSORFLOW or _is_of_movenet(metadata):
        raise UserError(
            f'{path} holds a MoveNet, which was published for TensorFlow alone: there is no '
            f'PyTorch layout for it'
        )
    fields = [metadata[name] for name in names]
    model = Model(*fields, naming=metadata.get('naming', tables.OFFICIAL))
    try:
        if is_ca_pf and isinstance(model.detector, HRNet):
            model = dataclasses.replace(model, head=False)
        _ = model.rules
    except (KeyError, AttributeError, TypeError) as error:
        raise UserError(
            f'{path} does not describe its {model.kind} completely ({error}): convert or train it '
            f'again'
        ) from error
    return model


def _is_of_movenet(metadata: Mapping[str, Any]) -> bool:
    model = metadata['model']
    return isinstance(model, Mapping) and str(model.get('detector')).startswith('movenet')


def _notes(model: Model, state: Mapping[str, np.ndarray], aside: Mapping[str, Any]) -> list[str]:
    """Lines for the user about keys that the exported file has or lacks beyond the weights."""
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
    """Wrappers and prefix: those of the file that was converted, else of the published file."""
    source = metadata.get('source') or {}
    if 'wrappers' in source:
        return tuple(source['wrappers']), source.get('prefix', '')
    return WRAPPED.get(model.name, ((), ''))


def _tensor(torch: Any, array: np.ndarray) -> Any:
    """A PyTorch tensor of an array's memory and type."""
    if array.dtype == jnp.bfloat16:  # torch takes no NumPy array of this type
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _save(torch: Any, saved: Any, target: epath.Path) -> None:
    """Writes the file; an older file of that name stays until the new one is whole."""
    try:
        with files.whole(target) as temporary, temporary.open('wb') as file:
            torch.save(saved, file)
    except RuntimeError as error:  # torch raises it for a full disk, too
        raise OSError(
            f'the weights could not be written to {target} ({error}); '
            'make room there, or name another folder'
        ) from error


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('converters.export', __doc__)
    parser.add_argument('source', help='safetensors file of converters.convert or of a run')
    parser.add_argument('target', help='file to write, such as weights.pth')
    help = "put the state dict under the published file's names, such as 'model'"
    parser.add_flag('wrapped', default=False, help=help)
    values = parser.parse(argv)
    print(export(values.source, values.target, values.wrapped))
    return 0


if __name__ == '__main__':
    commands.run(main)

"""Exports a weight file of this project to PyTorch's layout, key for key.

    python -m converters.export runs/h36m/lifter.safetensors ca_pf.bin
    python -m converters.export weights.safetensors weights.pth --bare

The source is a file that `python -m converters.convert` or a training run has written. The target
has the form that the published evaluation script of its model reads: {'model': state dict} for a
CA-PF of Human3.6M, a bare state dict with 'module.' before every key for one of MPI-INF-3DHP,
{'model_pos': state dict} for PoseFormer. Of a CA-PF-S the lifter alone is written, as {'model':
state dict}. With --bare it is a state dict and nothing around it, for
load_state_dict. With --wrapped it has the form of the file that was converted.
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
from capf_jax.runtime import commands, files
from converters import engine, namings, tables
from converters.descriptions import model_of
from converters.pytorch_files import import_torch
from converters.tables import Model


@dataclasses.dataclass(frozen=True)
class Form:
    """What is around an exported state dict.

    Attributes:
      wrappers: the names under which it lies, outermost first.
      prefix: what stands before every key.
      reader: what reads a file of this form.
    """

    wrappers: tuple[str, ...] = ()
    prefix: str = ''
    reader: str = 'load_state_dict'


FORMS = ('published', 'bare', 'source')  # see the module's docstring
_STATE_DICT = ('state_dict',)
# The published training script of MPI-INF-3DHP cuts the first seven letters off every key, and
# PoseFormer's loads into a DataParallel whose keys begin with 'module.', without being strict.
HUMAN36M = Form(('model',), '', 'the published train.py --eval of Human3.6M')
MPI_INF_3DHP = Form((), 'module.', 'the published run_3dhp.py --reload 1')
CA_PF_S = Form(('model',), '', 'a script like the published train.py of Human3.6M')
PUBLISHED = {
    'cpn50': Form(_STATE_DICT, 'module.', 'the published train.py as the detector'),
    tables.POSEFORMER: Form(
        ('model_pos',), 'module.', 'the published run_poseformer.py --evaluate'
    ),
}


def export(source: str | os.PathLike, target: str | os.PathLike, form: str = 'published') -> str:
    """Exports one file.

    Args:
      source: a safetensors file of `converters.convert` or of a training run.
      target: the file to write, for torch.load(weights_only=True).
      form: one of `FORMS`: 'published' as the published evaluation script reads it, 'bare' without
        anything around the state dict, 'source' as the file that was converted.

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
    try:
        model = model_of(source, variables, metadata)
    except UserError as error:
        if str(source) in str(error):
            raise
        raise UserError(f'{source} cannot be exported: {error}') from error
    notes = []
    if model.kind == tables.CA_PF_S:
        beside = [part for part in ('detector', 'projection') if variables.pop(part, None)]
        if beside:
            notes.append(f'  left out: the {" and the ".join(beside)}; it is given context vectors')
    elif not model.head and 'head' in variables['detector'].get('params', {}):
        del variables['detector']['params']['head']
        notes.append("  left out: the detector's heatmap head, which published files do not have")
    if model.kind in (tables.CA_PF_KIND, tables.CA_PF_S):
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
    around = form_of(model, metadata, form)
    saved: Any = {around.prefix + key: _tensor(torch, array) for key, array in state.items()}
    for wrapper in reversed(around.wrappers):
        saved = {wrapper: saved}
    _save(torch, saved, target)
    first = f'{source}: {model.name}, {len(state)} keys of {namings.TITLES[model.naming]}'
    return '\n'.join([first, f'  as {described(around)}', *notes, f'written: {target}'])


def form_of(model: Model, metadata: Mapping[str, Any], form: str) -> Form:
    """What is around the state dict of a model in a file.

    Args:
      model: the model.
      metadata: what its weight file says of itself; a converted file says how its source was.
      form: one of `FORMS`.
    """
    source = metadata.get('source') or {}
    if form == 'bare':
        return Form()
    if form == 'source' and 'wrappers' in source:
        reader = f'what reads {source.get("file", "the file that was converted")}'
        return Form(tuple(source['wrappers']), source.get('prefix', ''), reader)
    if model.kind == tables.CA_PF_S:
        return CA_PF_S
    if model.kind == tables.CA_PF_KIND:
        return MPI_INF_3DHP if model.skeleton == tables.MPI_INF_3DHP else HUMAN36M
    if model.naming in namings.MMPOSE_HEADS or model.name.startswith('vitpose'):
        reads = {namings.TRANSFORMERS: Form((), '', "transformers' load_state_dict")}
        return reads.get(model.naming, Form(_STATE_DICT, '', "MMPose's tools/test.py"))
    return PUBLISHED.get(model.name, Form())


def described(form: Form) -> str:
    """A form in words: what it looks like, and what reads it."""
    inside = 'a bare state dict' if not form.wrappers else 'a state dict'
    looks = inside + ''.join(f' under {name!r}' for name in reversed(form.wrappers))
    prefix = f' with {form.prefix!r} before every key' if form.prefix else ''
    return f'{looks}{prefix}, which {form.reader} reads'


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
    parser.add_flag('bare', default=False, help='write the state dict with nothing around it')
    help = 'give it the form of the file that was converted, such as its prefixes'
    parser.add_flag('wrapped', default=False, help=help)
    values = parser.parse(argv)
    if values.bare and values.wrapped:
        raise UserError('--bare and --wrapped exclude each other: give one of the two')
    form = 'bare' if values.bare else 'source' if values.wrapped else 'published'
    print(export(values.source, values.target, form))
    return 0


if __name__ == '__main__':
    commands.run(main)

"""Says what a weight file is, without converting anything.

    python -m converters.inspect best_epoch_hrnet_32.bin
    python -m converters.inspect runs/h36m/lifter.safetensors
    python -m converters.inspect human-models.tgz --model=movenet_thunder

The file is a published one, as `python -m converters.convert` takes it, or one of this project.
Told are the model, its joints and the unit of its poses, its parameters and FLOPs, the crops that
it takes, what would be dropped, and how it differs from the nearest known model if it does not fit.
FLOPs are twice the multiply-adds of the dense layers and convolutions for one person.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from capf_jax import errors
from capf_jax.inference import detector_weights, model_settings, networks, weight_files
from capf_jax.models import cost
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.cost import Cost
from capf_jax.pose import skeletons
from capf_jax.runtime import commands
from converters import advice, reading, recognise, tables
from converters.conversion import describe, recognised, summary
from converters.descriptions import model_of
from converters.origins import PUBLISHED
from converters.tables import Model

SHOWN = 6  # keys of a file that is of no known model


def inspect(path: str | os.PathLike, name: str = '') -> str:
    """What a weight file is, in lines for the user.

    Args:
      path: a published file, or one of this project.
      name: which model of an npm package (.tgz) is asked for; '' for other files.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it holds no weights, is damaged, or asks for code to be run.
    """
    if name:
        recognise.check_name(name)
    if reading.is_ours(path):
        return '\n'.join(_ours(path))
    return '\n'.join(_published(path, PUBLISHED.get(name, '')))


def _published(path: str | os.PathLike, inside: str = '') -> list[str]:
    """What a published file is, or a model inside an npm package."""
    opened, model, likeness = recognised(reading.read(path, inside))
    if likeness == 0:
        shapes = [f'{key} {array.shape}' for key, array in list(opened.state.items())[:SHOWN]]
        part = advice.of_part(opened)
        return [
            f'{opened.path} (SHA-256 {opened.sha256})',
            f'  is of no known model; it holds {len(opened.state):,} tensors, first '
            f'{"; ".join(shapes)}',
            *([f'  {part}'] if part else []),
            f'  known are {", ".join(tables.names())}',
        ]
    expected = model.expected()
    what = f'{opened.path} as {model.name}, the nearest known model,'
    fault = advice.fault(what, opened, model, expected)
    metadata = describe(opened, model)
    lines = summary(opened, model, metadata, expected, is_whole=not fault)
    shapes = {key: array.shape for key, array in opened.state.items()}
    joints = recognise.number_of_joints(model, shapes)
    if joints in (None, len(skeletons.get(model.skeleton))):
        lines.append(f'  {advice.of_joints(model, is_sure=False)}')
    else:
        lines.append(f'  joints: {joints}; {advice.for_joints(joints)}')
    lines += _figures(model, metadata)
    if fault:
        return [*lines, fault]
    return [*lines, f'convert it: python -m converters.convert {opened.path} FILE.safetensors']


def _ours(path: str | os.PathLike) -> list[str]:
    """What a weight file of this project is."""
    variables, metadata = weight_files.load_weights(path, as_stored=True)
    leaves: dict[tuple[str, ...], Any] = flatten_dict(variables)
    numbers = sorted({str(leaf.dtype) for leaf in leaves.values()})
    lines = [f'{path}', f'  is a weight file of this project: {metadata.get("name")}']
    source = metadata.get('source')
    if isinstance(source, Mapping):
        lines.append(f'  converted from {source.get("file")} (SHA-256 {source.get("sha256")})')
    if metadata.get('step') is not None:
        lines.append(f'  trained here up to step {metadata["step"]}')
    lines.append(f'  numbers: {", ".join(numbers)}')
    for reason, keys in (metadata.get('dropped') or {}).items():
        lines.append(f'  dropped when converted, {reason}: {len(keys)}')
    if metadata.get('kind') == detector_weights.CLASSIFIER:
        return [*lines, *_of_classifier(variables, metadata)]
    try:
        model = model_of(path, variables, metadata)
        lines += [f'  {advice.of_joints(model, is_sure=True)}', *_figures(model, metadata)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A network that was never published is still one of ours, and metadata may be a stranger's.
        told = _never_published(variables, metadata) or _counted(variables, metadata)
        return [*lines, *told, f'it cannot be exported: {errors.printable(str(error))}']
    return [*lines, f'export it: python -m converters.export {path} FILE.pth']


def _of_classifier(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """Lines about a detector's network that has learnt to tell classes of people apart."""
    classes = errors.printable(str(metadata.get('classes')))
    return [
        *_parameter_lines(variables, ('detector', 'classifier')),
        f'  tells classes apart: {classes}',
        '  poses: none, and no joints; it cannot be exported',
        '  a lifter takes its maps by --config.model.detector_weights=FILE '
        '--noconfig.model.detector_head',
    ]


def _never_published(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """Lines about a network of ours without a PyTorch layout; none if it says not what it is."""
    try:
        if metadata['kind'] == tables.PERSON_FINDER:
            finder = dataclasses.replace(tables.multipose(), settings=metadata['model'])
            return [f'  joints: {metadata["skeleton"]}', *_figures(finder, metadata)]
        networks.build(variables, metadata)  # It raises an error unless tensors and words agree.
        joint_set = skeletons.get(metadata['skeleton'])
        section = networks.model_section(metadata)
        crop = networks.crop_size(metadata)
        if metadata['kind'] == tables.DETECTOR:
            entry = model_settings.detector_entry(section)
            crop, unit = crop or entry.crop, ''
            parts = {'detector': cost.detector_cost(entry.build(len(joint_set)), crop)}
        else:
            is_sequence = metadata['kind'] == tables.CA_PF_S
            frames = int(metadata['frames']) if is_sequence else None
            whole = model_settings.context_aware_pose_former(section, joint_set, frames=frames)
            crop, unit = crop or whole.entry.crop, str(metadata.get('unit', 'm'))
            parts = (cost.sequence_costs if is_sequence else cost.costs)(whole, crop)
    except (AttributeError, KeyError, TypeError, ValueError):
        return []
    return [
        f'  joints: {metadata["skeleton"]} ({", ".join(joint_set.joints[:4])}, ...)',
        *_cost_lines(parts),
        f'  poses: {_unit_title(unit) if unit else "none, it is a 2D detector"}',
        *([_crops_line(crop, needs_joints=bool(unit))] if 'detector' in parts else []),
    ]


def _cost_lines(parts: Mapping[str, Cost]) -> list[str]:
    return [
        f'  {part}: {one.parameters:,} parameters, {one.flops / 1e9:.3f} GFLOP a person'
        for part, one in parts.items()
    ]


def _unit_title(unit: str) -> str:
    title = {'m': 'metres', 'mm': 'millimetres'}.get(unit, errors.printable(unit))
    return f'{title}, relative to the root joint'


def _crops_line(crop: tuple[int, int], needs_joints: bool, of_any_size: bool = False) -> str:
    line = f'  input: RGB crops of {crop[0]}x{crop[1]} pixels'
    line += ', or of any whose sides are multiples of 32' if of_any_size else ''
    return line + (', and 2D joints' if needs_joints else '')


def _counted(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """What the tensors and metadata alone tell: parameters by part, joints, and the pose's unit."""
    lines = _parameter_lines(variables, ('detector', 'lifter'))
    lines.append(f'  joints: {errors.printable(str(metadata.get("skeleton")))}')
    if 'lifter' in variables:
        lines.append(f'  poses: {errors.printable(str(metadata.get("unit", "m")))}')
    return lines


def _parameter_lines(variables: Mapping[str, Any], parts: Sequence[str]) -> list[str]:
    """The number of parameters of each part that has any."""
    lines = []
    for part in parts:
        leaves: dict[tuple[str, ...], Any] = flatten_dict(variables.get(part) or {})
        count = sum(leaf.size for path, leaf in leaves.items() if 'batch_stats' not in path)
        if count:
            lines.append(f'  {part}: {count:,} parameters')
    return lines


def _unit(metadata: Mapping[str, Any], model: Model) -> str:
    """'m' or 'mm', of a model's poses: published code trains on MPI-INF-3DHP in millimetres."""
    is_of_3dhp = model.kind == tables.CA_PF_KIND and model.skeleton == tables.MPI_INF_3DHP
    return str(metadata.get('unit', 'mm' if is_of_3dhp and 'converter' in metadata else 'm'))


def _figures(model: Model, metadata: Mapping[str, Any]) -> list[str]:
    """Lines about the parameters, FLOPs, poses and input of a model, from its file's metadata."""
    parts = costs(model)
    lines = _cost_lines(parts)
    if model.kind == tables.POSEFORMER:
        crops = f'  input: 2D joints of {model.poseformer.frames} frames'
    elif model.kind == tables.CA_PF_S:
        what = 'maps' if model.temporal_lifter.runs_deformable else 'context vectors'
        crops = f'  input: 2D joints and {what} of {model.frames} frames'
    elif model.kind == tables.PERSON_FINDER:
        crops = '  input: RGB pictures of any size; the FLOPs are those of {}x{} pixels'.format(
            *model.crop
        )
    else:
        is_of_any_size = networks.crop_size(metadata) is None
        crops = _crops_line(model.crop, model.kind == tables.CA_PF_KIND, is_of_any_size)
    if model.kind in (tables.DETECTOR, tables.PERSON_FINDER):
        return [*lines, '  poses: none, it is a 2D detector', crops]
    return [*lines, f'  poses: {_unit_title(_unit(metadata, model))}', crops]


def costs(model: Model) -> dict[str, Cost]:
    """Parameters and FLOPs of a model for one person, by its part."""
    if model.kind == tables.POSEFORMER:
        module = model.poseformer
        joints = jax.ShapeDtypeStruct((1, module.frames, module.num_joints, 2), jnp.float32)
        return {'lifter': cost.cost(module, joints)}
    if model.kind == tables.CA_PF_S:
        return {'lifter': cost.cost(model.temporal_lifter, *model.temporal_inputs)}
    if model.kind == tables.DETECTOR:
        return {'detector': cost.detector_cost(model.detector, model.crop)}
    if model.kind == tables.PERSON_FINDER:
        return {'person finder': cost.detector_cost(model.person_finder, model.crop)}
    joint_set = skeletons.get(model.skeleton)
    whole = model_settings.context_aware_pose_former(model.config.model, joint_set)
    whole = ContextAwarePoseFormer(
        lifter=whole.lifter,
        detector=model.detector,
        entry=whole.entry,
        joint_places=whole.joint_places,
        detector_joints=whole.detector_joints,
    )
    return cost.costs(whole, model.crop)


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('converters.inspect', __doc__)
    parser.add_argument('file', help='a published weight file, or one of this project')
    parser.add_argument('--model', default='', help='which model of an npm package (.tgz) it is')
    values = parser.parse(argv)
    print(inspect(values.file, values.model))
    return 0


if __name__ == '__main__':
    commands.run(main)

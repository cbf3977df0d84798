"""Says what a weight file is, without converting anything.

    python -m converters.inspect best_epoch_hrnet_32.bin
    python -m converters.inspect runs/h36m/lifter.safetensors

The file is a published one, as `python -m converters.convert` takes it, or one of this project.
Told are the model, its joints and the unit of its poses, its parameters and FLOPs, the crops that
it takes, what would be dropped, and how it differs from the nearest known model if it does not fit.
FLOPs are twice the multiply-adds of the dense layers and convolutions for one person.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from capf_jax import errors
from capf_jax.inference import model_settings, networks, weight_files
from capf_jax.models import cost
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.cost import Cost
from capf_jax.pose import skeletons
from capf_jax.runtime import commands
from converters import advice, reading, recognise, tables
from converters.conversion import describe, recognised, summary
from converters.descriptions import model_of
from converters.tables import Model

SHOWN = 6  # keys of a file that is of no known model


def inspect(path: str | os.PathLike) -> str:
    """What a weight file is, in lines for the user.

    Args:
      path: a published file, or one of this project.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it holds no weights, is damaged, or asks for code to be run.
    """
    if reading.is_ours(path):
        return '\n'.join(_ours(path))
    return '\n'.join(_published(path))


def _published(path: str | os.PathLike) -> list[str]:
    """What a published file is."""
    opened, model, likeness = recognised(reading.read(path))
    if likeness == 0:
        shapes = [f'{key} {array.shape}' for key, array in list(opened.state.items())[:SHOWN]]
        return [
            f'{opened.path} (SHA-256 {opened.sha256})',
            f'  is of no known model; it holds {len(opened.state):,} tensors, first '
            f'{"; ".join(shapes)}',
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
    try:
        model = model_of(path, variables, metadata)
        lines += [f'  {advice.of_joints(model, is_sure=True)}', *_figures(model, metadata)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A network that was never published is still one of ours, and metadata may be a stranger's.
        return [*lines, *_counted(variables, metadata), f'it cannot be exported: {error}']
    return [*lines, f'export it: python -m converters.export {path} FILE.pth']


def _counted(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """What the tensors and metadata alone tell: parameters by part, joints, and the pose's unit."""
    lines = []
    for part in ('detector', 'lifter'):
        leaves: dict[tuple[str, ...], Any] = flatten_dict(variables.get(part) or {})
        count = sum(leaf.size for path, leaf in leaves.items() if 'batch_stats' not in path)
        if count:
            lines.append(f'  {part}: {count:,} parameters')
    lines.append(f'  joints: {errors.printable(str(metadata.get("skeleton")))}')
    if 'lifter' in variables:
        lines.append(f'  poses: {errors.printable(str(metadata.get("unit", "m")))}')
    return lines


def _unit(metadata: Mapping[str, Any], model: Model) -> str:
    """'m' or 'mm', of a model's poses: published code trains on MPI-INF-3DHP in millimetres."""
    is_of_3dhp = model.kind == tables.CA_PF_KIND and model.skeleton == tables.MPI_INF_3DHP
    return str(metadata.get('unit', 'mm' if is_of_3dhp and 'converter' in metadata else 'm'))


def _figures(model: Model, metadata: Mapping[str, Any]) -> list[str]:
    """Lines about the parameters, FLOPs, poses and input of a model, from its file's metadata."""
    parts = costs(model)
    lines = [
        f'  {part}: {one.parameters:,} parameters, {one.flops / 1e9:.3f} GFLOP a person'
        for part, one in parts.items()
    ]
    if model.kind == tables.POSEFORMER:
        crops = f'input: 2D joints of {model.poseformer.frames} frames'
    elif model.kind == tables.CA_PF_S:
        what = 'maps' if model.temporal_lifter.runs_deformable else 'context vectors'
        crops = f'input: 2D joints and {what} of {model.frames} frames'
    elif model.kind == tables.PERSON_FINDER:
        crops = 'input: RGB pictures of any size; the FLOPs are those of {}x{} pixels'.format(
            *model.crop
        )
    else:
        crops = f'input: RGB crops of {model.crop[0]}x{model.crop[1]} pixels'
        if networks.crop_size(metadata) is None:
            crops += ', or of any whose sides are multiples of 32'
        crops += ', and 2D joints' if model.kind == tables.CA_PF_KIND else ''
    if model.kind in (tables.DETECTOR, tables.PERSON_FINDER):
        return [*lines, '  poses: none, it is a 2D detector', f'  {crops}']
    unit = _unit(metadata, model)
    title = {'m': 'metres', 'mm': 'millimetres'}.get(unit, unit)
    return [*lines, f'  poses: {title}, relative to the root joint', f'  {crops}']


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
    print(inspect(parser.parse(argv).file))
    return 0


if __name__ == '__main__':
    commands.run(main)

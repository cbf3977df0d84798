"""From the content of a weight file to the networks in it, ready to run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from capf_jax.backends import programs
from capf_jax.errors import UserError
from capf_jax.inference import model_settings, units
from capf_jax.inference.network_check import check
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors.catalog import CROP, ENTRIES, DetectorEntry
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.movenet import MoveNet
from capf_jax.models.poseformer import PoseFormer
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A Flax module with its variables, on the device.

    Attributes:
      module: it, not its variables, decides what is compiled anew.
      variables: {'params'}, of a detector also 'batch_stats' and what `programs.prepared` adds.
      entry: what the catalog says of a detector; None for other networks.
      joints: that a detector finds, in order; None for other networks.
      whole: the model that a lifter is a part of; None for other networks.
      maps: shapes of the feature maps that a detector gives for one crop, batch first.
    """

    module: nn.Module
    variables: Any = dataclasses.field(repr=False)
    entry: DetectorEntry | None = None
    joints: Skeleton | None = None
    whole: ContextAwarePoseFormer | None = None
    maps: tuple[jax.ShapeDtypeStruct, ...] = ()


def build(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Network]:
    """The networks of a weight file: detector, lifter, sequence_lifter, projection.

    Args:
      variables: its tensors, nested.
      metadata: its 'kind', 'skeleton' and 'model' are read.

    Raises:
      UserError: the metadata does not describe a model, or not the one whose tensors these are.
    """
    kind = metadata.get('kind')
    if kind == 'person_finder':
        raise UserError(
            'it finds the people of whole pictures: open it by '
            'capf_jax.inference.people_finder.PeopleFinder.load'
        )
    if kind == 'classifier':
        raise UserError(
            'it holds a network that tells classes of people apart and finds no joints: train a '
            'lifter on it by config.model.detector_weights'
        )
    is_described = {'skeleton', 'model'} <= metadata.keys()
    if not isinstance(kind, str) or kind not in KINDS or not is_described:
        raise UserError(
            'it does not say what model it holds (kind, skeleton, model): make it with '
            'python -m converters.convert, or train again'
        )
    _check_counts(metadata['model'], len(jax.tree.leaves(variables)))
    try:
        return KINDS[kind](variables, metadata)
    except (KeyError, AttributeError, TypeError) as error:  # whatever stands in a stranger's JSON
        raise UserError(
            f'it does not describe its {kind} completely ({error}): convert or train it again'
        ) from error


def _check_counts(model: Any, tensors: int) -> None:
    """Raises a UserError if a model is said to have more parts than a file has tensors.

    Building so many would take for ever.
    """
    if not isinstance(model, Mapping):
        return
    for name, value in model.items():
        _check_counts(value, tensors)
        numbers = value if isinstance(value, (list, tuple)) else [value]
        counts = [n for n in numbers if isinstance(n, (int, float))]
        if name in PARTS and max(counts, default=0) > tensors:
            raise UserError(
                f'it says that it has {max(counts):,} {name}, but it holds only {tensors} tensors: '
                f'get or make it again'
            )


def crop_size(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """(H, W) of the crops that a file's networks take; None where it does not matter.

    A run of ours says what it was trained on, and a converted file what it takes where that is not
    the size in the catalog. Detectors of convolutions alone take any crops whose sides are
    multiples of their coarsest stride; MoveNet looks for a person in the middle of a square.
    """
    if metadata.get('kind') == 'poseformer':  # which takes none
        return None
    try:
        data = metadata['config']['data']['builder']
        return int(data['height']), int(data['width'])
    except (KeyError, TypeError, ValueError):  # not of a run of ours, or on data of one size
        pass
    if metadata.get('crop'):
        try:
            height, width = metadata['crop']
            return int(height), int(width)
        except (TypeError, ValueError) as error:
            raise UserError(
                f'it says that its crops are {str(metadata["crop"])[:40]!r}, not a height and a '
                f'width: convert it again'
            ) from error
    detector = str(metadata['model'].get('detector', ''))
    is_bound = metadata['kind'] != 'detector' or detector.startswith(('vitpose', 'movenet'))
    if detector == 'hrnet' or not is_bound:
        return None
    return ENTRIES[detector].crop if detector in ENTRIES else CROP


def _detector(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Network]:
    entry = model_settings.detector_entry(model_section(metadata))
    joints = skeletons.get(metadata['skeleton'])
    module = entry.build(len(joints))
    return {
        'detector': _frozen(module, entry, joints, variables, crop_size(metadata) or entry.crop)
    }


def _ca_pf(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Network]:
    settings, joint_set = model_section(metadata), skeletons.get(metadata['skeleton'])
    model = model_settings.context_aware_pose_former(settings, joint_set)
    return _on_a_detector(variables, metadata, model, 'lifter')


def _on_a_detector(
    variables: Mapping[str, Any],
    metadata: Mapping[str, Any],
    model: ContextAwarePoseFormer,
    part: str,
) -> dict[str, Network]:
    """The detector of a whole model, where it has one, and its lifter by the name `part`."""
    settings, joint_set = model_section(metadata), skeletons.get(metadata['skeleton'])
    networks, maps = {}, ()
    # The published files of CA-PF-S are lifters of context vectors, without what makes these.
    if model.detector is not None and (part == 'lifter' or 'detector' in variables):
        finds = model_settings.detector_joints(settings, joint_set)
        crop = crop_size(metadata) or model.entry.crop
        detector = _frozen(model.detector, model.entry, finds, variables['detector'], crop)
        maps = detector.maps
        # A robust lifter's conversion is made for all joints that the detector finds.
        if model.joint_places and model.conversion is None and model.reading is None:
            detector = _of_joints(detector, joint_set, model.joint_places)
        networks['detector'] = detector
    joints, people = model.lifter.num_joints, getattr(model.lifter, 'frames', 1)

    def floats(*shape: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((people, *shape), jnp.float32)

    joints2d, joints2d_crop = floats(joints, model.lifter.joint_numbers), floats(joints, 2)
    inputs: tuple[Any, ...] = joints2d, joints2d_crop, tuple(floats(*m.shape[1:]) for m in maps)
    if part == 'sequence_lifter' and model.detector and not model.lifter.runs_deformable:
        widths = model.entry.channels
        if model.projection is not None:
            widths = [model.projection.channels] * len(widths)
        inputs = joints2d, joints2d_crop, (), tuple(floats(joints, width) for width in widths)
    check(variables['lifter'], model.lifter, *inputs)
    in_metres = units.in_unit(variables['lifter'], units.unit_of(metadata), 'm')
    networks[part] = Network(model.lifter, jax.device_put(in_metres), whole=model)
    return networks


def _ca_pf_s(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Network]:
    settings, joint_set = model_section(metadata), skeletons.get(metadata['skeleton'])
    whole = model_settings.context_aware_pose_former(
        settings, joint_set, frames=int(metadata['frames'])
    )
    networks = _on_a_detector(variables, metadata, whole, 'sequence_lifter')
    if whole.projection is not None and 'projection' in variables:
        contexts = [
            jax.ShapeDtypeStruct((1, len(joint_set), channels), jnp.float32)
            for channels in whole.entry.channels
        ]
        check(variables['projection'], whole.projection, contexts)
        networks['projection'] = Network(whole.projection, jax.device_put(variables['projection']))
    return networks


def _poseformer(variables: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Network]:
    module = PoseFormer(**metadata['model'])
    shape = (1, module.frames, module.num_joints, 2)
    check(variables, module, jax.ShapeDtypeStruct(shape, jnp.float32))
    in_metres = units.in_unit(variables, units.unit_of(metadata), 'm')
    return {'sequence_lifter': Network(module, jax.device_put(in_metres))}


# Fields of a model that count parts, of which each has several tensors.
PARTS = ('layers', 'temporal_layers', 'depth', 'blocks', 'modules', 'bottlenecks')
KINDS = {
    'detector': _detector,
    'ca_pf': _ca_pf,
    'ca_pf_s': _ca_pf_s,
    'poseformer': _poseformer,
}


def _frozen(
    module: nn.Module,
    entry: DetectorEntry,
    joints: Skeleton,
    variables: Mapping[str, Any],
    crop: tuple[int, int],
) -> Network:
    """A detector for crops of (H, W) pixels, with its variables prepared for the backend at hand.

    Published CA-PF files with an HRNet leave its heatmap head out: then so does the network.
    """
    if isinstance(module, HRNet) and 'head' not in variables['params']:
        module = module.clone(heatmaps=None)
        entry = dataclasses.replace(entry, heatmaps=None, decode=None)
    maps = check(variables, module, jax.ShapeDtypeStruct((1, *crop, 3), jnp.float32))
    return Network(module, jax.device_put(programs.prepared(variables)), entry, joints, maps=maps)


def _of_joints(detector: Network, joints: Skeleton, places: tuple[int, ...]) -> Network:
    """The detector with heatmaps of some of its joints alone, at these places among them.

    One that refines its joints gives all of them, since three of its heads would have to agree.
    """
    assert detector.joints is not None  # every detector has joints
    variables = detector.variables
    if isinstance(detector.module, MoveNet):
        return detector
    if 'head' not in variables['params'] or places == tuple(range(len(detector.joints))):
        return dataclasses.replace(detector, joints=joints)

    def of_places(leaf: Any) -> Any:
        """Joints are the last axis of all that a head has, in every collection."""
        return jax.device_put(np.asarray(leaf)[..., places])

    variables = {
        collection: {**parts, 'head': jax.tree.map(of_places, parts['head'])}
        if 'head' in parts
        else parts
        for collection, parts in variables.items()
    }
    module = detector.module.clone(num_joints=len(joints))
    return dataclasses.replace(detector, module=module, variables=variables, joints=joints)


def model_section(metadata: Mapping[str, Any]) -> ConfigDict:
    """`config.model`, with the tuples that JSON turned into lists."""

    def tuples(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: tuples(item) for name, item in value.items()}
        return tuple(map(tuples, value)) if isinstance(value, list) else value

    return ConfigDict(tuples(metadata['model']))

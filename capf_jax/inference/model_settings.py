"""From `config.model`, or the same section in a weight file, to the modules that it describes."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import own_detectors
from capf_jax.models import ca_pf, second_reading
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.context_projection import ContextProjection
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.catalog import OWN_SIZES, DetectorEntry
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.lifter import Lifter
from capf_jax.models.poseformer import PoseFormer
from capf_jax.models.temporal import TemporalLifter
from capf_jax.pose import joint_conversions, skeletons
from capf_jax.pose.skeletons import Skeleton


def detector_entry(model: ConfigDict) -> DetectorEntry:
    """The catalog's entry of the detector that `config.model` names.

    One of the user's own size has its sizes from the section of its name, such as `model.hrnet`.

    Raises:
      UserError: an unknown detector, or its section describes no network.
    """
    entry = catalog.get(model.detector)
    if entry.name not in OWN_SIZES:
        return entry
    return own_detectors.of_own_size(entry, model[entry.name])


def check_crop(model: ConfigDict, height: int, width: int) -> None:
    """Checks that a dataset's crops are of the size that a published detector takes.

    Detectors that can be trained here may have learnt from crops of any size.

    Args:
      model: `config.model`.
      height, width: of the crops, pixels.

    Raises:
      UserError: an unknown detector, or one that takes other crops.
    """
    entry = detector_entry(model)
    own_joints = model.get('joints2d', ca_pf.DATASET) == ca_pf.DETECTOR
    own_joints = own_joints or second_reading.needs_heatmaps(model.lifter.get('robust', ()))
    runs_detector = model.lifter.ablation_step > 0 or model.lifter.detector_joints or own_joints
    if runs_detector:
        check_crop_of(entry, height, width)


def check_crop_of(entry: DetectorEntry, height: int, width: int) -> None:
    """UserError where a detector takes crops of another size, as `check_crop` has it."""
    is_bound = entry.heatmaps == 'likelihood' or entry.name == 'vitpose'
    if is_bound and (height, width) != entry.crop:
        raise UserError(
            f'{entry.name} takes crops of {entry.crop[0]}x{entry.crop[1]} (height x width), and '
            f'data.builder makes {height}x{width}: set its height and width to those'
            + (', or model.vitpose.crop to the size that it makes' * (entry.name == 'vitpose'))
        )


def without_head(entry: DetectorEntry) -> DetectorEntry:
    """The entry of an HRNet without its heatmap head, as published CA-PF files hold it.

    Raises:
      UserError: the detector is no HRNet, so that its head cannot be left out.
    """
    if not isinstance(entry.build(1), HRNet):
        raise UserError(
            f'model.detector_head is False, but {entry.name} cannot do without its heatmaps; only '
            'an HRNet can'
        )

    def build(num_joints: int, axis_name: str | None = None, dtype: Any = jnp.float32) -> nn.Module:
        return entry.build(num_joints, axis_name=axis_name, dtype=dtype).clone(heatmaps=None)

    return dataclasses.replace(entry, build=build, heatmaps=None, decode=None)


def detector_joints(model: ConfigDict, joint_set: Skeleton) -> Skeleton:
    """The joints that the detector of a lifter's configuration finds.

    Args:
      model: `config.model`.
      joint_set: the lifter's joints.

    Raises:
      UserError: an unknown detector or joint set.
    """
    name = model.detector_skeleton or detector_entry(model).joints
    return skeletons.get(name) if name else joint_set


def lifter(model: ConfigDict, joint_set: Skeleton, dtype: Any = jnp.float32) -> Lifter:
    """The lifter that `config.model.lifter` describes, for these joints.

    Levels left open are all maps of the detector that `model.detector` names. It computes in
    `dtype`, float32 or bfloat16; parameters are float32.

    Raises:
      UserError: an unknown detector.
    """
    return Lifter(num_joints=len(joint_set), dtype=dtype, **_lifter_fields(model))


def _lifter_fields(model: ConfigDict) -> dict[str, Any]:
    fields = dict(model.lifter)
    fields['levels'] = tuple(fields['levels']) or detector_entry(model).levels
    fields['robust'] = tuple(fields.get('robust', ()))  # files of before this field have none
    return fields


def temporal_lifter(
    model: ConfigDict, joint_set: Skeleton, frames: int, dtype: Any = jnp.float32
) -> TemporalLifter:
    """The CA-PF-S that `config.model` describes, for these joints and windows of so many frames.

    Raises:
      UserError: an unknown detector, or heads that cannot share out the channels.
    """
    lifter = TemporalLifter(
        num_joints=len(joint_set),
        frames=frames,
        temporal_layers=model.temporal_layers,
        temporal_heads=model.temporal_heads,
        temporal_position=bool(model.temporal_position),
        dtype=dtype,
        **_lifter_fields(model),
    )
    if lifter.width % lifter.temporal_heads:
        raise UserError(
            f'model.temporal_heads is {lifter.temporal_heads}, which does not divide the '
            f'{lifter.width} channels of a joint ((levels + 1) * channels)'
        )
    return lifter


def poseformer(
    model: ConfigDict, joint_set: Skeleton, frames: int, dtype: Any = jnp.float32
) -> PoseFormer:
    """The PoseFormer whose sizes are in `config.model.lifter`, for windows of so many frames."""
    names = ('channels', 'layers', 'heads', 'mlp_ratio', 'drop_path')
    fields = {name: model.lifter[name] for name in names}
    return PoseFormer(num_joints=len(joint_set), frames=frames, dtype=dtype, **fields)


def context_projection(model: ConfigDict, dtype: Any = jnp.float32) -> ContextProjection | None:
    """The frozen projection of context that `config.model` describes; None where there is none.

    Raises:
      UserError: the lifter needs the maps themselves.
    """
    if not model.projection_channels:
        return None
    if model.lifter.ablation_step >= 3 and model.lifter.deformable:
        raise UserError(
            'model.projection_channels gives the lifter projected vectors in place of the maps, '
            'and deformable extraction looks around in the maps: set it to 0, or '
            'model.lifter.deformable to False'
        )
    if model.lifter.ablation_step == 0:
        raise UserError(
            'model.projection_channels projects context, and model.lifter.ablation_step 0 has '
            'none: set one of the two to another value'
        )
    levels = _lifter_fields(model)['levels']
    return ContextProjection(levels, model.projection_channels, dtype)


def context_aware_pose_former(
    model: ConfigDict,
    joint_set: Skeleton,
    dtype: Any = jnp.float32,
    moving_statistics_axis: str | None = None,
    frames: int | None = None,
) -> ContextAwarePoseFormer:
    """The whole model that `config.model` describes, for these joints.

    Detector and lifter compute in `dtype`, float32 or bfloat16; parameters are float32. Where
    `moving_statistics_axis` names a mapped axis, the detector's BatchNorms work in training mode
    while training, with statistics over all devices of this axis. With `frames` the lifter is the
    CA-PF-S of windows of so many frames.

    Raises:
      UserError: an unknown detector, frame, source of 2D joints or rule for them, or a detector
        that lacks the joints that it is to give the lifter.
    """
    entry, finds = detector_entry(model), detector_joints(model, joint_set)
    if model.lifter.detector_joints and entry.heatmaps is None:
        raise UserError(
            f'model.lifter.detector_joints is set, but {entry.name} finds no joints: choose a '
            f'model.detector with heatmaps'
        )
    missing = [name for name in joint_set.joints if name not in finds.joints]
    if model.lifter.detector_joints and missing:
        raise UserError(
            f'model.lifter.detector_joints is set, but a detector of {finds.name!r} finds no '
            f'{missing[0]}: choose a model.detector_skeleton that has all of {joint_set.name!r}'
        )
    frame, conversion = pose_frame(model), joint_conversion(model, joint_set)
    reading = robust_reading(model, joint_set)
    if conversion is not None and model.lifter.detector_joints:
        raise UserError(
            "model.lifter.detector_joints is set, but with model.joints2d = 'detector' the "
            "lifter's joints are those of the detector already: unset one of the two"
        )
    # Files of before this field have no `detector_head`, and the head.
    if entry.heatmaps is not None and not model.get('detector_head', True):
        if model.lifter.detector_joints or conversion is not None or reading is not None:
            field = 'model.joints2d' if conversion else 'model.lifter.detector_joints'
            field = 'model.lifter.robust' if reading else field
            raise UserError(
                f'{field} asks for the joints of the detector, but model.detector_head is False: '
                'without heatmaps the detector finds no joints'
            )
        entry = without_head(entry)
    runs_detector = (
        model.lifter.ablation_step > 0
        or model.lifter.detector_joints
        or conversion is not None
        or reading is not None
    )
    return ContextAwarePoseFormer(
        lifter=lifter(model, joint_set, dtype)
        if frames is None
        else temporal_lifter(model, joint_set, frames, dtype),
        detector=entry.build(len(finds), axis_name=moving_statistics_axis, dtype=dtype)
        if runs_detector
        else None,
        entry=entry,
        joint_places=() if missing else tuple(map(finds.index, joint_set.joints)),
        detector_joints=model.lifter.detector_joints,
        conversion=conversion,
        other_conversions=0.0 if conversion is None else model.get('other_conversions', 0.0),
        frame=frame,
        moving_statistics=moving_statistics_axis is not None,
        projection=None if frames is None else context_projection(model, dtype),
        reading=reading,
    )


def robust_reading(model: ConfigDict, joint_set: Skeleton) -> joint_conversions.Conversion | None:
    """What makes the joints that a robust lifter compares its 2D input with of the detector's.

    None where no means of `model.lifter.robust` looks at the heatmaps.

    Args:
      model: `config.model`.
      joint_set: the lifter's joints.

    Raises:
      UserError: the means do not fit the rest of the model, or the detector finds no joints.
    """
    robust = tuple(model.lifter.get('robust', ()))  # files of before this field have none
    if not robust:
        return None
    if model.get('joints2d', ca_pf.DATASET) == ca_pf.DETECTOR:
        raise UserError(
            f"model.lifter.robust is {robust}, but with model.joints2d = 'detector' the 2D joints "
            'are what the heatmaps say already: set robust to ()'
        )
    deformable = model.lifter.ablation_step >= 3 and model.lifter.deformable
    if second_reading.WANDER in robust and not deformable:
        raise UserError(
            f'model.lifter.robust has {second_reading.WANDER!r}, which is about sampling points, '
            'and this lifter has no deformable extraction: leave it out'
        )
    if not second_reading.needs_heatmaps(robust):
        return None
    entry = detector_entry(model)
    if entry.heatmaps is None:
        raise UserError(
            f'model.lifter.robust is {robust}, but {entry.name} finds no joints: choose a '
            f'model.detector with heatmaps'
        )
    finds = detector_joints(model, joint_set)
    return joint_conversions.get(finds.name, joint_set.name, model.get('joint_conversion', ''))


def pose_frame(model: ConfigDict) -> str:
    """The frame of the poses, `model.frame`; files of before this field have 'camera'.

    Raises:
      UserError: there is no such frame.
    """
    frame = model.get('frame', ca_pf.CAMERA)
    if frame not in ca_pf.FRAMES:
        raise errors.unknown('model.frame', str(frame), ca_pf.FRAMES)
    return frame


def joint_conversion(model: ConfigDict, joint_set: Skeleton) -> joint_conversions.Conversion | None:
    """What makes the lifter's 2D joints of the detector's; None where they come with the data.

    Files of before the fields `model.joints2d` and `model.joint_conversion` have the data's.

    Args:
      model: `config.model`.
      joint_set: the lifter's joints.

    Raises:
      UserError: there is no such source of joints, no such rule, or the detector finds no joints.
    """
    source = model.get('joints2d', ca_pf.DATASET)
    if source not in ca_pf.JOINTS2D:
        raise errors.unknown('model.joints2d', str(source), ca_pf.JOINTS2D)
    if source == ca_pf.DATASET:
        return None
    entry = detector_entry(model)
    if entry.heatmaps is None:
        raise UserError(
            f"model.joints2d is 'detector', but {entry.name} finds no joints: choose a "
            f'model.detector with heatmaps'
        )
    finds = detector_joints(model, joint_set)
    return joint_conversions.get(finds.name, joint_set.name, model.get('joint_conversion', ''))

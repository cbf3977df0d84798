"""From `config.model`, or the same section in a weight file, to the modules that it describes."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.catalog import DetectorEntry, hrnet_channels
from capf_jax.models.detectors.hrnet import HEATMAPS, HRNet
from capf_jax.models.lifter import Lifter
from capf_jax.pose import skeletons
from capf_jax.pose.skeletons import Skeleton


def detector_entry(model: ConfigDict) -> DetectorEntry:
    """The catalog's entry of the detector that `config.model` names.

    One of the user's own size ('hrnet') has its widths and its joints from `model.hrnet`.

    Raises:
      UserError: an unknown detector, or `model.hrnet` describes no network.
    """
    entry = catalog.get(model.detector)
    if entry.name != 'hrnet':
        return entry
    settings = model.hrnet
    if settings.heatmaps not in HEATMAPS:
        raise UserError(
            f'model.hrnet.heatmaps is {settings.heatmaps!r}; choose one of {", ".join(HEATMAPS)}'
        )
    return dataclasses.replace(
        entry,
        build=functools.partial(own_hrnet, settings=settings),
        channels=hrnet_channels(settings.width),
        heatmaps=settings.heatmaps,
        decode={'gaussian': 'parabola', 'probability': 'mean'}[settings.heatmaps],
        joints=settings.get('skeleton', ''),  # files of before this field have none
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


def own_hrnet(
    num_joints: int,
    axis_name: str | None = None,
    dtype: Any = jnp.float32,
    *,
    settings: ConfigDict,
) -> HRNet:
    """The HRNet that `config.model.hrnet` describes.

    Raises:
      UserError: `modules` does not name three stages.
    """
    if len(settings.modules) != 3 or min(settings.modules) < 1:
        raise UserError(
            f'model.hrnet.modules is {tuple(settings.modules)}; give three numbers of at least '
            f'1, the modules of the stages with 2, 3 and 4 branches'
        )
    return HRNet(
        num_joints=num_joints,
        width=settings.width,
        stem_channels=settings.stem_channels,
        bottlenecks=settings.bottlenecks,
        modules=tuple(settings.modules),
        blocks=settings.blocks,
        heatmaps=settings.heatmaps,
        axis_name=axis_name,
        dtype=dtype,
    )


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
    fields = dict(model.lifter)
    fields['levels'] = tuple(fields['levels']) or detector_entry(model).levels
    return Lifter(num_joints=len(joint_set), dtype=dtype, **fields)


def context_aware_pose_former(
    model: ConfigDict,
    joint_set: Skeleton,
    dtype: Any = jnp.float32,
    moving_statistics_axis: str | None = None,
) -> ContextAwarePoseFormer:
    """The whole model that `config.model` describes, for these joints.

    Detector and lifter compute in `dtype`, float32 or bfloat16; parameters are float32. Where
    `moving_statistics_axis` names a mapped axis, the detector's BatchNorms work in training mode
    while training, with statistics over all devices of this axis.

    Raises:
      UserError: an unknown detector, or one that lacks the joints that it is to give the lifter.
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
    # Files of before this field have no `detector_head`, and the head.
    if entry.heatmaps is not None and not model.get('detector_head', True):
        if model.lifter.detector_joints:
            raise UserError(
                'model.lifter.detector_joints is set, but model.detector_head is False: without '
                'heatmaps the detector finds no joints'
            )
        entry = without_head(entry)
    runs_detector = model.lifter.ablation_step > 0 or model.lifter.detector_joints
    return ContextAwarePoseFormer(
        lifter=lifter(model, joint_set, dtype),
        detector=entry.build(len(finds), axis_name=moving_statistics_axis, dtype=dtype)
        if runs_detector
        else None,
        entry=entry,
        joint_places=() if missing else tuple(map(finds.index, joint_set.joints)),
        detector_joints=model.lifter.detector_joints,
        moving_statistics=moving_statistics_axis is not None,
    )

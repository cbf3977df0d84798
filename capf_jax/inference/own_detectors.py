"""Detectors of the user's own size: from `config.model.NAME` to the catalog's entry of the network.

Their names are `catalog.OWN_SIZES`. None of them has published weights.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from capf_jax.errors import UserError
from capf_jax.models.detectors.catalog import DetectorEntry, hrnet_channels, stage_channels
from capf_jax.models.detectors.detection import HEATMAPS
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.simplebaseline import MAPS, SimpleBaseline
from capf_jax.models.detectors.vitpose import ViTPose

DECODERS = {'gaussian': 'parabola', 'probability': 'mean'}  # by what the heatmaps are


def of_own_size(entry: DetectorEntry, settings: ConfigDict) -> DetectorEntry:
    """The entry of a detector of the user's own size, with the sizes that its section tells.

    Args:
      entry: the catalog's, one of `catalog.OWN_SIZES`.
      settings: the section of `config.model` that has its name.

    Raises:
      UserError: the section describes no network.
    """
    if settings.heatmaps not in HEATMAPS:
        raise UserError(
            f'model.{entry.name}.heatmaps is {settings.heatmaps!r}; choose one of '
            f'{", ".join(HEATMAPS)}'
        )
    entry = dataclasses.replace(
        entry,
        heatmaps=settings.heatmaps,
        decode=DECODERS[settings.heatmaps],
        joints=settings.get('skeleton', ''),  # files of before this field have none
    )
    return _SIZED[entry.name](entry, settings)


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


def _sized_hrnet(entry: DetectorEntry, settings: ConfigDict) -> DetectorEntry:
    return dataclasses.replace(
        entry,
        build=functools.partial(own_hrnet, settings=settings),
        channels=hrnet_channels(settings.width),
    )


def _sized_vitpose(entry: DetectorEntry, settings: ConfigDict) -> DetectorEntry:
    if settings.dimension % settings.heads:
        raise UserError(
            f'model.vitpose.heads is {settings.heads}, which does not divide '
            f'model.vitpose.dimension, {settings.dimension}: change one of the two'
        )

    def build(num_joints: int, axis_name: str | None = None, dtype: Any = jnp.float32) -> nn.Module:
        return ViTPose(
            num_joints=num_joints,
            dimension=settings.dimension,
            depth=settings.depth,
            heads=settings.heads,
            channels=settings.channels,
            heatmaps=settings.heatmaps,
            axis_name=axis_name,
            dtype=dtype,
        )

    return dataclasses.replace(
        entry,
        build=build,
        channels=(settings.channels, settings.channels, settings.dimension),
        crop=tuple(settings.crop),
    )


def _sized_simplebaseline(entry: DetectorEntry, settings: ConfigDict) -> DetectorEntry:
    if settings.maps not in MAPS:
        raise UserError(
            f'model.simplebaseline.maps is {settings.maps!r}; choose one of {", ".join(MAPS)}'
        )

    def build(num_joints: int, axis_name: str | None = None, dtype: Any = jnp.float32) -> nn.Module:
        return SimpleBaseline(
            num_joints=num_joints,
            blocks=tuple(settings.blocks),
            width=settings.width,
            channels=settings.channels,
            maps=settings.maps,
            heatmaps=settings.heatmaps,
            axis_name=axis_name,
            dtype=dtype,
        )

    is_of_stages = settings.maps == 'stages'
    return dataclasses.replace(
        entry,
        build=build,
        channels=stage_channels(settings.width) if is_of_stages else (settings.channels,) * 3,
        strides=(4, 8, 16, 32) if is_of_stages else (4, 8, 16),
    )


_SIZED: dict[str, Callable[[DetectorEntry, ConfigDict], DetectorEntry]] = {
    'hrnet': _sized_hrnet,
    'vitpose': _sized_vitpose,
    'simplebaseline': _sized_simplebaseline,
}

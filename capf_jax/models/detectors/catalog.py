"""The 2D detectors by name: how each is built, which images it takes and which maps it gives.

`config.model.detector` is a name of this catalog; all that depends on it follows from its entry.
A new detector is a module that gives a `Detection`, and an entry here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Real

from capf_jax import errors
from capf_jax.models.detectors.convolutions import EXPANSION
from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.movenet import MoveNet
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from capf_jax.models.detectors.vitpose import ViTPose
from capf_jax.pose.batch import Array

CROP = (256, 192)  # height and width that most published networks take
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB in [0, 1]
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
CPN_MEAN = (122.7717 / 255, 115.9465 / 255, 102.9801 / 255)
HRNET_STRIDES = (4, 8, 16, 32)
# MoveNet takes RGB of -1 to 1. Its published graph multiplies by 1 / 127.5 in half precision.
_MIDDLE = 1 / (255 * 0.007843017578125)
MOVENET_MIDDLE = (_MIDDLE, _MIDDLE, _MIDDLE)
RESNET_CHANNELS, RESNET_STRIDES = (256, 512, 1024, 2048), (4, 8, 16, 32)
# Detectors of the user's own size: each has its sizes and heatmaps from the section of
# `config.model` that has its name. The entries have those of a published network.
OWN_SIZES = ('hrnet', 'vitpose', 'simplebaseline')


@dataclasses.dataclass(frozen=True)
class DetectorEntry:
    """One detector.

    Attributes:
      name: what `config.model.detector` calls it.
      build: (num_joints, axis_name=None, dtype=jnp.float32) -> its Flax module; see
        `convolutions.ConvNorm` for the last two.
      channels: of each map that it gives.
      strides: crop pixels per pixel of each map.
      heatmaps: their kind, 'gaussian', 'probability' or 'likelihood', which no task learns; None
        for a network without a head.
      decode: the way to joints, a name of heatmaps.DECODERS; None without heatmaps.
      published: the name of the file that its weights are published in; '' if there is none.
      mean, deviation: RGB in [0, 1]; what is subtracted from an image, then divided by.
      joints: name of the joint set of the published weights; '' if it is that of the lifter.
      crop: height and width of the crops that the published weights take, pixels.
      levels: maps that a lifter uses if its configuration names none.
    """

    name: str
    build: Callable[..., nn.Module] = dataclasses.field(compare=False)  # functions differ
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    heatmaps: str | None = 'gaussian'
    decode: str | None = 'quarter_pixel'
    published: str = ''
    mean: tuple[float, float, float] = IMAGENET_MEAN
    deviation: tuple[float, float, float] = IMAGENET_DEVIATION
    joints: str = 'coco17'
    crop: tuple[int, int] = CROP

    @property
    def levels(self) -> tuple[int, ...]:
        """All maps, finest first."""
        return tuple(range(len(self.channels)))


def names() -> tuple[str, ...]:
    """All detectors."""
    return tuple(ENTRIES)


def get(name: str) -> DetectorEntry:
    """The entry of a detector.

    Raises:
      UserError: there is no such detector; the nearest is named.
    """
    if name not in ENTRIES:
        raise errors.unknown('model.detector', str(name), ENTRIES)
    return ENTRIES[name]


def normalise_images(
    images: Real[Array, 'B H W 3'], entry: DetectorEntry
) -> Float[jax.Array, 'B H W 3']:
    """RGB images of values 0 to 255 as float32, normalised as the detector takes them."""
    scaled = images.astype(jnp.float32) / 255
    return (scaled - jnp.asarray(entry.mean)) / jnp.asarray(entry.deviation)


def hrnet_channels(width: int) -> tuple[int, ...]:
    """Channels of the four maps of an HRNet."""
    return tuple(width * 2**i for i in range(4))


def stage_channels(width: int) -> tuple[int, ...]:
    """Channels of the four stages of a ResNet whose stem has so many."""
    return tuple(EXPANSION * width * 2**i for i in range(4))


def _builder(network: type[nn.Module], **fields: Any) -> Callable[..., nn.Module]:
    """`build` of an entry of published sizes."""

    def build(num_joints: int, axis_name: str | None = None, dtype: Any = jnp.float32) -> nn.Module:
        return network(num_joints=num_joints, axis_name=axis_name, dtype=dtype, **fields)

    return build


def _hrnet(width: int) -> DetectorEntry:
    """The HRNet that the official COCO files hold."""
    return DetectorEntry(
        name=f'hrnet_w{width}',
        build=_builder(HRNet, width=width),
        channels=hrnet_channels(width),
        strides=HRNET_STRIDES,
        published=f'pose_hrnet_w{width}_256x192.pth',
    )


def _hrnet_imagenet(width: int) -> DetectorEntry:
    """The HRNet that the official classification files hold, without the classifier."""
    return DetectorEntry(
        name=f'hrnet_w{width}_imagenet',
        build=_builder(HRNet, width=width, heatmaps=None),
        channels=hrnet_channels(width),
        strides=HRNET_STRIDES,
        heatmaps=None,
        decode=None,
        published=f'hrnetv2_w{width}_imagenet_pretrained.pth',
    )


def _resnet(num_joints: int, axis_name: str | None = None, dtype: Any = jnp.float32) -> ResNet:
    """`build` of the ResNet, which has no head, and so no joints."""
    del num_joints
    return ResNet(axis_name=axis_name, dtype=dtype)


def _vitpose(letter: str, dimension: int, depth: int, heads: int) -> DetectorEntry:
    """The ViTPose that the official COCO files, and MMPose's, hold."""
    return DetectorEntry(
        name=f'vitpose_{letter}',
        build=_builder(ViTPose, dimension=dimension, depth=depth, heads=heads),
        channels=(256, 256, dimension),
        strides=(4, 8, 16),
        published=f'vitpose-{letter}.pth',
    )


ENTRIES = {
    entry.name: entry
    for entry in (
        DetectorEntry('hrnet', _builder(HRNet), hrnet_channels(32), HRNET_STRIDES),
        _hrnet(32),
        _hrnet(48),
        _hrnet_imagenet(32),
        _hrnet_imagenet(48),
        DetectorEntry(
            name='cpn50',
            build=_builder(CPN),
            channels=(256, 256, 256, 256),
            strides=(4, 4, 4, 4),
            published='CPN50_256x192.pth.tar',
            mean=CPN_MEAN,
            deviation=(1.0, 1.0, 1.0),
        ),
        DetectorEntry(
            name='simplebaseline',
            build=_builder(SimpleBaseline, maps='deconvolutions'),
            channels=(256, 256, 256),
            strides=(4, 8, 16),
        ),
        DetectorEntry(
            name='simplebaseline_resnet50',
            build=_builder(SimpleBaseline),
            channels=RESNET_CHANNELS,
            strides=RESNET_STRIDES,
            published='pose_resnet_50_256x192.pth',
        ),
        DetectorEntry(  # the same weights; these maps are what the published code takes (Table 5)
            name='simplebaseline_resnet50_deconv',
            build=_builder(SimpleBaseline, maps='deconvolutions'),
            channels=(256, 256, 256),
            strides=(4, 8, 16),
        ),
        DetectorEntry(
            name='resnet50_imagenet',
            build=_resnet,
            channels=RESNET_CHANNELS,
            strides=RESNET_STRIDES,
            heatmaps=None,
            decode=None,
            published='resnet50-*.pth of torchvision',
        ),
        DetectorEntry('vitpose', _builder(ViTPose), (256, 256, 768), (4, 8, 16)),
        _vitpose('s', dimension=384, depth=12, heads=12),
        _vitpose('b', dimension=768, depth=12, heads=12),
        _vitpose('l', dimension=1024, depth=24, heads=16),
        _vitpose('h', dimension=1280, depth=32, heads=16),
        DetectorEntry(
            name='movenet_thunder',
            build=_builder(MoveNet),
            channels=(24, 56, 168, 560),
            strides=(4, 8, 16, 32),
            heatmaps='likelihood',
            decode='refined',
            published='movenet-thunder.json',
            mean=MOVENET_MIDDLE,
            deviation=MOVENET_MIDDLE,
            crop=(256, 256),
        ),
    )
}

"""What goes into an exported network and comes out of it, in words for a stranger.

Each function here describes one tensor, or several that go together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from capf_jax.inference.estimator import Estimator
from capf_jax.inference.networks import Network
from capf_jax.models import ca_pf

DETECTOR, LIFTER, ALL = PARTS = ('detector', 'lifter', 'all')
IN_ITS_UNIT, A_SHARE = 'in its unit', 'a share of its largest value'

_BY_IMAGE = (
    'x / w * 2 - 1 and y / w * 2 - h / w, where (x, y) are the pixels of the joint in the whole '
    'image of w x h pixels'
)
_CENTRES = 'pixels of the crop, counted from the centre of its top left pixel'


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or an output of an exported network.

    Attributes:
      name: of it, in every format that has names.
      shape: without the batch.
      dtype: a name of NumPy's.
      unit: of its values.
      meaning: what it is, for someone who has the manifest alone.
      tolerance: for an output, the largest difference from JAX that `--check` lets pass.
      tolerance_is: whether that is in the output's unit, or a share of its largest value: of
        feature maps and of confidences, which are values of heatmaps.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    meaning: str
    tolerance: float = 0.0
    tolerance_is: str = IN_ITS_UNIT


@dataclasses.dataclass(frozen=True)
class Export:
    """A network that is to be written.

    Attributes:
      part: one of `PARTS`.
      function: of the inputs in their order to a tuple of the outputs in their order.
      inputs, outputs: what they are.
      estimator: the weight file that it is from.
    """

    part: str
    function: Callable[..., tuple[jax.Array, ...]]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    estimator: Estimator

    @property
    def crop(self) -> tuple[int, int] | None:
        """(H, W) of the crops that the detector in the file takes; None without a detector."""
        return None if self.estimator.detector is None else crop_of(self.estimator)

    def shapes(self, batch: Any) -> list[jax.ShapeDtypeStruct]:
        """The inputs' shapes for a batch, a number or a symbolic dimension."""
        return [jax.ShapeDtypeStruct((batch, *one.shape), one.dtype) for one in self.inputs]


def exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with matrix products in float32 on every platform."""

    def call(*arrays: Any) -> Any:
        with jax.default_matmul_precision('highest'):
            return function(*arrays)

    return call


def crop_of(estimator: Estimator) -> tuple[int, int]:
    """(H, W) of the crops that an exported detector takes; of any that it could, the usual one."""
    assert estimator.detector is not None  # the callers have looked
    assert estimator.detector.entry is not None  # every detector has an entry
    return estimator.crop_size or estimator.detector.entry.crop


def crops(size: tuple[int, int], further: str = '') -> Tensor:
    """Crops of (H, W) pixels."""
    meaning = f'RGB crops of one person each, not normalised{further}'
    return Tensor('crops', (*size, 3), 'uint8', '0 to 255', meaning)


def pose(number: int, frame: str) -> Tensor:
    """Poses of so many joints in a frame of `ca_pf`, or in another one by its name."""
    meaning = f'3D joints relative to the root joint, {FRAMES.get(frame, frame)}'
    return Tensor('pose', (number, 3), 'float32', 'metres', meaning, 1e-4)


FRAMES = {
    ca_pf.CAMERA: "in the camera's frame: x to the right, y down, z away from the camera",
    ca_pf.VIEWING_RAY: (
        'in the viewing-ray frame: that of a camera at the same place which is turned so that '
        'it looks at the middle of the crop; x to the right, y down, z away from the camera'
    ),
}


def joints(number: int) -> tuple[Tensor, Tensor]:
    """2D joints that a detector finds, and their confidences."""
    return (
        Tensor('joints', (number, 2), 'float32', 'pixels', f'2D joints (x, y), {_CENTRES}', 1e-2),
        Tensor(
            'confidence', (number,), 'float32', '1', 'how sure the 2D joints are', 1e-4, A_SHARE
        ),
    )


def joints2d(number: int) -> tuple[Tensor, Tensor]:
    """2D joints that a lifter takes, normalised by the image and in pixels of the crop."""
    return (
        Tensor('joints2d', (number, 2), 'float32', '1', f'2D joints: {_BY_IMAGE}'),
        joints2d_crop(number),
    )


def joints2d_crop(number: int) -> Tensor:
    """2D joints that a lifter takes, in pixels of the crop alone."""
    meaning = f'2D joints (x, y), {_CENTRES}'
    return Tensor('joints2d_crop', (number, 2), 'float32', 'pixels', meaning)


def maps(detector: Network, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """The feature maps of a detector for crops of (H, W) pixels."""
    images = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    shapes = jax.eval_shape(detector.module.apply, detector.variables, images).maps
    return tuple(
        Tensor(
            f'maps_{level}', one.shape[1:], 'float32', '1', 'feature map, rows, columns, channels',
            1e-4, A_SHARE,
        )
        for level, one in enumerate(shapes)
    )  # fmt: skip


def contexts(number: int, channels: int) -> Tensor:
    """What feature maps show at so many joints, all levels one after the other."""
    meaning = 'values of the feature maps at the 2D joints, all levels one after the other'
    return Tensor('contexts', (number, channels), 'float32', '1', meaning)


def of_frames(one: Tensor, frames: int) -> Tensor:
    """An input for each frame of a window instead of for a single one."""
    meaning = f'{one.meaning}; for each of the {frames} frames in the order of time'
    return dataclasses.replace(one, shape=(frames, *one.shape), meaning=meaning)

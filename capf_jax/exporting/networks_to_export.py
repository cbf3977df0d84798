"""What a weight file can be exported as: plain functions of arrays, with names and units.

The functions are the models' own formulas, not the faster forms of one backend. Each holds its
weights, takes arrays with a leading batch B and gives a tuple of such arrays.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.inference import abilities
from capf_jax.inference.estimator import Estimator
from capf_jax.inference.networks import Network
from capf_jax.models import ca_pf
from capf_jax.models.detectors.catalog import normalise_images
from capf_jax.models.detectors.heatmaps import joints_of
from capf_jax.pose.normalise import normalise_by_box, normalise_by_crop

DETECTOR, LIFTER, ALL = PARTS = ('detector', 'lifter', 'all')

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
      tolerance: for an output, the largest difference from JAX that `--check` lets pass, in its
        unit; of feature maps as a share of their largest value.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    meaning: str
    tolerance: float = 0.0


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


def of_file(path: str | os.PathLike, part: str = ALL) -> Export:
    """What a weight file's detector, lifter, or everything in it is exported as.

    Args:
      path: a weight file of ours.
      part: one of `PARTS`; 'all' goes from a crop to what the file is for.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: there is no such part, the file does not hold it, or it cannot be exported.
    """
    if part not in PARTS:
        raise errors.unknown('--part', part, PARTS)
    estimator = Estimator.load(path)
    kind = estimator.metadata['kind']
    if kind == 'ca_pf_s':
        raise UserError(
            f'{path} holds a CA-PF-S, whose export is not written yet: name a file of a '
            'CA-PF, a PoseFormer or a detector'
        )
    if part == DETECTOR and estimator.detector is None:
        raise UserError(f'{path} holds no detector: use --part=lifter or --part=all')
    whole = None if estimator.lifter is None else estimator.lifter.whole
    if part != DETECTOR and whole is not None and whole.reading is not None:
        raise UserError(
            f'{path} holds a lifter that reads the heatmaps of its detector (model.lifter.robust), '
            'whose export is not written yet: use --part=detector'
        )
    if part == LIFTER and estimator.lifter is None and estimator.sequence_lifter is None:
        raise UserError(
            f'{path} holds no lifter, only a detector: use --part=detector, or name a file of a '
            'CA-PF or a PoseFormer'
        )
    if estimator.sequence_lifter is not None:
        return _poseformer(estimator, part)
    if part == DETECTOR or estimator.lifter is None:
        return _detector(estimator, part)
    if estimator.frame == ca_pf.VIEWING_RAY:
        return _of_crops(estimator, part)
    return _of_the_image(estimator, part)


def _exact(function: Callable[..., Any]) -> Callable[..., Any]:
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


def _crops(size: tuple[int, int], further: str = '') -> Tensor:
    meaning = f'RGB crops of one person each, not normalised{further}'
    return Tensor('crops', (*size, 3), 'uint8', '0 to 255', meaning)


def _pose(joints: int, frame: str) -> Tensor:
    meaning = f'3D joints relative to the root joint, {FRAMES.get(frame, frame)}'
    return Tensor('pose', (joints, 3), 'float32', 'metres', meaning, 1e-4)


FRAMES = {
    ca_pf.CAMERA: "in the camera's frame: x to the right, y down, z away from the camera",
    ca_pf.VIEWING_RAY: (
        'in the viewing-ray frame: that of a camera at the same place which is turned so that '
        'it looks at the middle of the crop; x to the right, y down, z away from the camera'
    ),
}


def _joints(joints: int) -> tuple[Tensor, Tensor]:
    return (
        Tensor('joints', (joints, 2), 'float32', 'pixels', f'2D joints (x, y), {_CENTRES}', 1e-2),
        Tensor('confidence', (joints,), 'float32', '1', 'how sure the 2D joints are', 1e-4),
    )


def _joints2d(joints: int) -> tuple[Tensor, Tensor]:
    return (
        Tensor('joints2d', (joints, 2), 'float32', '1', f'2D joints: {_BY_IMAGE}'),
        _joints2d_crop(joints),
    )


def _joints2d_crop(joints: int) -> Tensor:
    meaning = f'2D joints (x, y), {_CENTRES}'
    return Tensor('joints2d_crop', (joints, 2), 'float32', 'pixels', meaning)


def _maps(detector: Network, size: tuple[int, int]) -> tuple[Tensor, ...]:
    images = jax.ShapeDtypeStruct((1, *size, 3), jnp.float32)
    shapes = jax.eval_shape(detector.module.apply, detector.variables, images).maps
    return tuple(
        Tensor(
            f'maps_{level}', one.shape[1:], 'float32', '1', 'feature map, rows, columns, channels',
            1e-4,
        )
        for level, one in enumerate(shapes)
    )  # fmt: skip


def _detector(estimator: Estimator, part: str) -> Export:
    """From crops to 2D joints, where the detector finds any, and feature maps."""
    detector = estimator.detector
    assert detector is not None  # the caller has looked
    entry = detector.entry
    assert entry is not None  # every detector has an entry
    size = crop_of(estimator)

    @_exact
    def detect(crops: Any) -> tuple[jax.Array, ...]:
        detection: Any = detector.module.apply(detector.variables, normalise_images(crops, entry))
        joints = () if entry.heatmaps is None else joints_of(detection, entry)
        return (*joints, *detection.maps)

    number = 0 if detector.joints is None else len(detector.joints)
    outputs = () if entry.heatmaps is None else _joints(number)
    return Export(part, detect, (_crops(size),), (*outputs, *_maps(detector, size)), estimator)


def _of_the_image(estimator: Estimator, part: str) -> Export:
    """A CA-PF of the camera's frame, which takes 2D joints normalised by the whole image."""
    lifter, detector = abilities.lifter(estimator), estimator.detector
    number = len(estimator.skeleton)
    # A lifter without a detector reads no maps, and so no places in them.
    height, width = (1, 1) if detector is None else crop_of(estimator)

    @_exact
    def lift(joints2d: Any, joints2d_crop: Any, *maps: Any) -> tuple[jax.Array, ...]:
        by_crop = normalise_by_crop(joints2d_crop, (width, height))
        output: Any = lifter.module.apply(lifter.variables, joints2d, by_crop, maps)
        return (output[0],)

    def lift_with_crops(crops: Any, joints2d: Any, joints2d_crop: Any) -> tuple[jax.Array, ...]:
        assert detector is not None
        assert detector.entry is not None
        with jax.default_matmul_precision('highest'):
            images = normalise_images(crops, detector.entry)
            detection: Any = detector.module.apply(detector.variables, images)
        return lift(joints2d, joints2d_crop, *detection.maps)

    joints, pose = _joints2d(number), (_pose(number, ca_pf.CAMERA),)
    if detector is None:
        return Export(part, lambda joints2d: lift(joints2d, joints2d), joints[:1], pose, estimator)
    size = crop_of(estimator)
    if part == LIFTER:
        return Export(part, lift, (*joints, *_maps(detector, size)), pose, estimator)
    return Export(part, lift_with_crops, (_crops(size), *joints), pose, estimator)


def _of_crops(estimator: Estimator, part: str) -> Export:
    """A CA-PF of the viewing-ray frame, which sees nothing but the crop."""
    lifter, detector, number = estimator.lifter, estimator.detector, len(estimator.skeleton)
    assert lifter is not None  # the caller has looked
    whole = lifter.whole
    assert whole is not None  # every lifter has its model
    pose = _pose(number, ca_pf.VIEWING_RAY)
    # A lifter without a detector reads no maps, and so no places in them.
    height, width = (1, 1) if detector is None else crop_of(estimator)
    variables: Mapping[str, Any] = {
        'detector': {} if detector is None else detector.variables,
        'lifter': lifter.variables,
    }

    @_exact
    def lift(joints2d_crop: Any, *maps: Any) -> tuple[jax.Array, ...]:
        by_box = normalise_by_box(joints2d_crop)
        by_crop = normalise_by_crop(joints2d_crop, (width, height))
        output: Any = lifter.module.apply(lifter.variables, by_box, by_crop, maps)
        return (output[0],)

    @_exact
    def lift_crops(*arrays: Any) -> tuple[jax.Array, ...]:
        outputs = whole.lift_crops(dict(variables), *arrays)
        return outputs if whole.conversion is not None else outputs[:1]

    joints = _joints2d_crop(number)
    if part == LIFTER or detector is None:
        maps = () if detector is None else _maps(detector, (height, width))
        return Export(part, lift, (joints, *maps), (pose,), estimator)
    crops = _crops((height, width), ', each as a camera sees it that is aimed at its middle')
    if whole.conversion is None:
        return Export(part, lift_crops, (crops, joints), (pose,), estimator)
    return Export(part, lift_crops, (crops,), (pose, *_joints(number)), estimator)


def _poseformer(estimator: Estimator, part: str) -> Export:
    """2D joints of a window of frames to the pose of its middle frame."""
    lifter = estimator.sequence_lifter
    assert lifter is not None  # the caller has looked

    @_exact
    def lift(joints2d: Any) -> tuple[jax.Array, ...]:
        output: Any = lifter.module.apply(lifter.variables, joints2d)
        return (output[0],)

    number = len(estimator.skeleton)
    shape = (lifter.module.frames, number, 2)
    meaning = f'2D joints of consecutive frames: {_BY_IMAGE}'
    joints = Tensor('joints2d', shape, 'float32', '1', meaning)
    pose = dataclasses.replace(
        _pose(number, ca_pf.CAMERA),
        meaning=f'3D joints of the middle frame relative to the root, {FRAMES[ca_pf.CAMERA]}',
    )
    return Export(part, lift, (joints,), (pose,), estimator)

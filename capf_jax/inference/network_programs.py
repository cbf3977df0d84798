"""The compiled programs behind an `Estimator`: its networks, run in batches of few sizes.

The functions that are compiled belong to no Estimator, so that two of the same networks share them.
The mirrored person of the flip test runs through the same programs once more. The two poses are
averaged on the host, since each small operation on a device would be a program of its own to
compile.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import numpy as np

from capf_jax.backends import programs
from capf_jax.inference.networks import Network
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors.catalog import DetectorEntry, normalise_images
from capf_jax.models.detectors.detection import Detection
from capf_jax.models.detectors.heatmaps import average_flipped, joints_of
from capf_jax.pose.flip import flip_joints, flip_pose
from capf_jax.pose.normalise import normalise_by_crop
from capf_jax.pose.skeletons import Skeleton


def in_batches(function: Callable[..., Any], largest: int, *arrays: np.ndarray) -> Any:
    """The function's outputs for any number of samples, run in few batch sizes, on the host.

    Args:
      function: of arrays of as many samples, padded ones among them, to a tree of such arrays.
      largest: samples that are run at once.
      *arrays: of as many samples each.
    """
    number, parts = len(arrays[0]), []
    for start in range(0, max(number, 1), largest):
        chunk = [array[start : start + largest] for array in arrays]
        size = len(chunk[0])
        padding = padded_size(size, largest) - size
        padded = [np.pad(x, [(0, padding)] + [(0, 0)] * (x.ndim - 1)) for x in chunk]
        outputs = jax.device_get(function(*padded))
        parts.append(jax.tree.map(lambda output, size=size: output[:size], outputs))
    return parts[0] if len(parts) == 1 else jax.tree.map(lambda *x: np.concatenate(x), *parts)


def padded_size(number: int, largest: int) -> int:
    """The batch size that `number` samples are run with: a power of two, at most `largest`."""
    return min(1 << max(number - 1, 0).bit_length(), largest)


def maps(detector: Network, precision: str, images: Any) -> tuple[jax.Array, ...]:
    """The detector's maps of images [B, H, W, 3] uint8, one [B, H, W, C] a level."""
    return _run_detector(
        detector.module, detector.entry, precision, 'maps', detector.variables, images
    )


def detection(detector: Network, precision: str, images: Any, flip_test: bool) -> Detection:
    """What the detector finds, without the maps; with the flip test, its heatmaps alone."""
    plain = _detection(detector, precision, images)
    if not flip_test:
        return plain
    assert detector.joints is not None  # every detector has joints
    mirrored = _detection(detector, precision, images[:, :, ::-1])
    both = average_flipped(plain.heatmaps, mirrored.heatmaps, detector.joints.flip)
    return Detection((), both)


def joints(
    detector: Network, precision: str, images: Any, flip_test: bool
) -> tuple[jax.Array, jax.Array]:
    """The detector's joints [B, J, 2], pixels of the crop, and confidences [B, J].

    With the flip test they are those of the mean heatmaps, and of a detector that refines its
    joints the mean of those of the crops and of the mirrored crops.
    """
    entry, joint_set = detector.entry, detector.joints
    assert entry is not None  # every detector has an entry and joints
    assert joint_set is not None
    if not flip_test or entry.decode != 'refined':
        return joints_of(detection(detector, precision, images, flip_test), entry)
    places, confidence = joints_of(_detection(detector, precision, images), entry)
    mirrored = joints_of(_detection(detector, precision, images[:, :, ::-1]), entry)
    back = flip_joints(mirrored[0], images.shape[2] - 1, joint_set)
    return (places + back) / 2, (confidence + mirrored[1][:, list(joint_set.flip)]) / 2


def lift(
    lifter: Network,
    detector: Network | None,
    precision: str,
    images: Any,
    joints2d: Any,
    joints2d_crop: Any,
    mirror: Skeleton | None,
) -> jax.Array:
    """Poses [B, J, 3], metres, camera frame, of crops and of 2D joints normalised by the image.

    Args:
      lifter: a lifter of the frame 'camera'.
      detector: gives the maps, and a robust lifter's heatmaps; None for a lifter of joints alone.
      precision: of matrix products.
      images: [B, H, W, 3] uint8.
      joints2d: [B, J, 2], normalised by the image.
      joints2d_crop: [B, J, 2], pixels of the crop.
      mirror: the skeleton, to average with the prediction for the mirrored person; None not to.
    """
    size = images.shape[1:3]
    if lifter.whole is not None and lifter.whole.reading is not None:
        assert detector is not None  # whose heatmaps a robust lifter reads
        variables = {'detector': detector.variables, 'lifter': lifter.variables}
        on_device = _lift_joints(
            lifter.whole, precision, variables, images, joints2d, joints2d_crop
        )
    else:
        levels = () if detector is None else maps(detector, precision, images)
        by_crop = normalise_by_crop(joints2d_crop, size[::-1])
        on_device = _lift(lifter.module, precision, lifter.variables, joints2d, by_crop, levels)
    pose = jax.device_get(on_device)
    if mirror is None:
        return pose
    mirrored = lift(
        lifter,
        detector,
        precision,
        images[:, :, ::-1],
        flip_joints(joints2d, 0, mirror),
        flip_joints(joints2d_crop, size[1] - 1, mirror),
        None,
    )
    return (pose + flip_pose(mirrored, mirror)) / 2


def lift_crops(
    lifter: Network,
    detector: Network | None,
    precision: str,
    images: Any,
    joints2d_crop: Any | None,
    mirror: Skeleton | None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Poses [B, J, 3], metres, viewing-ray frame, with the joints lifted and their confidences.

    Args:
      lifter: a lifter of the frame 'viewing_ray'.
      detector: gives the maps, and the joints where none are given.
      precision: of matrix products.
      images: [B, H, W, 3] uint8.
      joints2d_crop: [B, J, 2], pixels of the crop; None for the detector's.
      mirror: the skeleton, to average with the prediction for the mirrored crop; None not to.
    """
    variables = {
        'detector': {} if detector is None else detector.variables,
        'lifter': lifter.variables,
    }
    places2d = () if joints2d_crop is None else (joints2d_crop,)
    pose, places, confidence = jax.device_get(
        _lift_crops(lifter.whole, precision, variables, images, *places2d)
    )
    if mirror is not None:
        flipped = tuple(flip_joints(each, images.shape[2] - 1, mirror) for each in places2d)
        other, _, _ = _lift_crops(lifter.whole, precision, variables, images[:, :, ::-1], *flipped)
        pose = (pose + flip_pose(jax.device_get(other), mirror)) / 2
    return pose, places, confidence


def _detection(detector: Network, precision: str, images: Any) -> Detection:
    """What the detector finds, without the maps, which are never computed."""
    return _run_detector(
        detector.module, detector.entry, precision, 'joints', detector.variables, images
    )


@functools.partial(programs.jit, static_argnums=(0, 1, 2, 3))
def _run_detector(
    module: nn.Module,
    entry: DetectorEntry,
    precision: str,
    what: str,
    variables: Any,
    images: jax.Array,
) -> Any:
    with jax.default_matmul_precision(precision):
        detection = cast(Detection, module.apply(variables, normalise_images(images, entry)))
        return detection.maps if what == 'maps' else detection._replace(maps=())


@functools.partial(programs.jit, static_argnums=(0, 1), few_rows=True)
def _lift(module: nn.Module, precision: str, variables: Any, *inputs: Any) -> jax.Array:
    with jax.default_matmul_precision(precision):
        return module.apply(variables, *inputs)[0]


@functools.partial(programs.jit, static_argnums=(0, 1))
def _lift_joints(
    model: ContextAwarePoseFormer,
    precision: str,
    variables: Any,
    images: jax.Array,
    joints2d: jax.Array,
    joints2d_crop: jax.Array,
) -> jax.Array:
    with jax.default_matmul_precision(precision):
        return model.lift_joints(variables, images, joints2d, joints2d_crop)


@functools.partial(programs.jit, static_argnums=(0, 1), quickly=True)
def _lift_crops(
    model: ContextAwarePoseFormer,
    precision: str,
    variables: Any,
    images: jax.Array,
    joints2d_crop: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    with jax.default_matmul_precision(precision):
        return model.lift_crops(variables, images, joints2d_crop)

"""What a weight file can be exported as: plain functions of arrays, with names and units.

The functions are the models' own formulas, not the faster forms of one backend. Each holds its
weights, takes arrays with a leading batch B and gives a tuple of such arrays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import jax

from capf_jax import errors
from capf_jax.errors import UserError
from capf_jax.exporting import sequences_to_export, tensors
from capf_jax.exporting.tensors import ALL, DETECTOR, LIFTER, PARTS, Export
from capf_jax.inference import abilities
from capf_jax.inference.estimator import Estimator
from capf_jax.models import ca_pf
from capf_jax.models.detectors.catalog import normalise_images
from capf_jax.models.detectors.heatmaps import joints_of
from capf_jax.pose.normalise import normalise_by_box, normalise_by_crop


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
    if part == DETECTOR and estimator.detector is None:
        raise UserError(f'{path} holds no detector: use --part=lifter or --part=all')
    lifter = estimator.lifter or estimator.sequence_lifter
    whole = None if lifter is None else lifter.whole
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
    if part == DETECTOR or (estimator.lifter is None and estimator.sequence_lifter is None):
        return _detector(estimator, part)
    if estimator.sequence_lifter is not None:
        return sequences_to_export.of_estimator(estimator, part)
    if estimator.frame == ca_pf.VIEWING_RAY:
        return _of_crops(estimator, part)
    return _of_the_image(estimator, part)


def _detector(estimator: Estimator, part: str) -> Export:
    """From crops to 2D joints, where the detector finds any, and feature maps."""
    detector = estimator.detector
    assert detector is not None  # the caller has looked
    entry = detector.entry
    assert entry is not None  # every detector has an entry
    size = tensors.crop_of(estimator)

    @tensors.exact
    def detect(crops: Any) -> tuple[jax.Array, ...]:
        detection: Any = detector.module.apply(detector.variables, normalise_images(crops, entry))
        joints = () if entry.heatmaps is None else joints_of(detection, entry)
        return (*joints, *detection.maps)

    number = 0 if detector.joints is None else len(detector.joints)
    outputs = () if entry.heatmaps is None else tensors.joints(number)
    return Export(
        part, detect, (tensors.crops(size),), (*outputs, *tensors.maps(detector, size)), estimator
    )


def _of_the_image(estimator: Estimator, part: str) -> Export:
    """A CA-PF of the camera's frame, which takes 2D joints normalised by the whole image."""
    lifter, detector = abilities.lifter(estimator), estimator.detector
    number = len(estimator.skeleton)
    # A lifter without a detector reads no maps, and so no places in them.
    height, width = (1, 1) if detector is None else tensors.crop_of(estimator)

    @tensors.exact
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

    joints, pose = tensors.joints2d(number), (tensors.pose(number, ca_pf.CAMERA),)
    if detector is None:
        return Export(part, lambda joints2d: lift(joints2d, joints2d), joints[:1], pose, estimator)
    size = tensors.crop_of(estimator)
    if part == LIFTER:
        return Export(part, lift, (*joints, *tensors.maps(detector, size)), pose, estimator)
    return Export(part, lift_with_crops, (tensors.crops(size), *joints), pose, estimator)


def _of_crops(estimator: Estimator, part: str) -> Export:
    """A CA-PF of the viewing-ray frame, which sees nothing but the crop."""
    lifter, detector, number = estimator.lifter, estimator.detector, len(estimator.skeleton)
    assert lifter is not None  # the caller has looked
    whole = lifter.whole
    assert whole is not None  # every lifter has its model
    pose = tensors.pose(number, ca_pf.VIEWING_RAY)
    # A lifter without a detector reads no maps, and so no places in them.
    height, width = (1, 1) if detector is None else tensors.crop_of(estimator)
    variables: Mapping[str, Any] = {
        'detector': {} if detector is None else detector.variables,
        'lifter': lifter.variables,
    }

    @tensors.exact
    def lift(joints2d_crop: Any, *maps: Any) -> tuple[jax.Array, ...]:
        by_box = normalise_by_box(joints2d_crop)
        by_crop = normalise_by_crop(joints2d_crop, (width, height))
        output: Any = lifter.module.apply(lifter.variables, by_box, by_crop, maps)
        return (output[0],)

    @tensors.exact
    def lift_crops(*arrays: Any) -> tuple[jax.Array, ...]:
        outputs = whole.lift_crops(dict(variables), *arrays)
        return outputs if whole.conversion is not None else outputs[:1]

    joints = tensors.joints2d_crop(number)
    if part == LIFTER or detector is None:
        maps = () if detector is None else tensors.maps(detector, (height, width))
        return Export(part, lift, (joints, *maps), (pose,), estimator)
    crops = tensors.crops((height, width), ', each as a camera sees it that is aimed at its middle')
    if whole.conversion is None:
        return Export(part, lift_crops, (crops, joints), (pose,), estimator)
    return Export(part, lift_crops, (crops,), (pose, *tensors.joints(number)), estimator)

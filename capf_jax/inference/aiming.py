"""Each person's crop of a photograph, around the joints that are found in the box, or given.

Photographs in here are without lens distortion.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.person_boxes import LEAST_PERSON
from capf_jax.inference.photograph_camera import PhotographCamera
from capf_jax.inference.photograph_models import JointDetector, Models
from capf_jax.pose import crops, viewing_ray
from capf_jax.pose.crops import BoxCrop
from capf_jax.pose.joint_conversions import Conversion
from capf_jax.pose.viewing_ray import ViewingRayCrop

if TYPE_CHECKING:
    from capf_jax.inference.estimator import Estimator

Crop = ViewingRayCrop | BoxCrop
LEAST_TO_AIM = 0.2  # confidence from which a joint counts when the crop is aimed
FEWEST_TO_AIM = 5  # joints that aim a crop


@dataclasses.dataclass(frozen=True, eq=False)
class Aimed:
    """N people's crops and joints.

    Attributes:
      views: the crop of each person, of the lifter's size.
      joints2d: [N, J, 2] pixels, the lifter's joints.
      confidence: [N, J], 0 to 1.
    """

    views: tuple[Crop, ...]
    joints2d: Float[np.ndarray, 'N J 2']
    confidence: Float[np.ndarray, 'N J']

    def select(self, chosen: np.ndarray) -> Aimed:
        """Some of the people, by their numbers."""
        views = tuple(self.views[n] for n in chosen)
        return Aimed(views, self.joints2d[chosen], self.confidence[chosen])


def aim(
    pixels: UInt8[np.ndarray, 'H W 3'],
    corners: Float[np.ndarray, 'N P 2'],
    camera: PhotographCamera,
    models: Models,
) -> Aimed:
    """Stage 2: each person's crop, around the joints that the detector finds in the box.

    Args:
      pixels: RGB, without lens distortion.
      corners: points of each person's box, pixels.
      camera: of the photograph.
      models: the networks.

    Raises:
      UserError: there is no detector of 2D joints, or a rule that does not convert them.
    """
    detector, conversion = models.check_detector()
    number, joint_count = len(corners), len(models.lifter.skeleton)
    joints2d, confidence = np.zeros((number, joint_count, 2)), np.zeros((number, joint_count))
    if not number:
        return Aimed((), joints2d, confidence)
    around = list(corners)
    # What the lifter's own detector finds on the crop that is lifted comes with the pose.
    for _ in range(1 if models.lifts_own_joints else 2):
        views = _views(around, camera, models, crop_size(detector))
        images = crops_of(pixels, views)
        if models.lifts_own_joints and not models.lifts_sequences:
            # The poses are not used: one program less is compiled than for the joints alone.
            _, joints_crop, sureness = models.lifter.lift_crops(images, flip_test=False)
            joints2d, confidence = on_photograph(joints_crop, views), sureness
        else:
            joints_crop, sureness = detector.joints(images)
            joints2d = conversion.joints(on_photograph(joints_crop, views))
            confidence = conversion.confidence(sureness)
        confidence = np.asarray(confidence, np.float64)
        around = [_aiming_points(*each) for each in zip(joints2d, confidence, corners, strict=True)]
    return Aimed(_views(around, camera, models, crop_size(models.lifter)), joints2d, confidence)


def aim_at_joints(
    joints: GivenJoints,
    camera: PhotographCamera,
    models: Models,
    conversion: Conversion | None = None,
) -> Aimed:
    """Stage 2 where the 2D joints are given: each person's crop around them.

    Args:
      joints: of the people, pixels of the photograph without lens distortion.
      camera: of the photograph.
      models: the networks.
      conversion: to the lifter's joints; None for that of `models`.

    Raises:
      UserError: joints that cannot be converted to the lifter's.
    """
    conversion = conversion or models.conversion_of(joints.skeleton)
    joints2d = np.asarray(conversion.joints(joints.joints), np.float64)
    confidence = np.asarray(conversion.confidence(joints.confidence), np.float64)
    size = crop_size(models.lifter)
    return Aimed(_views(list(joints2d), camera, models, size), joints2d, confidence)


def crop_size(network: Estimator | JointDetector) -> tuple[int, int]:
    """(width, height) of the crops that a file's networks take."""
    if network.crop_size is not None:
        return network.crop_size[1], network.crop_size[0]
    return crops.CROP_SIZE


def _views(
    around: Sequence[np.ndarray], camera: PhotographCamera, models: Models, size: tuple[int, int]
) -> tuple[Crop, ...]:
    """The crops around each person's points."""
    if models.turns:
        numbers = camera.camera.intrinsics
        return tuple(viewing_ray.around_points(points, numbers, size) for points in around)
    return tuple(crops.around_points(points, size) for points in around)


def crops_of(pixels: np.ndarray | Sequence[np.ndarray], views: Sequence[Crop]) -> np.ndarray:
    """[N, H, W, 3], the crops of N views, all of one image or each of its own."""
    each = [pixels] * len(views) if isinstance(pixels, np.ndarray) else pixels
    return np.stack([view.crop(one) for view, one in zip(views, each, strict=True)])


def on_photograph(joints_crop: np.ndarray, views: Sequence[Crop]) -> np.ndarray:
    """[N, J, 2] joints in pixels of the photograph, of those in pixels of the crops."""
    return np.stack([view.to_photograph(one) for view, one in zip(views, joints_crop, strict=True)])


def _aiming_points(joints: np.ndarray, confidence: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """The points that a person's crop lies around: the sure joints, or the box without enough."""
    sure = confidence >= LEAST_TO_AIM
    points = joints[sure]
    if len(points) < FEWEST_TO_AIM or np.ptp(points, axis=0).max() < LEAST_PERSON:
        return corners
    return points

"""From a photograph to its people, stage by stage: boxes, crops, poses, places.

1. `person_boxes.find_boxes`: where the people are.
2. `aiming.aim`: each person's crop, around the joints that the detector finds in the box.
3. `lift`: poses in the camera's frame, as the lifter gives them.
4. `place`: poses relative to the root joint, where the roots are, and all of it as `People`.

`people_of` does them one after the other. Photographs in here are without lens distortion;
`people_of` undoes it before, and does it again to the 2D joints that it returns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from capf_jax.errors import UserError
from capf_jax.inference import people as people_arrays
from capf_jax.inference.aiming import Aimed, aim, aim_at_joints, crops_of, on_photograph
from capf_jax.inference.given_joints import GivenJoints
from capf_jax.inference.people import People
from capf_jax.inference.person_boxes import (
    Finder,
    boxes_of_joints,
    checked_boxes,
    distorted_boxes,
    find_boxes,
    undistorted_corners,
)
from capf_jax.inference.photograph_camera import (
    PhotographCamera,
    distort_points,
    undistort_points,
    undistorted,
)
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import root_position, stature, viewing_ray
from capf_jax.pose.normalise import normalise_by_image

LEAST_CONFIDENCE = 0.2  # mean over the joints of a person whose pose is told
# Two people are one if their joints are this close on the whole, over the root of a box's area, or
# most of their joints are this close: of two boxes, one may hold a part of the person alone.
_DUPLICATE = 0.12
_MOSTLY_DUPLICATE = 0.07


def people_of(
    pixels: UInt8[np.ndarray, 'H W 3'],
    models: Models,
    camera: PhotographCamera,
    *,
    finder: Finder | None = None,
    boxes: Any = None,
    joints: GivenJoints | None = None,
    source: str = '',
    height: float | None = None,
    flip_test: bool = True,
    least_confidence: float = LEAST_CONFIDENCE,
) -> People:
    """The people of one photograph.

    Args:
      pixels: RGB, upright.
      models: the networks.
      camera: of the photograph.
      finder: finds the people where neither boxes nor joints are given.
      boxes: [N, 4] x, y, width, height of the people, pixels of the photograph.
      joints: their 2D joints, pixels of the photograph; with them no detector's joints are used.
      source: the name of the photograph, for `People`.
      height: metres; everyone is scaled to this standing height.
      flip_test: average with the prediction for the mirrored person.
      least_confidence: mean confidence of the joints below which a person that the finder found is
        left out; one whose box is given is not valid.

    Returns:
      Everyone, from the surest to the least sure where they were found, and in the order of the
      boxes or joints where these were given.

    Raises:
      UserError: boxes or joints that do not fit the photograph or the networks; no finder and
        nothing given.
    """
    lens = camera.camera
    flat, scores = undistorted(pixels, lens), None
    if joints is not None:
        boxes = boxes_of_joints(joints) if boxes is None else boxes
        boxes = checked_boxes(boxes, pixels, source, len(joints))
        joints = dataclasses.replace(joints, joints=undistort_points(joints.joints, lens))
        aimed = aim_at_joints(joints, camera, models)
    else:
        if boxes is None:
            if finder is None:
                raise UserError('nobody says where the people are: give boxes, joints or a finder')
            boxes, scores = find_boxes(flat, finder)
            boxes = distorted_boxes(boxes, camera)
        else:
            boxes = checked_boxes(boxes, pixels, source)
        aimed = aim(flat, undistorted_corners(boxes, camera), camera, models)
    if scores is not None:
        chosen = distinct(aimed, boxes, scores, least_confidence)
        aimed, boxes = aimed.select(chosen), boxes[chosen]
    pose, aimed = lift(
        flat, aimed, models, flip_test=flip_test, with_given_joints=joints is not None
    )
    if scores is not None:
        # In crops of two boxes the lifter's own detector may have found the same person.
        chosen = distinct(aimed, boxes, boxes[:, 2] * boxes[:, 3], 0.0)
        pose, aimed, boxes = pose[chosen], aimed.select(chosen), boxes[chosen]
    return place(
        pose,
        aimed,
        boxes,
        camera,
        models,
        image_size=(pixels.shape[1], pixels.shape[0]),
        source=source,
        height=height,
        least_confidence=least_confidence,
    )


def lift(
    pixels: UInt8[np.ndarray, 'H W 3'] | Sequence[UInt8[np.ndarray, 'H W 3']],
    aimed: Aimed,
    models: Models,
    *,
    flip_test: bool = True,
    with_given_joints: bool = False,
) -> tuple[Float[np.ndarray, 'N J 3'], Aimed]:
    """Stage 3: poses in metres, in the camera's frame, as the lifter gives them.

    A lifter predicts the root joint as it predicts the others, and puts it near the origin, such
    as a centimetre away. `place` moves the root joint into the origin.

    Args:
      pixels: RGB, without lens distortion; of people out of several images, that of each person,
        all of one size.
      aimed: the people's crops and joints.
      models: the networks.
      flip_test: average with the prediction for the mirrored person.
      with_given_joints: whether the joints are the user's, which no detector's replace.

    Returns:
      The poses, and the people with the joints that were lifted.
    """
    lifter = models.lifter
    if not aimed.views:
        return np.zeros((0, len(lifter.skeleton), 3)), aimed
    views = aimed.views
    images = crops_of(pixels, views)
    joints_crop = np.stack(
        [view.to_crop(one) for view, one in zip(views, aimed.joints2d, strict=True)]
    )
    if models.turns:
        own = models.lifts_own_joints and not with_given_joints
        pose, joints_crop, confidence = lifter.lift_crops(
            images, None if own else joints_crop, flip_test=flip_test
        )
        if own:
            joints2d = on_photograph(joints_crop, views)
            aimed = Aimed(views, joints2d, np.asarray(confidence, np.float64))
    else:
        height, width = (pixels if isinstance(pixels, np.ndarray) else pixels[0]).shape[:2]
        size = np.tile([float(width), float(height)], (len(views), 1))
        by_image = normalise_by_image(aimed.joints2d, size)
        pose = lifter.lift(images, by_image, joints_crop, flip_test=flip_test)
    rotations = np.stack([view.rotation for view in views])
    return viewing_ray.to_camera(np.asarray(pose, np.float64), rotations), aimed


def place(
    pose: Float[np.ndarray, 'N J 3'],
    aimed: Aimed,
    boxes: Float[np.ndarray, 'N 4'],
    camera: PhotographCamera,
    models: Models,
    *,
    image_size: tuple[int, int],
    source: str = '',
    height: float | None = None,
    least_confidence: float = LEAST_CONFIDENCE,
) -> People:
    """Stage 4: where the roots are, and all of it as `People`.

    Args:
      pose: metres, in the camera's frame; anywhere, since it is taken relative to its root joint.
      aimed: the people's joints, pixels of the photograph without lens distortion.
      boxes: x, y, width, height, pixels of the photograph as it is.
      camera: of the photograph.
      models: the networks.
      image_size: (width, height) of the photograph.
      source: its name.
      height: metres; everyone is scaled to this standing height.
      least_confidence: mean confidence of the joints below which a person is not valid.

    Raises:
      UserError: a height that is none, or of joints that do not tell one.
    """
    skeleton, lens = models.lifter.skeleton, camera.camera
    common: dict[str, Any] = {
        'joints2d_skeleton': skeleton.name,
        'skeleton': skeleton.name,
        'camera': dataclasses.replace(lens, image_size=image_size),
        'camera_assumed': camera.assumed,
        'camera_origin': camera.origin,
        'image_size': image_size,
        'source': source,
    }
    number = len(pose)
    if not number:
        return people_arrays.empty(**common)
    pose = pose - pose[:, [skeleton.root]]
    if height is not None:
        check_height(height)
        pose = pose * (height / stature.standing_height(pose, skeleton))[:, None, None]
    root = root_position.root_position(pose, aimed.joints2d, lens.intrinsics, aimed.confidence)
    finite = np.isfinite(root).all(axis=-1) & np.isfinite(pose).all(axis=(1, 2))
    return People(
        ids=np.arange(number),
        time=np.zeros(number),
        boxes=boxes,
        joints2d=distort_points(aimed.joints2d, lens),
        confidence=aimed.confidence.clip(0, 1),
        pose=pose,
        root=root,
        valid=finite & (aimed.confidence.mean(axis=1) >= least_confidence),
        **common,
    )


def check_height(height: float) -> None:
    """UserError unless a person can be so tall, in metres."""
    if not 0.3 < height < 3:
        raise UserError(f'a standing height of {height:g} is none; give metres, such as 1.75')


def distinct(
    aimed: Aimed, boxes: np.ndarray, scores: np.ndarray, least_confidence: float
) -> np.ndarray:
    """The numbers of the people that are sure enough, each once; the order stays.

    Args:
      aimed: the people.
      boxes: [N, 4] of each.
      scores: [N]; of two that are one person, the one of the higher score is chosen.
      least_confidence: mean over the joints.
    """
    mean = aimed.confidence.mean(axis=1)
    sizes = np.sqrt(np.maximum(boxes[:, 2] * boxes[:, 3], 1.0))
    chosen: list[int] = []
    for n in np.argsort(-scores, kind='stable'):
        if mean[n] < least_confidence:
            continue
        away = np.linalg.norm(aimed.joints2d[chosen] - aimed.joints2d[n], axis=-1)
        larger = np.maximum(sizes[chosen], sizes[n])
        same = (away.mean(axis=1) < _DUPLICATE * sizes[n]) | (
            np.median(away, axis=1) < _MOSTLY_DUPLICATE * larger
        )
        if not same.any():
            chosen.append(int(n))
    return np.array(sorted(chosen), np.int64)

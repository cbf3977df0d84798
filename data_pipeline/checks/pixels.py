"""Whether 2D joints, 3D joints, cameras and crops belong together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from capf_jax.pose import crops
from capf_jax.pose.skeletons import Skeleton
from data_pipeline.checks.findings import NOTE, Finding, ok_if
from data_pipeline.checks.people import People

_REPROJECTION = 0.02  # of a person's diagonal, median of any joint; a wrong camera gives a multiple
_DETECTION = 0.25  # of a person's diagonal, median distance of detected from true joints
_INSIDE = 0.7  # of the joints that lie in their crop, at least
_SWAPPED = 0.1  # of the people whose detections fit better with left and right exchanged, at most
_BLACK = 0.6  # of a crop's pixels: it is mostly outside its image


def judge(people: People, skeleton: Skeleton, *, scaled: str = '') -> Iterator[Finding]:
    """Findings about finite records.

    Args:
      people: the records.
      skeleton: their joint set.
      scaled: name of 3D joints that are scaled and so do not project onto the person, or ''.
    """
    diagonal = np.linalg.norm(np.ptp(people.joints2d_truth, axis=1), axis=-1)
    with_camera = people.intrinsics[:, 0] > 0
    if with_camera.any():
        yield _reprojection(people, diagonal, with_camera, skeleton, scaled)
    else:
        yield Finding(NOTE, 'reprojection', 'the records have no cameras')
    yield from _detections(people, diagonal, skeleton)

    height, width = people.images.shape[1:3]
    inside = crops.apply_affine(people.affine, people.joints2d_truth)
    share = float(np.mean(((inside > -0.5) & (inside < [width - 0.5, height - 0.5])).all(axis=-1)))
    yield ok_if(
        share >= _INSIDE,
        'crops',
        f'{100 * share:.1f}% of the true 2D joints lie in their crop of {width}x{height}',
        'boxes miss the people: check the cameras and the 2D labels',
    )
    black = int(np.sum((people.images.max(axis=-1) < 8).mean(axis=(1, 2)) > _BLACK))
    if black:
        says = f'{black} of {len(people)} crops are mostly black'
        yield ok_if(black < len(people) / 2, 'pictures', says, 'the images are dark or missed')


def project(joints3d: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Joints [N, J, 3] by pinhole cameras [N, 4] -> [N, J, 2] pixels."""
    depth = np.where(joints3d[..., 2:] > 0, joints3d[..., 2:], np.nan)  # behind: no pixel
    return joints3d[..., :2] / depth * intrinsics[:, None, :2] + intrinsics[:, None, 2:]


def place(joints3d: np.ndarray, joints2d: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Moves every person [J, 3] so that it projects best onto its 2D joints (linear, no scale).

    A scaled person that is moved fits its pixels as well as the true one: only the distance from
    the camera differs.
    """
    rays = (joints2d - intrinsics[:, None, 2:]) / intrinsics[:, None, :2]
    count, joints, _ = rays.shape
    # (X + tx) = x (Z + tz), and the same of y: two equations a joint for three unknowns.
    matrix = np.zeros((count, joints, 2, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = 1
    matrix[..., 2] = -rays
    wanted = rays * joints3d[..., 2:] - joints3d[..., :2]
    matrix, wanted = matrix.reshape(count, -1, 3), wanted.reshape(count, -1, 1)
    transposed = matrix.swapaxes(1, 2)
    shift = np.linalg.solve(transposed @ matrix, transposed @ wanted)[..., 0]
    return joints3d + shift[:, None]


def _reprojection(
    people: People,
    diagonal: np.ndarray,
    with_camera: np.ndarray,
    skeleton: Skeleton,
    scaled: str,
) -> Finding:
    joints3d, joints2d, intrinsics = (
        array[with_camera] for array in (people.joints3d, people.joints2d_truth, people.intrinsics)
    )
    if scaled:
        joints3d = place(joints3d, joints2d, intrinsics)
    distance = np.linalg.norm(project(joints3d, intrinsics) - joints2d, axis=-1)
    distance = np.where(np.isnan(distance), np.inf, distance)
    # Of each joint, so that two that are exchanged do not hide among fifteen that are right.
    shares = np.median(distance / diagonal[with_camera, None], axis=0)
    worst = int(np.argmax(shares))
    says = (
        f'3D joints project {np.median(distance):.2f} px (median) and '
        f'{np.percentile(distance, 95, method="lower"):.2f} px (95%) from the true 2D joints, '
        f'{np.median(distance[:, worst]):.2f} px at the {skeleton.joints[worst]}'
    )
    if scaled:
        says += f', each person moved to its place first, since {scaled} is scaled'
    return ok_if(
        shares[worst] <= _REPROJECTION,
        'reprojection',
        says,
        'check the cameras, the joint order and the frames of 2D and 3D labels',
    )


def _detections(people: People, diagonal: np.ndarray, skeleton: Skeleton) -> Iterator[Finding]:
    if np.array_equal(people.joints2d_detected, people.joints2d_truth):
        yield Finding(NOTE, 'detected 2D joints', 'they are the true ones')
        return
    seen = people.confidence > 0
    distance = np.linalg.norm(people.joints2d_detected - people.joints2d_truth, axis=-1)
    share = float(np.median((distance / np.maximum(diagonal, 1)[:, None])[seen]))
    yield ok_if(
        share <= _DETECTION,
        'detected 2D joints',
        f'lie {np.median(distance[seen]):.1f} px (median) from the true ones',
        'they are of other frames or people, or in another unit',
    )
    sides = list(skeleton.left + skeleton.right)
    exchanged = np.linalg.norm(
        people.joints2d_detected[:, skeleton.flip] - people.joints2d_truth, axis=-1
    )
    swapped = float(np.mean(exchanged[:, sides].mean(1) < distance[:, sides].mean(1)))
    yield ok_if(
        swapped <= _SWAPPED,
        'sides of detections',
        f'{100 * swapped:.1f}% of people fit better with left and right exchanged',
        'the joint order of the detections differs from that of the labels',
    )

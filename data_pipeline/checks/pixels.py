"""Checks that the 2D joints, the 3D joints, the cameras and the crops of people belong together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from capf_jax.pose import cameras, crops
from capf_jax.pose.skeletons import Skeleton
from data_pipeline.checks.findings import NOTE, Finding, ok_if
from data_pipeline.checks.people import People

# Distances are compared with the diagonal of the box around the true 2D joints of a person.
# Largest plausible median error of the projection of any joint; a wrong camera gives several times
# as much.
_REPROJECTION = 0.02
_DETECTION = 0.25  # Largest plausible median distance of detected from true 2D joints.
_INSIDE = 0.7  # Smallest plausible share of joints inside their crop.
# Largest plausible share of people whose detections fit better with left and right exchanged.
_SWAPPED = 0.1
_BLACK = 0.6  # A crop with a larger share of black pixels is mostly outside its image.


def judge(people: People, skeleton: Skeleton, *, scaled: str = '') -> Iterator[Finding]:
    """Findings about people whose joints are finite.

    Args:
      people: the people.
      skeleton: their joint set.
      scaled: name of the 3D targets if these are scaled, so that they do not project onto the
        person, or ''.
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


def place(joints3d: np.ndarray, joints2d: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Moves every person so that the 3D joints project onto the 2D joints, by least squares.

    After the move, a scaled person projects onto the same pixels as the true one; only the distance
    from the camera differs.

    Args:
      joints3d: [N, J, 3], camera frame, metres.
      joints2d: [N, J, 2], pixels of the whole image.
      intrinsics: [N, 4], fx, fy, cx and cy, pixels.

    Returns:
      [N, J, 3], camera frame, metres; neither turned nor scaled.
    """
    rays = (joints2d - intrinsics[:, None, 2:]) / intrinsics[:, None, :2]
    count, joints, _ = rays.shape
    # With a ray (x, y, 1), a joint (X, Y, Z) and a shift (tx, ty, tz), each joint gives two linear
    # equations: X + tx = x (Z + tz) and Y + ty = y (Z + tz).
    matrix = np.zeros((count, joints, 2, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = 1
    matrix[..., 2] = -rays
    right = rays * joints3d[..., 2:] - joints3d[..., :2]
    matrix, right = matrix.reshape(count, -1, 3), right.reshape(count, -1, 1)
    transpose = matrix.swapaxes(1, 2)
    shift = np.linalg.solve(transpose @ matrix, transpose @ right)[..., 0]
    return joints3d + shift[:, None]


def _reprojection(
    people: People,
    diagonal: np.ndarray,
    with_camera: np.ndarray,
    skeleton: Skeleton,
    scaled: str,
) -> Finding:
    """Whether the 3D joints project onto the true 2D joints.

    Args:
      people: N people.
      diagonal: [N], diagonal of the box around the true 2D joints, pixels.
      with_camera: [N] bool, whether the person has a camera.
      skeleton: their joint set.
      scaled: name of the 3D targets if these are scaled, or ''.
    """
    joints3d, joints2d, intrinsics = (
        array[with_camera] for array in (people.joints3d, people.joints2d_truth, people.intrinsics)
    )
    if scaled:
        joints3d = place(joints3d, joints2d, intrinsics)
    in_front = np.where(joints3d[..., 2:] > 0, joints3d, np.nan)  # no pixel shows the others
    projected = cameras.project(in_front, intrinsics[:, None])
    distance = np.linalg.norm(projected - joints2d, axis=-1)
    distance = np.where(np.isnan(distance), np.inf, distance)
    # The medians of single joints show two exchanged joints, which the median of all would hide.
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
    """Whether the detected 2D joints belong to the true ones.

    Args:
      people: N people.
      diagonal: [N], diagonal of the box around the true 2D joints, pixels.
      skeleton: their joint set.
    """
    if np.array_equal(people.joints2d_detected, people.joints2d_truth):
        yield Finding(NOTE, 'detected 2D joints', 'they are the true ones')
        return
    confident = people.confidence > 0
    distance = np.linalg.norm(people.joints2d_detected - people.joints2d_truth, axis=-1)
    share = float(np.median((distance / np.maximum(diagonal, 1)[:, None])[confident]))
    yield ok_if(
        share <= _DETECTION,
        'detected 2D joints',
        f'lie {np.median(distance[confident]):.1f} px (median) from the true ones',
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

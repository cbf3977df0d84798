"""People who move: every bone keeps its length and swings about an axis of its own."""

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from capf_jax.inference.tracks import Tracks
from capf_jax.pose import cameras, skeletons
from tests.inference.tracks_samples import tracks

Y_UP = np.array([1, -1, -1])  # from the axes of the camera


def joints_of(skeleton, length=12, seed=0, place=(0, 0, 5)):
    """[T, J, 3] metres, camera frame; bones of 10 to 50 cm."""
    random = np.random.default_rng(seed)
    times = np.arange(length) / 10
    joints = np.zeros((length, len(skeleton), 3))
    joints[:, skeleton.root] = np.array(place) + times[:, None] * [0.5, 0, 0.1]
    placed = {skeleton.root}
    while len(placed) < len(skeleton):
        for parent, child in skeleton.bones:
            if parent in placed and child not in placed:
                start, axis = random.normal(size=(2, 3))
                start *= random.uniform(0.1, 0.5) / np.linalg.norm(start)
                angles = np.sin(3 * times + random.uniform(0, 6))
                turn = Rotation.from_rotvec(np.outer(angles, axis / np.linalg.norm(axis)))
                joints[:, child] = joints[:, parent] + turn.apply(start)
                placed.add(child)
    return joints


def moving(skeleton='h36m17', number=1, length=12, **changes) -> Tracks:
    """`number` people at 10 frames a second, ids 3, 4, ...; everyone is in every frame."""
    kind = skeletons.get(skeleton)
    joints = np.stack([joints_of(kind, length, seed, (seed - 0.5, 0, 5)) for seed in range(number)])
    base = tracks(length, 10.0).select(people=[0])
    joints2d = cameras.project(joints, base.camera.intrinsics, base.camera.distortion)
    corners = joints2d.min(axis=2), np.ptp(joints2d, axis=2)
    fields = {
        'skeleton': skeleton, 'ids': 3 + np.arange(number), 'joints3d': joints,
        'joints2d': joints2d, 'root': joints[:, :, kind.root],
        'confidence': np.full(joints.shape[:3], 0.9), 'valid': np.ones(joints.shape[:2], bool),
        'boxes': np.concatenate(corners, axis=-1),
    }  # fmt: skip
    return dataclasses.replace(base, **(fields | changes))


def with_gap(one: Tracks, first: int, last: int) -> Tracks:
    """Nobody is there from one frame to before another."""
    changes = {
        name: getattr(one, name).copy() for name in ('joints3d', 'joints2d', 'root', 'boxes')
    }
    for array in changes.values():
        array[:, first:last] = np.nan
    valid, confidence = one.valid.copy(), one.confidence.copy()
    valid[:, first:last], confidence[:, first:last] = False, 0
    return dataclasses.replace(one, valid=valid, confidence=confidence, **changes)

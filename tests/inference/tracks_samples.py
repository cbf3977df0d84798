"""Tracks for tests: two people who walk past the camera, with a gap and someone unseen."""

import numpy as np

from capf_jax.inference.tracks import Tracks
from capf_jax.pose import cameras, skeletons
from tests.inference.people_samples import CAMERA

# Standing, H36M17, metres, relative to the pelvis; x right, y down, z away.
STANDING = np.array([
    [0, 0, 0], [-0.13, 0, 0], [-0.13, 0.45, 0], [-0.13, 0.9, 0.02], [0.13, 0, 0], [0.13, 0.45, 0],
    [0.13, 0.9, 0.02], [0, -0.23, 0], [0, -0.5, 0], [0, -0.6, -0.08], [0, -0.72, 0],
    [0.17, -0.46, 0], [0.2, -0.2, 0], [0.2, 0.05, -0.05], [-0.17, -0.46, 0], [-0.2, -0.2, 0],
    [-0.2, 0.05, -0.05],
])  # fmt: skip


def tracks(length=20, fps=10.0, **changes):
    """Two people, ids 3 and 7; the second one is absent from frames 5 to 8, and at 12 unsure."""
    times = np.arange(length) / fps
    root = np.stack([
        np.stack([-1 + 0.8 * times, 0.1 + 0 * times, 5 + 0 * times], -1),
        np.stack([1 - 0.8 * times, 0.1 + 0 * times, 6 + 0 * times], -1),
    ])  # fmt: skip
    joints3d = root[:, :, None] + STANDING
    joints2d = cameras.project(joints3d, CAMERA.intrinsics, CAMERA.distortion)
    first, last = joints2d.min(axis=2), joints2d.max(axis=2)
    boxes = np.concatenate([first, last - first], axis=-1)
    confidence = np.full(joints2d.shape[:3], 0.9)
    confidence[0, :, skeletons.H36M17.index('left_wrist')] = 0.1
    valid = np.ones((2, length), bool)
    for array in (root, joints3d, joints2d, boxes):
        array[1, 5:9] = np.nan
    confidence[1, 5:9], valid[1, 5:9], valid[1, 12:13] = 0, False, False
    fields = {
        'fps': fps, 'times': times, 'frames': np.arange(length), 'ids': np.array([3, 7]),
        'joints3d': joints3d, 'joints2d': joints2d, 'confidence': confidence, 'root': root,
        'valid': valid, 'boxes': boxes, 'skeleton': 'h36m17', 'camera': CAMERA,
        'camera_assumed': False, 'camera_origin': 'calibration.toml', 'image_size': (640, 480),
        'source': 'walk.mp4',
    }  # fmt: skip
    return Tracks(**(fields | changes))

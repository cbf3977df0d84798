"""People of coloured dots, and networks that know how to read them: the pipeline without learning.

A picture shows each joint as a dot, whose colour tells which joint it is. The fake detector reads
the dots of a crop; the fake lifter knows the true pose of each person by the colour of the root.
"""

from __future__ import annotations

import types

import cv2
import numpy as np

from capf_jax.models.detectors import catalog
from capf_jax.pose import cameras, joint_conversions, skeletons

SKELETON = skeletons.H36M17
STEP = 14  # of the green channel from joint to joint


def pose(seed=0):
    """A pose [17, 3], metres, relative to the root."""
    joints = np.random.default_rng(seed).normal(size=(17, 3)) * [0.25, 0.45, 0.25]
    return joints - joints[:1]


def picture(people, intrinsics, size, distortion=None):
    """RGB pixels of people's joints [N, 17, 3] in the camera's frame; later ones are in front."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    for number, joints in enumerate(people):
        places = cameras.project(joints, intrinsics, distortion)
        for joint, place in reversed(list(enumerate(places))):
            centre = tuple(np.round(place * 16).astype(int).tolist())
            colour = (255, STEP * joint, 50 + 20 * number)
            cv2.circle(pixels, centre, 3 * 16, colour, -1, cv2.LINE_8, 4)
    return pixels


def dots(crop, number=None):
    """Places [17, 2] and confidence [17] of the dots in a crop."""
    core = crop[..., 0] >= 254
    if number is not None:
        core &= np.abs(crop[..., 2].astype(int) - 50 - 20 * number) <= 3
    joints, sure = np.zeros((17, 2)), np.zeros(17)
    for joint in range(17):
        rows, columns = np.nonzero(core & (np.abs(crop[..., 1].astype(int) - STEP * joint) <= 3))
        if len(rows):
            joints[joint], sure[joint] = [columns.mean(), rows.mean()], 0.9
    return joints, sure


class DotEstimator:
    """What `photographs` asks of an Estimator, for pictures of dots."""

    def __init__(self, poses, frame='viewing_ray', crop=(256, 256)):
        self.poses, self.crop_size, self.path = poses, crop, 'dots.safetensors'
        self.metadata = {'kind': 'ca_pf', 'name': 'dots'}
        self.skeleton = SKELETON
        entry = catalog.get('hrnet_w32')
        self.detector = types.SimpleNamespace(entry=entry, joints=SKELETON)
        whole = types.SimpleNamespace(conversion=joint_conversions.get('h36m17', 'h36m17'))
        self.lifter, self.frame = types.SimpleNamespace(whole=whole), frame
        self.sequence_lifter = None
        self.crops = []

    @property
    def joint_skeleton(self):
        """What `joints` finds."""
        finds = self.detector is not None and self.detector.entry.heatmaps
        return self.detector.joints if finds else None

    def joints(self, crops, *, flip_test=False):
        """The dots of each crop."""
        self.crops.append(np.array(crops))
        both = [dots(crop, self._number(crop)) for crop in crops]
        return np.stack([one for one, _ in both]), np.stack([one for _, one in both])

    def lift_crops(self, crops, joints2d_crop=None, flip_test=True):
        """The true poses; joints are read where none are given."""
        joints, sure = self.joints(crops)
        if joints2d_crop is not None:
            joints, sure = joints2d_crop, np.ones(sure.shape)
        return np.stack([self.poses[self._number(crop)] for crop in crops]), joints, sure

    def lift(self, crops, joints2d, joints2d_crop, flip_test=False):
        """The true poses."""
        return np.stack([self.poses[self._number(crop)] for crop in crops])

    def _number(self, crop):
        """The person who shows most dots."""
        blue = crop[..., 2][crop[..., 0] >= 254].astype(int)
        numbers = np.round((blue - 50) / 20).astype(int).clip(0, len(self.poses) - 1)
        return int(np.bincount(numbers).argmax()) if len(numbers) else 0


class DoubtfulEstimator(DotEstimator):
    """Reads the joints of each batch's last person a little aside in every first look."""

    looks = 0

    def joints(self, crops, *, flip_test=False):
        """The dots of each crop."""
        joints, sure = super().joints(crops, flip_test=flip_test)
        self.looks += 1
        if self.looks % 2:
            joints[-1] += 0.2 * crops.shape[1]
        return joints, sure


class Boxes:
    """A finder that has been told the boxes, in a picture of this size."""

    def __init__(self, boxes, scores, size):
        self.boxes, self.scores, self.size = np.array(boxes).reshape(-1, 4), scores, size

    def find(self, image):
        """The boxes, in pixels of a smaller picture."""
        scale = max(image.shape[:2]) / max(self.size)
        boxes = np.concatenate(
            [(self.boxes[:, :2] + 0.5) * scale - 0.5, self.boxes[:, 2:] * scale], axis=1
        )
        return types.SimpleNamespace(boxes=boxes, scores=np.asarray(self.scores, np.float64))

"""Poses from a motion-capture file instead of the sampler: read, split by clip, fit to a body."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import os
import pathlib
import zipfile

import numpy as np

from capf_jax.pose.skeletons import H36M17
from data_pipeline.datasets.synthetic import bvh, poses
from data_pipeline.datasets.synthetic.joint_limits import CLEARANCE
from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    HEAD,
    HEAD_LEAN,
    HIP,
    KNEE,
    LEFT,
    NOSE,
    PELVIS,
    RIGHT,
    SHOULDER,
    SPINE,
    THORAX,
    BodyProportions,
    Pose,
    unit,
)  # fmt: skip

TEST_SHARE = 0.2  # of the clips, or of the time of a single clip
_ARRAYS = ('pose_rel_dmm', 'root_mm', 'clip', 'clip_names')


@dataclasses.dataclass(frozen=True)
class MotionCapture:
    """Recorded poses.

    Attributes:
      joints: [N, 17, 3] float32 mm, order of H36M17, world with z up.
      clips: [N] name of the recording of each pose; frames of a clip are in order of time.
    """

    joints: np.ndarray
    clips: np.ndarray

    def sample(self, rng: np.random.Generator, proportions: BodyProportions) -> tuple[str, Pose]:
        """A random clip's name and one of its poses, on this body, turned and mirrored at random.

        Clips have equal chances, so that long ones do not crowd out the others.
        """
        clips, order, starts = self._by_clip
        clip = int(rng.integers(len(clips)))
        frame = order[int(rng.integers(starts[clip], starts[clip + 1]))]
        pose = pose_from_joints(retarget(self.joints[frame], proportions))
        if rng.random() < 0.5:
            pose = poses.mirror(pose)
        return str(clips[clip]), poses.turn(pose, rng.uniform(-180.0, 180.0))

    @functools.cached_property
    def _by_clip(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        clips, counts = np.unique(self.clips, return_counts=True)
        order = np.argsort(self.clips, kind='stable')
        return clips, order, np.concatenate(([0], np.cumsum(counts)))

    def split(self, name: str) -> MotionCapture:
        """The part for 'train' or 'test': other clips, or, of a single clip, another stretch.

        The split of a clip depends on its name alone, so adding clips moves none of the others.

        Raises:
          ValueError: an unknown split.
        """
        if name not in ('train', 'test'):
            raise ValueError(f"unknown split {name!r} of motion capture; known are 'train', 'test'")
        clips = np.unique(self.clips)
        if len(clips) == 1:
            first_test = math.ceil((1.0 - TEST_SHARE) * len(self.joints))
            test = np.arange(len(self.joints)) >= first_test
        else:
            score = {clip: hashlib.sha256(str(clip).encode()).digest() for clip in clips}
            ranked = sorted(clips, key=score.__getitem__)
            limit = bytes([round(255 * TEST_SHARE)])
            chosen = {clip for clip in ranked if score[clip] < limit}
            # With few clips chance may leave a side empty.
            chosen = chosen or {ranked[0]}
            chosen -= {ranked[-1]}
            test = np.isin(self.clips, sorted(chosen))
        part = test if name == 'test' else ~test
        return MotionCapture(self.joints[part], self.clips[part])


def load_poses(path: str | os.PathLike) -> np.ndarray:
    """Poses [N, 17, 3] float32, mm, world with z up, of an `.npz` or `.bvh` file; see `load`."""
    return load(path).joints


def load(path: str | os.PathLike) -> MotionCapture:
    """Reads an `.npz` or `.bvh` file.

    An `.npz` holds `pose_rel_dmm` [N, 17, 3] (0.1 mm, relative to the pelvis), `root_mm` [N, 3]
    (world, z up), `clip` [N] (index) and `clip_names`; joints are in the order of H36M17.

    Raises:
      FileNotFoundError: no such file.
      ValueError: another format, a damaged file, or poses that are not finite.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'motion-capture file {path} does not exist; check the path')
    if path.suffix.lower() == '.npz':
        capture = _from_npz(path)
    elif path.suffix.lower() == '.bvh':
        joints = bvh.read_joints(path)
        capture = MotionCapture(joints, np.full(len(joints), path.stem))
    else:
        raise ValueError(f'motion-capture file {path} is neither .npz nor .bvh; convert it')
    if not len(capture.joints):
        raise ValueError(f'motion-capture file {path} holds no pose')
    bad = np.flatnonzero(~np.isfinite(capture.joints).all((1, 2)))
    if len(bad):
        raise ValueError(f'{path}: pose {bad[0]} has a coordinate that is not finite; remove it')
    lengths = np.linalg.norm(capture.joints[:, _CHILD] - capture.joints[:, _PARENT], axis=-1)
    short = np.argwhere(lengths < 1e-3)
    if len(short):
        pose, bone = short[0]
        joint = H36M17.joints[_CHILD[bone]]
        raise ValueError(f'{path}: pose {pose} has a bone of no length at {joint!r}; remove it')
    return capture


def _from_npz(path: pathlib.Path) -> MotionCapture:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in _ARRAYS if name not in file.files]
            if missing:
                raise ValueError(f'has no array {", ".join(missing)}')
            relative, root, clip, names = (file[name] for name in _ARRAYS)
        if relative.ndim != 3 or relative.shape[1:] != (17, 3):
            raise ValueError(f'pose_rel_dmm has shape {relative.shape}, not [N, 17, 3]')
        if root.shape != (len(relative), 3) or clip.shape != (len(relative),):
            raise ValueError('root_mm must be [N, 3] and clip [N], N as in pose_rel_dmm')
        if not np.issubdtype(clip.dtype, np.integer) or not np.isin(clip, range(len(names))).all():
            raise ValueError('clip must hold indices of clip_names')
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(f'cannot read poses from {path}: {error}') from error
    joints = relative.astype(np.float32) / 10.0 + root[:, None].astype(np.float32)
    return MotionCapture(joints, names[clip].astype(str))


_PARENT, _CHILD = (list(side) for side in zip(*H36M17.bones, strict=True))
_LEG = [_CHILD.index(joint) for joint in (*KNEE, *ANKLE)]


def retarget(joints: np.ndarray, proportions: BodyProportions) -> np.ndarray:
    """Poses [..., 17, 3] with the bone lengths of a body; every bone keeps its direction.

    The pelvis's place in the world is scaled with the legs, so that strides still fit.
    """
    bones = joints[..., _CHILD, :] - joints[..., _PARENT, :]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    wanted = proportions.bone_lengths[_CHILD]
    bones = bones / lengths * wanted[:, None]
    scale = wanted[_LEG].sum() / lengths[..., _LEG, 0].sum(-1)
    out = np.empty(joints.shape)
    out[..., PELVIS, :] = joints[..., PELVIS, :] * scale[..., None]
    for bone, (parent, child) in enumerate(H36M17.bones):
        out[..., child, :] = out[..., parent, :] + bones[..., bone, :]
    return out.astype(np.float32)


def pose_from_joints(joints: np.ndarray) -> Pose:
    """A pose on the floor from joints [17, 3] mm alone: axes of the parts and feet are inferred.

    The left of a part is where its left joints are, up is along the trunk; feet point where the
    knees do, or where the pelvis does if the knees are straight.
    """
    joints = np.array(joints, np.float64)
    joints[:, 2] -= (joints[:, 2] - CLEARANCE).min()
    joints[:, :2] -= joints[PELVIS, :2]
    pelvis = _axes(joints[HIP[LEFT]] - joints[HIP[RIGHT]], joints[SPINE] - joints[PELVIS])
    chest = _axes(joints[SHOULDER[LEFT]] - joints[SHOULDER[RIGHT]], joints[THORAX] - joints[SPINE])
    neck, crown = unit(joints[NOSE] - joints[THORAX]), unit(joints[HEAD] - joints[NOSE])
    # Neck base, nose and crown span the plane that halves the head; if they are in line, the
    # chest tells left from right.
    left = unit(_cross(crown, neck) + 0.1 * chest[:, 1])
    front = unit(_cross(left, crown))
    head = _axes(left, math.cos(HEAD_LEAN) * crown - math.sin(HEAD_LEAN) * front)
    feet = []
    for side in (RIGHT, LEFT):
        hip, knee, ankle = joints[HIP[side]], joints[KNEE[side]], joints[ANKLE[side]]
        along = unit(ankle - hip)
        bend = (knee - hip) - along * along.dot(knee - hip)
        feet.append(poses.foot_direction(joints, unit(bend + 60.0 * pelvis[:, 0]), side))
    return Pose(joints, pelvis, chest, head, np.stack(feet))


def _axes(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """[3, 3] columns forward, left, up; `left` is kept, `up` is made square to it."""
    left = unit(left)
    forward = unit(_cross(left, up))
    return np.stack((forward, left, _cross(forward, left)), axis=1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # Ten times as fast as np.cross for single vectors.
    return np.array((
        a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
    ))  # fmt: skip

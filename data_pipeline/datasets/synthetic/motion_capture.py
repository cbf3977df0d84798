"""Poses from a motion-capture file, which replace sampled ones.

A file of recorded poses is read and divided into training and test clips, and each pose is fitted
to the bone lengths of a person. Lengths are in millimetres.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from capf_jax.errors import UserError, unknown
from capf_jax.pose.skeletons import H36M17
from capf_jax.runtime import array_files
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
)  # fmt: skip
from data_pipeline.datasets.synthetic.vectors import cross, unit

TEST_SHARE = 0.2  # Share of the clips, or of the duration of a single clip, for the test split.
_ARRAYS = ('pose_rel_dmm', 'root_mm', 'clip', 'clip_names')


@dataclasses.dataclass(frozen=True)
class MotionCapture:
    """Recorded poses.

    Attributes:
      joints: [N, 17, 3] float32, mm, order of H36M17, world with z up.
      clips: [N] str, name of the recording of each pose; the poses of a clip are in order of time.
      rates: poses a second of each clip by its name; a file may leave them out.
    """

    joints: np.ndarray
    clips: np.ndarray
    rates: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def sample(self, rng: np.random.Generator, proportions: BodyProportions) -> tuple[str, Pose]:
        """A random pose of a random clip, fitted to a body and turned and mirrored at random.

        All clips have equal chances, so that long clips do not displace short ones.

        Args:
          rng: source of randomness.
          proportions: bone lengths of the person, mm.

        Returns:
          The name of the clip, and the pose.
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
        """Names of the C clips, poses [N] sorted by clip, and where each clip starts [C + 1]."""
        clips, counts = np.unique(self.clips, return_counts=True)
        order = np.argsort(self.clips, kind='stable')
        return clips, order, np.concatenate(([0], np.cumsum(counts)))

    def split(self, name: str) -> MotionCapture:
        """The recorded poses of one split, 'train' or 'test'.

        No clip is in both splits. The split of a clip depends on its name alone, so that the other
        clips keep their splits when clips are added. The poses of a single clip are divided in
        time, and its end becomes the test split.

        Raises:
          UserError: there is no such split.
        """
        if name not in ('train', 'test'):
            raise unknown('the split of the motion capture', name, ('train', 'test'))
        clips = np.unique(self.clips)
        if len(clips) == 1:
            first_test = math.ceil((1.0 - TEST_SHARE) * len(self.joints))
            test = np.arange(len(self.joints)) >= first_test
        else:
            score = {clip: hashlib.sha256(str(clip).encode()).digest() for clip in clips}
            order = sorted(clips, key=score.__getitem__)
            limit = bytes([round(255 * TEST_SHARE)])
            test_clips = {clip for clip in order if score[clip] < limit}
            # With few clips, chance may leave one of the splits empty.
            test_clips = test_clips or {order[0]}
            test_clips -= {order[-1]}
            test = np.isin(self.clips, sorted(test_clips))
        part = test if name == 'test' else ~test
        return MotionCapture(self.joints[part], self.clips[part], self.rates)


def join(captures: Sequence[MotionCapture]) -> MotionCapture:
    """The recorded poses of several sources; clips of one name become one clip."""
    return MotionCapture(
        np.concatenate([capture.joints for capture in captures]),
        np.concatenate([capture.clips for capture in captures]),
    )


def load(path: str | os.PathLike, rate: float = bvh.RATE) -> MotionCapture:
    """Reads a motion-capture file.

    An `.npz` file holds four arrays: `pose_rel_dmm` [N, 17, 3], joints in the order of H36M17,
    relative to the pelvis, in units of 0.1 mm; `root_mm` [N, 3], position of the pelvis in a world
    with z up, mm; `clip` [N], index of the clip of each pose; and `clip_names`. A fifth, `fps`, has
    the poses a second, of all clips or of each, which clips in motion need. A `.bvh` file is one
    clip, which is named after the file.

    Args:
      path: the `.npz` or `.bvh` file.
      rate: poses a second to take of a `.bvh` file, about.

    Raises:
      UserError: the file does not exist, has another format, is damaged, holds no pose, or holds a
        pose with a coordinate that is not finite or with a bone of no length.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f'motion-capture file {path} does not exist; check the path')
    if path.suffix.lower() == '.npz':
        capture = _from_npz(path)
    elif path.suffix.lower() == '.bvh':
        joints, read_rate = bvh.read_sequence(path, rate)
        capture = MotionCapture(
            joints, np.full(len(joints), path.stem), {path.stem: float(read_rate)}
        )
    else:
        raise UserError(f'motion-capture file {path} is neither .npz nor .bvh; convert it')
    if not len(capture.joints):
        raise UserError(f'motion-capture file {path} holds no pose; name another file')
    infinite = np.flatnonzero(~np.isfinite(capture.joints).all((1, 2)))
    if len(infinite):
        raise UserError(
            f'{path}: pose {infinite[0]} has a coordinate that is not finite; remove it'
        )
    lengths = np.linalg.norm(capture.joints[:, _CHILD] - capture.joints[:, _PARENT], axis=-1)
    short = np.argwhere(lengths < 1e-3)
    if len(short):
        pose, bone = short[0]
        joint = H36M17.joints[_CHILD[bone]]
        raise UserError(f'{path}: pose {pose} has a bone of no length at {joint!r}; remove it')
    return capture


def _from_npz(path: pathlib.Path) -> MotionCapture:
    """The poses of an `.npz` file; UserError if it cannot be read."""
    try:
        arrays = array_files.read(path, (*_ARRAYS, 'fps'))
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ValueError(f'it has no array {", ".join(missing)}')
        relative, root, clip, names = (arrays[name] for name in _ARRAYS)
        fps = arrays.get('fps')
        if relative.ndim != 3 or relative.shape[1:] != (17, 3):
            raise ValueError(f'pose_rel_dmm has shape {relative.shape}, not [N, 17, 3]')
        if root.shape != (len(relative), 3) or clip.shape != (len(relative),):
            raise ValueError('root_mm must be [N, 3] and clip [N], N as in pose_rel_dmm')
        if not np.issubdtype(clip.dtype, np.integer) or not np.isin(clip, range(len(names))).all():
            raise ValueError('clip must hold indices of clip_names')
        if fps is not None and not (
            fps.shape in ((), names.shape) and np.isfinite(fps).all() and (fps > 0).all()
        ):
            raise ValueError('fps must be a positive number, or one for each of clip_names')
        if relative.dtype.kind not in 'fiu' or root.dtype.kind not in 'fiu':
            raise ValueError('pose_rel_dmm and root_mm must be numbers')
        if names.ndim != 1:
            raise ValueError('clip_names must be a list of names')
    except ValueError as error:
        raise UserError(
            f'cannot read poses from {path}: {error}; write the file again or name another one'
        ) from error
    joints = relative.astype(np.float32) / 10.0 + root[:, None].astype(np.float32)
    names = names.astype(str)
    rates = {} if fps is None else dict(zip(names, np.broadcast_to(fps, names.shape), strict=True))
    return MotionCapture(joints, names[clip], {name: float(fps) for name, fps in rates.items()})


_PARENT, _CHILD = (list(side) for side in zip(*H36M17.bones, strict=True))
_LEG = [_CHILD.index(joint) for joint in (*KNEE, *ANKLE)]


def retarget(joints: np.ndarray, proportions: BodyProportions) -> np.ndarray:
    """Poses with the bone lengths of a body, whose bones keep their directions.

    The position of the pelvis in the world is scaled with the legs, so that the feet of a person
    who walks do not slide.

    Args:
      joints: [..., 17, 3], order of H36M17, any unit.
      proportions: bone lengths of the person, mm.

    Returns:
      [..., 17, 3] float32, mm.
    """
    bones = joints[..., _CHILD, :] - joints[..., _PARENT, :]
    lengths = np.linalg.norm(bones, axis=-1, keepdims=True)
    target_lengths = proportions.bone_lengths[_CHILD]
    bones = bones / lengths * target_lengths[:, None]
    scale = target_lengths[_LEG].sum() / lengths[..., _LEG, 0].sum(-1)
    out = np.empty(joints.shape)
    out[..., PELVIS, :] = joints[..., PELVIS, :] * scale[..., None]
    for bone, (parent, child) in enumerate(H36M17.bones):
        out[..., child, :] = out[..., parent, :] + bones[..., bone, :]
    return out.astype(np.float32)


def pose_from_joints(joints: np.ndarray) -> Pose:
    """A pose on the floor, whose axes and feet are inferred from the joints.

    The left axis of pelvis and chest points to their left joints, and the up axis follows the
    trunk. The feet point in the direction of the knees, or in that of the pelvis if the knees are
    straight.

    Args:
      joints: [17, 3], mm, order of H36M17, world with z up.
    """
    joints = np.array(joints, np.float64)
    joints[:, 2] -= (joints[:, 2] - CLEARANCE).min()
    joints[:, :2] -= joints[PELVIS, :2]
    pelvis = _axes(joints[HIP[LEFT]] - joints[HIP[RIGHT]], joints[SPINE] - joints[PELVIS])
    chest = _axes(joints[SHOULDER[LEFT]] - joints[SHOULDER[RIGHT]], joints[THORAX] - joints[SPINE])
    neck, crown = unit(joints[NOSE] - joints[THORAX]), unit(joints[HEAD] - joints[NOSE])
    # The base of the neck, the nose and the top of the head lie in the plane between the halves of
    # the head. If they are in line, the left of the chest is also that of the head.
    left = unit(cross(crown, neck) + 0.1 * chest[:, 1])
    front = unit(cross(left, crown))
    head = _axes(left, math.cos(HEAD_LEAN) * crown - math.sin(HEAD_LEAN) * front)
    feet = []
    for side in (RIGHT, LEFT):
        hip, knee, ankle = joints[HIP[side]], joints[KNEE[side]], joints[ANKLE[side]]
        along = unit(ankle - hip)
        bend = (knee - hip) - along * along.dot(knee - hip)
        feet.append(poses.foot_direction(joints, unit(bend + 60.0 * pelvis[:, 0]), side))
    return Pose(joints, pelvis, chest, head, np.stack(feet))


def _axes(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """Axes [3, 3] whose columns are unit vectors forward, left and up.

    The left axis is along `left` [3], and the up axis is the direction at right angles to it that
    is nearest to `up` [3].
    """
    left = unit(left)
    forward = unit(cross(left, up))
    return np.stack((forward, left, cross(forward, left)), axis=1)

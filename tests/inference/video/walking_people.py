"""People who walk past a camera, without pixels: seen with noise, and hiding each other."""

from __future__ import annotations

import numpy as np

from capf_jax.inference.people import People
from capf_jax.inference.video import person_colours
from capf_jax.inference.video.track_parts import StoredFrame
from capf_jax.pose import cameras, skeletons
from capf_jax.pose.cameras import Camera
from tests.inference.tracks_samples import STANDING

SIZE = (1280, 720)
CAMERA = Camera('', None, None, np.array([1000.0, 1000.0, 639.5, 359.5]))
SKELETON = skeletons.H36M17
STEP_LENGTH = 0.7  # metres
HIP_HEIGHT = 0.98  # metres of the pelvis above the floor


def walk(times, start, end, phase=0.0, height=1.5):
    """Joints [T, 17, 3], camera frame, of someone who walks from one place to another.

    The camera is level, `height` above the floor. A foot stands still while the other one steps.

    Args:
      times: [T] seconds.
      start, end: x and z at the first and last time, metres.
      phase: of the steps, 0 to 1.
      height: of the camera above the floor, metres.
    """
    share = (times - times[0]) / (times[-1] - times[0])
    way = np.subtract(end, start)
    length = float(np.hypot(*way))
    ahead = way / length
    gone = length * share
    joints = np.zeros((len(times), 17, 3))
    place = np.asarray(start) + gone[:, None] * ahead
    joints[:] = STANDING * [1, 1, 1]
    joints[:, :, 0] += place[:, :1]
    joints[:, :, 2] += place[:, 1:]
    joints[:, :, 1] += height - HIP_HEIGHT
    for side, offset in (('left', 0.0), ('right', 0.5)):
        hip, knee, ankle = (SKELETON.index(f'{side}_{name}') for name in ('hip', 'knee', 'ankle'))
        turn = gone / (2 * STEP_LENGTH) + offset + phase
        part = turn % 1.0
        swing = np.clip((part - 0.6) / 0.4, 0, 1)
        foot = np.floor(turn) + 3 * swing**2 - 2 * swing**3 - offset - phase + 0.3
        along = foot * 2 * STEP_LENGTH - gone
        for axis, share_of in ((0, ahead[0]), (2, ahead[1])):
            joints[:, ankle, axis] = joints[:, hip, axis] + along * share_of
        joints[:, ankle, 1] = height - 0.08 - 0.1 * np.sin(np.pi * swing)
        joints[:, knee] = (joints[:, hip] + joints[:, ankle]) / 2
    return joints


def frames(joints, colours, *, fps=25.0, noise=4.0, hidden_share=0.6, seed=0, shuffled=True):
    """What is predicted of each frame, and who it truly is.

    Whoever is covered by a nearer person by more than `hidden_share` of the box is not seen.

    Args:
      joints: [P, T, 17, 3], true ones, camera frame; NaN where someone is away.
      colours: [P, K, 3] of each person.
      noise: pixels, of the 2D joints.

    Returns:
      The frames; and for each the true persons, in the order of its people.
    """
    random = np.random.default_rng(seed)
    flat = cameras.project(joints, CAMERA.intrinsics)
    first, last = flat.min(axis=2), flat.max(axis=2)
    inside = (last > 0).all(-1) & (first < SIZE).all(-1)
    out, truth = [], []
    for t in range(joints.shape[1]):
        seen = []
        for p in range(len(joints)):
            if not np.isfinite(joints[p, t]).all() or not inside[p, t]:
                continue
            nearer = [
                _cover(first[p, t], last[p, t], first[q, t], last[q, t])
                for q in range(len(joints))
                if joints[q, t, 0, 2] < joints[p, t, 0, 2]
            ]
            if max(nearer, default=0) < hidden_share:
                seen.append(p)
        seen = np.array(seen, np.int64)
        if shuffled:
            random.shuffle(seen)
        out.append(_frame(t, t / fps, joints[seen, t], flat[seen, t], colours[seen], noise, random))
        truth.append(seen)
    return out, truth


def _frame(number, time, joints, flat, colours, noise, random):
    count = len(joints)
    first, last = flat.min(axis=1), flat.max(axis=1)
    boxes = np.concatenate([first, last - first], axis=-1) + random.normal(0, noise, (count, 4))
    root = joints[:, 0] * (1 + random.normal(0, 0.03, (count, 1)))
    people = People(
        ids=np.arange(count), time=np.full(count, time), boxes=boxes,
        joints2d=flat + random.normal(0, noise, flat.shape),
        confidence=np.full((count, 17), 0.8), joints2d_skeleton='h36m17',
        pose=joints - joints[:, :1] + random.normal(0, 0.01, joints.shape), root=root,
        valid=np.ones(count, bool), skeleton='h36m17', camera=CAMERA, camera_assumed=False,
        camera_origin='test', image_size=SIZE, source='walk.mp4',
    )  # fmt: skip
    return StoredFrame(number, time, people, colours + random.normal(0, 4, colours.shape))


def _cover(first, last, other_first, other_last):
    sides = np.minimum(last, other_last) - np.maximum(first, other_first)
    return float(np.prod(np.maximum(sides, 0)) / np.prod(last - first))


def colours(number, seed=1):
    """Colours [P, K, 3] of people who are dressed differently."""
    random = np.random.default_rng(seed)
    lab = random.uniform(0, 1, (number, person_colours.PARTS, 3))
    return lab * [60, 60, 60] + [40, 100, 100]

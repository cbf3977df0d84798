"""Reads a BVH motion-capture file into h36m17 joints; knows the usual names of joints.

BVH states neither unit nor vertical: the figure is scaled to usual legs, and the vertical is the
file's axis, y or z, along which the rest pose is tallest.
"""

from __future__ import annotations

import dataclasses
import os
import re

import numpy as np

from data_pipeline.datasets.synthetic.kinematics import (
    ANKLE,
    ELBOW,
    HEAD,
    HIP,
    KNEE,
    LEFT,
    NOSE,
    PELVIS,
    RIGHT,
    SHOULDER,
    SPINE,
    THORAX,
    WRIST,
)  # fmt: skip

LEG_LENGTH = 890.0  # mm, thigh and shank of an average adult
SPINE_SHARE = 0.476  # place of the h36m17 spine joint on the way from pelvis to thorax
RATE = 10.0  # poses a second that are kept: neighbours in time are all but equal

# Joint names without side, lower case, letters and digits only; the first that is there counts.
# Of two conventions, 'shoulder' is the collar bone in one (Mixamo, CMU) and the joint in the other.
_SIDED = {
    HIP: ('upleg', 'thigh', 'upperleg', 'hip'),
    KNEE: ('leg', 'shin', 'calf', 'lowerleg', 'lowleg', 'knee'),
    ANKLE: ('foot', 'ankle'),
    SHOULDER: ('arm', 'shldr', 'uparm', 'upperarm', 'shoulder'),
    ELBOW: ('forearm', 'lowarm', 'lowerarm', 'elbow'),
    WRIST: ('hand', 'wrist'),
}
_SIDES = {RIGHT: ('right', 'r'), LEFT: ('left', 'l')}
_NECK = ('neck', 'neck1', 'necklower', 'neck01')
_HEAD = ('head',)


@dataclasses.dataclass(frozen=True)
class _Joint:
    name: str
    parent: int  # -1 for the root
    offset: tuple[float, float, float]
    channels: tuple[str, ...]


def read_joints(path: str | os.PathLike) -> np.ndarray:
    """Poses [N, 17, 3] float32, mm, world with z up, at about 10 a second.

    Raises:
      ValueError: not a BVH file, cut short, or a joint that none of the known names fits.
    """
    with open(path, encoding='utf-8', errors='replace') as file:
        header, found, motion = file.read().partition('MOTION')
    try:
        if not found:
            raise ValueError('there is no MOTION section')
        joints = _hierarchy(header)
        values, seconds = _motion(motion, sum(len(joint.channels) for joint in joints))
        places = _places(joints)
    except ValueError as error:
        raise ValueError(f'cannot read BVH file {path}: {error}') from error
    values = values[:: max(1, round(1.0 / (RATE * seconds)))]
    rest = _forward(joints, np.zeros((1, values.shape[1])))[0][0]
    positions, rotations = _forward(joints, values)

    hips, knees, ankles = ([places[key][side] for side in (0, 1)] for key in (HIP, KNEE, ANKLE))
    neck, head = places['neck'], places['head']
    leg = sum(
        np.linalg.norm(rest[a] - rest[b]).item()
        for pair in (zip(hips, knees, strict=True), zip(knees, ankles, strict=True))
        for a, b in pair
    )
    if leg < 1e-9:
        raise ValueError(f'cannot read BVH file {path}: the legs have no length')
    positions, rest = positions * (2.0 * LEG_LENGTH / leg), rest * (2.0 * LEG_LENGTH / leg)

    # Axes of the head at rest, in the file's frame; the figure stands upright at rest.
    up = np.zeros(3)
    trunk = rest[neck] - rest[hips].mean(0)
    vertical = 1 if abs(trunk[1]) >= abs(trunk[2]) else 2
    up[vertical] = 1.0
    left = rest[hips[LEFT]] - rest[hips[RIGHT]]
    forward = np.cross(left, up)
    forward /= np.linalg.norm(forward)

    out = np.empty((len(positions), 17, 3))
    for key in _SIDED:
        for side in (RIGHT, LEFT):
            out[:, key[side]] = positions[:, places[key][side]]
    out[:, PELVIS] = out[:, HIP].mean(1)
    out[:, THORAX] = positions[:, neck]
    out[:, SPINE] = _along(out[:, PELVIS], positions[:, _path(joints, neck)], SPINE_SHARE)
    # The skull's base is the joint; nose and crown sit on it as on an average head.
    base = positions[:, head]
    out[:, NOSE] = base + rotations[:, head] @ (75.0 * forward + 35.0 * up)
    out[:, HEAD] = base + rotations[:, head] @ (35.0 * forward + 150.0 * up)
    if vertical == 1:
        out = np.stack((out[..., 0], -out[..., 2], out[..., 1]), axis=-1)
    return out.astype(np.float32)


def _hierarchy(text: str) -> list[_Joint]:
    """Joints in the order of their channels; End Sites are left out."""
    joints: list[_Joint] = []
    stack: list[int] = []
    names: list[int] = []  # what an opening brace will open
    words = iter(text.replace('{', ' { ').replace('}', ' } ').split())
    try:
        for word in words:
            if word in ('ROOT', 'JOINT'):
                parent = next((entry for entry in reversed(stack) if entry >= 0), -1)
                name = next(words)
                joints.append(_Joint(name, parent, (0.0, 0.0, 0.0), ()))
                names.append(len(joints) - 1)
            elif word == 'End':
                next(words)
                names.append(-1)
            elif word == '{':
                stack.append(names.pop())
            elif word == '}':
                stack.pop()
            elif word == 'OFFSET':
                offset = tuple(float(next(words)) for _ in range(3))
                if stack[-1] >= 0:
                    joints[stack[-1]] = dataclasses.replace(joints[stack[-1]], offset=offset)
            elif word == 'CHANNELS':
                channels = tuple(next(words).lower() for _ in range(int(next(words))))
                if any(not re.fullmatch('[xyz](position|rotation)', c) for c in channels):
                    raise ValueError(f'unknown channels {" ".join(channels)}')
                joints[stack[-1]] = dataclasses.replace(joints[stack[-1]], channels=channels)
    except (StopIteration, IndexError) as error:
        raise ValueError('the hierarchy is damaged') from error
    if not joints or stack:
        raise ValueError('the hierarchy is empty or not closed')
    return joints


def _motion(text: str, width: int) -> tuple[np.ndarray, float]:
    """Channel values [N, width] and the seconds from one frame to the next."""
    head = re.match(r'\s*Frames:\s*(\d+)\s+Frame\s+Time:\s*(\S+)', text)
    if head is None:
        raise ValueError('the MOTION section has no "Frames:" and "Frame Time:"')
    frames, seconds = int(head[1]), float(head[2])
    if not seconds > 0.0:
        raise ValueError(f'frame time {head[2]} is not positive')
    values = np.array(text[head.end() :].split(), dtype=np.float64)
    if len(values) != frames * width:
        raise ValueError(
            f'{frames} frames of {width} channels need {frames * width} numbers, not {len(values)}'
        )
    return values.reshape(frames, width), seconds


def _forward(joints: list[_Joint], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World positions [N, J, 3] and rotations [N, J, 3, 3] of all joints, in the file's frame."""
    count = len(values)
    positions = np.zeros((count, len(joints), 3))
    rotations = np.zeros((count, len(joints), 3, 3))
    column = 0
    for index, joint in enumerate(joints):
        place = np.tile(joint.offset, (count, 1))
        turn = np.tile(np.eye(3), (count, 1, 1))
        moved = [c for c in joint.channels if c.endswith('position')]
        if moved and joint.parent < 0:
            place = np.zeros((count, 3))
        for channel in joint.channels:
            axis = 'xyz'.index(channel[0])
            if channel.endswith('position'):
                # Only the root travels; some files repeat a child's offset as its position.
                if joint.parent < 0:
                    place[:, axis] = values[:, column]
            else:
                turn = turn @ _about(axis, np.radians(values[:, column]))
            column += 1
        if joint.parent < 0:
            positions[:, index], rotations[:, index] = place, turn
        else:
            parent = rotations[:, joint.parent]
            step = np.einsum('nij,nj->ni', parent, place)
            positions[:, index] = positions[:, joint.parent] + step
            rotations[:, index] = parent @ turn
    return positions, rotations


def _about(axis: int, angles: np.ndarray) -> np.ndarray:
    """Rotations [N, 3, 3] about one axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(angles), 3, 3))
    turn[:, axis, axis] = 1.0
    turn[:, a, a] = turn[:, b, b] = np.cos(angles)
    turn[:, b, a] = np.sin(angles)
    turn[:, a, b] = -np.sin(angles)
    return turn


def _places(joints: list[_Joint]) -> dict:
    """Index of the file's joint for every h36m17 limb joint, the neck and the head."""
    names: dict[str, int] = {}
    for index, joint in enumerate(joints):
        bare = re.sub('[^a-z0-9]', '', joint.name.lower().rpartition(':')[2])
        names.setdefault(bare, index)

    def find(what: str, candidates: list[str]) -> int:
        for name in candidates:
            if name in names:
                return names[name]
        known = ', '.join(joint.name for joint in joints)
        raise ValueError(f'no joint is a {what} (tried {", ".join(candidates)}); it has {known}')

    places: dict = {'neck': find('neck', [*_NECK]), 'head': find('head', [*_HEAD])}
    for key, words in _SIDED.items():
        places[key] = [
            find(
                f'{_SIDES[side][0]} {words[0]}',
                [
                    form
                    for word in words
                    for mark in _SIDES[side]
                    for form in (mark + word, word + mark)
                ],
            )
            for side in (RIGHT, LEFT)
        ]
    return places


def _path(joints: list[_Joint], joint: int) -> list[int]:
    """Joints from below the root down to `joint`."""
    path = []
    while joints[joint].parent >= 0:
        path.append(joint)
        joint = joints[joint].parent
    return path[::-1]


def _along(start: np.ndarray, points: np.ndarray, share: float) -> np.ndarray:
    """Point [N, 3] at a share of the way from `start` [N, 3] through `points` [N, P, 3]."""
    line = np.concatenate((start[:, None], points), axis=1)
    steps = np.linalg.norm(np.diff(line, axis=1), axis=-1)
    left = share * steps.sum(1)
    out = line[:, -1].copy()
    done = np.zeros(len(line), bool)
    for k in range(steps.shape[1]):
        here = ~done & (left <= steps[:, k])
        part = (left / np.maximum(steps[:, k], 1e-9))[:, None]
        out[here] = (line[:, k] + part * (line[:, k + 1] - line[:, k]))[here]
        done |= here
        left = left - steps[:, k]
    return out

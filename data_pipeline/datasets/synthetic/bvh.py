"""Reads a BVH motion-capture file into the joints of H36M17, by the usual names of its joints.

A BVH file states neither its unit nor its vertical axis. The figure is therefore scaled so that
its legs have the average length, and the vertical is that axis of the file, y or z, along which the
trunk of the figure at rest is longer.
"""

from __future__ import annotations

import os
import re

import numpy as np

from capf_jax.errors import UserError, nearest
from data_pipeline.datasets.synthetic.bvh_format import (
    Joint,
    path_to,
    place_joints,
    read_hierarchy,
    read_motion,
)
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

LEG_LENGTH = 890.0  # Length of thigh and shank of an average adult, mm.
SPINE_SHARE = 0.476  # Place of the spine joint of H36M17 on the way from pelvis to thorax.
RATE = 10.0  # Poses a second that are read; poses that follow each other faster hardly differ.

# Names of the joints without their side, in lower case and with letters and digits only. The first
# name that the file has is used: 'shoulder' is the last choice, since some programs (Mixamo, CMU)
# call the collar bone so.
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


def read_sequence(path: str | os.PathLike, rate: float = RATE) -> tuple[np.ndarray, float]:
    """Reads the poses of a BVH file.

    Args:
      path: the file.
      rate: poses a second to read, about; the file may have fewer.

    Returns:
      [N, 17, 3] float32, mm, order of H36M17, world with z up, and the poses a second.

    Raises:
      UserError: the file is no BVH file or is cut short, or a joint of the body has none of the
        known names.
      OSError: the file cannot be read.
    """
    with open(path, encoding='utf-8', errors='replace') as file:
        header, separator, motion = file.read().partition('MOTION')
    try:
        if not separator:
            raise ValueError('there is no MOTION section')
        joints = read_hierarchy(header)
        values, seconds = read_motion(motion, sum(len(joint.channels) for joint in joints))
        places = _places(joints)
    except ValueError as error:
        raise UserError(
            f'cannot read BVH file {path}: {error}; mend the file or name another one'
        ) from error
    stride = max(1, round(1.0 / (rate * seconds)))
    values = values[::stride]
    rest = place_joints(joints, np.zeros((1, values.shape[1])))[0][0]
    positions, rotations = place_joints(joints, values)

    hips, knees, ankles = ([places[key][side] for side in (0, 1)] for key in (HIP, KNEE, ANKLE))
    neck, head = places['neck'], places['head']
    leg = sum(
        np.linalg.norm(rest[a] - rest[b]).item()
        for pair in (zip(hips, knees, strict=True), zip(knees, ankles, strict=True))
        for a, b in pair
    )
    if leg < 1e-9:
        raise UserError(
            f'cannot read BVH file {path}: the legs have no length; '
            'mend the file or name another one'
        )
    positions, rest = positions * (2.0 * LEG_LENGTH / leg), rest * (2.0 * LEG_LENGTH / leg)

    # The figure stands upright at rest, so these are the axes of its head in the file's frame.
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
    out[:, SPINE] = _along(out[:, PELVIS], positions[:, path_to(joints, neck)], SPINE_SHARE)
    # The joint of the file is at the base of the skull; nose and top of the head are placed above
    # it as on an average head.
    base = positions[:, head]
    out[:, NOSE] = base + rotations[:, head] @ (75.0 * forward + 35.0 * up)
    out[:, HEAD] = base + rotations[:, head] @ (35.0 * forward + 150.0 * up)
    if vertical == 1:
        out = np.stack((out[..., 0], -out[..., 2], out[..., 1]), axis=-1)
    return out.astype(np.float32), 1.0 / (stride * seconds)


def _places(joints: list[Joint]) -> dict:
    """Which joints of the file are the neck, the head and the joints of the limbs.

    Returns:
      Indices into `joints`: one for 'neck' and 'head' each, and a list (right, left) for each key
      of _SIDED.

    Raises:
      ValueError: a joint has none of the known names.
    """
    names: dict[str, int] = {}
    for index, joint in enumerate(joints):
        bare = re.sub('[^a-z0-9]', '', joint.name.lower().rpartition(':')[2])
        names.setdefault(bare, index)

    def find(what: str, candidates: list[str]) -> int:
        for name in candidates:
            if name in names:
                return names[name]
        known = [joint.name for joint in joints]
        raise ValueError(
            f'no joint is a {what}: none is called {" or ".join(candidates)}, and the nearest is '
            f'{nearest(candidates[0], known)!r} of {", ".join(known)}'
        )

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


def _along(start: np.ndarray, points: np.ndarray, share: float) -> np.ndarray:
    """Points [N, 3] at a share of the way from `start` [N, 3] through `points` [N, P, 3]."""
    line = np.concatenate((start[:, None], points), axis=1)
    steps = np.linalg.norm(np.diff(line, axis=1), axis=-1)
    remaining = share * steps.sum(1)
    out = line[:, -1].copy()
    finished = np.zeros(len(line), bool)
    for k in range(steps.shape[1]):
        here = ~finished & (remaining <= steps[:, k])
        part = (remaining / np.maximum(steps[:, k], 1e-9))[:, None]
        out[here] = (line[:, k] + part * (line[:, k + 1] - line[:, k]))[here]
        finished |= here
        remaining = remaining - steps[:, k]
    return out

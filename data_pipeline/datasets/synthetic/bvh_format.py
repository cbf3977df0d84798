"""The BVH file format: the joints of a motion-capture file, its channels, and where they lead.

This module knows no names of joints; bvh.py does. Positions are in the unit and in the frame of the
file, which state neither.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np


@dataclasses.dataclass(frozen=True)
class Joint:
    """A joint of the file.

    Attributes:
      name: its name in the file.
      parent: index of its parent; -1 for the root.
      offset: position relative to the parent at rest, in the file's unit.
      channels: names of its channels in the order of their values, in lower case.
    """

    name: str
    parent: int
    offset: tuple[float, float, float]
    channels: tuple[str, ...]


def read_hierarchy(text: str) -> list[Joint]:
    """The joints in the order of their channels, without the end sites.

    Raises:
      ValueError: the hierarchy is damaged, empty or not closed.
    """
    joints: list[Joint] = []
    stack: list[int] = []  # The joints whose braces are open; -1 stands for an end site.
    names: list[int] = []  # The joint that the next opening brace belongs to.
    words = iter(text.replace('{', ' { ').replace('}', ' } ').split())
    try:
        for word in words:
            if word in ('ROOT', 'JOINT'):
                parent = next((entry for entry in reversed(stack) if entry >= 0), -1)
                name = next(words)
                joints.append(Joint(name, parent, (0.0, 0.0, 0.0), ()))
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


def read_motion(text: str, width: int) -> tuple[np.ndarray, float]:
    """The values of the channels [N, width], and the seconds from one frame to the next.

    Raises:
      ValueError: the section is damaged or cut short.
    """
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


def place_joints(joints: list[Joint], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions [N, J, 3] and rotations [N, J, 3, 3] of all joints in the file's world frame.

    Args:
      joints: the J joints of the file.
      values: [N, channels], positions in the file's unit and angles in degrees.
    """
    count = len(values)
    positions = np.zeros((count, len(joints), 3))
    rotations = np.zeros((count, len(joints), 3, 3))
    column = 0
    for index, joint in enumerate(joints):
        place = np.tile(joint.offset, (count, 1))
        turn = np.tile(np.eye(3), (count, 1, 1))
        has_position = any(channel.endswith('position') for channel in joint.channels)
        if has_position and joint.parent < 0:
            place = np.zeros((count, 3))
        for channel in joint.channels:
            axis = 'xyz'.index(channel[0])
            if channel.endswith('position'):
                # Only the root moves; some files repeat the offset of another joint as its
                # position.
                if joint.parent < 0:
                    place[:, axis] = values[:, column]
            else:
                turn = turn @ _about_axis(axis, np.radians(values[:, column]))
            column += 1
        if joint.parent < 0:
            positions[:, index], rotations[:, index] = place, turn
        else:
            parent = rotations[:, joint.parent]
            step = np.einsum('nij,nj->ni', parent, place)
            positions[:, index] = positions[:, joint.parent] + step
            rotations[:, index] = parent @ turn
    return positions, rotations


def _about_axis(axis: int, angles: np.ndarray) -> np.ndarray:
    """Rotations [N, 3, 3] about one axis (0 x, 1 y, 2 z) by angles [N], radians."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(angles), 3, 3))
    turn[:, axis, axis] = 1.0
    turn[:, a, a] = turn[:, b, b] = np.cos(angles)
    turn[:, b, a] = np.sin(angles)
    turn[:, a, b] = -np.sin(angles)
    return turn


def path_to(joints: list[Joint], joint: int) -> list[int]:
    """The joints on the way from the root, which is left out, to `joint`."""
    path = []
    while joints[joint].parent >= 0:
        path.append(joint)
        joint = joints[joint].parent
    return path[::-1]

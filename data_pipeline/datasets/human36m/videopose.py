"""VideoPose3D's two files: CPN's 2D detections, and 3D joints of the world frame."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from data_pipeline import safe_pickle
from data_pipeline.datasets.human36m import trials
from data_pipeline.datasets.human36m.raw_files import RawName
from data_pipeline.datasets.human36m.recordings import JOINTS, RAW_JOINTS
from data_pipeline.published_cameras import HUMAN36M_CAMERAS

DETECTIONS = 'data_2d_h36m_cpn_ft_h36m_dbb.npz'
POSITIONS = 'data_3d_h36m.npz'
_KEYS = {DETECTIONS: 'positions_2d', POSITIONS: 'positions_3d'}


def read_detections(path: pathlib.Path) -> tuple[dict[RawName, np.ndarray], list[str]]:
    """CPN's joints of every recording, [frames, 17, 2] pixels, and what is wrong with them.

    Raises:
      UserError: the file is damaged, or none of VideoPose3D's.
    """
    detections, problems = {}, []
    for subject, name, cameras in _recordings(path, DETECTIONS, problems):
        if isinstance(cameras, np.ndarray) and cameras.ndim:
            cameras = list(cameras)
        if not isinstance(cameras, list | tuple) or len(cameras) != len(HUMAN36M_CAMERAS):
            problems.append(f'{path} has no list of 4 cameras for {subject} {name}')
            continue
        for camera, joints in zip(HUMAN36M_CAMERAS, cameras, strict=True):
            array = _numbers(joints)
            if array is None or array.ndim != 3 or array.shape[1:] != (len(JOINTS), 2):
                problems.append(
                    f'{path} has {_described(joints)} for {subject} {name}, camera {camera}, '
                    'instead of an array of shape [frames, 17, 2]'
                )
            else:
                detections[RawName(subject, name, camera)] = array
    return detections, problems


def read_positions(path: pathlib.Path) -> tuple[dict[tuple[str, str], np.ndarray], list[str]]:
    """(subject, raw name) -> joints [frames, 17, 3] in mm of the world frame, and what is wrong.

    Raises:
      UserError: the file is damaged, or none of VideoPose3D's.
    """
    positions, problems = {}, []
    for subject, name, joints in _recordings(path, POSITIONS, problems):
        array = _numbers(joints)
        known = (RAW_JOINTS, 3), (len(JOINTS), 3)
        if array is None or array.ndim != 3 or array.shape[1:] not in known:
            problems.append(
                f'{path} has {_described(joints)} for {subject} {name} instead of an array of '
                'shape [frames, 32, 3]'
            )
            continue
        chosen = array[:, JOINTS] if array.shape[1] == RAW_JOINTS else array
        positions[subject, name] = 1000 * chosen.astype(np.float64)
    return positions, problems


def _recordings(path: pathlib.Path, kind: str, problems: list[str]):
    """(subject, raw name, value) of a file; actions with unknown names are problems."""
    key = _KEYS[kind]
    content = safe_pickle.load_npz(path).get(key)
    if not isinstance(content, Mapping) or not all(
        isinstance(actions, Mapping) for actions in content.values()
    ):
        raise UserError(f'{path} has no {key!r} by subject and action; {kind} is needed')
    for subject, actions in content.items():
        for name, value in actions.items():
            if canonical := trials.canonical(str(name)):
                yield str(subject), canonical, value
            else:
                problems.append(f'{path} has an action {name!r} of {subject}, which is unknown')


def _numbers(value: Any) -> np.ndarray | None:
    """An array of numbers, None for anything else."""
    if not isinstance(value, np.ndarray | list):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists of different lengths
        return None
    return array if array.dtype.kind in 'fiu' else None


def _described(value: Any) -> str:
    """What stands where an array should, in words."""
    array = _numbers(value)
    return (
        f'an object of type {type(value).__name__}'
        if array is None
        else f'shape {list(array.shape)}'
    )

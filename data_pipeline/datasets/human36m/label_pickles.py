"""The authors' label files: a list of dicts, one for each picture."""

from __future__ import annotations

import pathlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.pose import crops
from capf_jax.pose.cameras import Camera
from data_pipeline import published_cameras, safe_pickle
from data_pipeline.datasets.human36m.recordings import Key, Recording
from data_pipeline.datasets.human36m.settings import ACTIONS, FIRST_ACTION, Settings
from data_pipeline.published_cameras import HUMAN36M_CAMERAS

FILES = {'train': 'h36m_train.pkl', 'test': 'h36m_validation.pkl'}
_FIELDS = (
    'image', 'subject', 'action', 'subaction', 'camera_id', 'image_id', 'center', 'scale',
    'joints_3d', 'joints_2d_gt', 'joints_2d_cpn',
)  # fmt: skip
_WIDTH, _HEIGHTS = 1000, (1000, 1002)  # of the pictures
_BOX_PX = 1.0  # pixels that a label file's box may differ from ours


def read(path: pathlib.Path, settings: Settings) -> tuple[dict[Key, Recording], list[str]]:
    """The videos of a label file that are asked for, and what is wrong with them.

    Raises:
      UserError: the file is damaged, holds more than arrays and containers, or is another one.
    """
    entries = safe_pickle.load(path)
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], Mapping):
        raise UserError(f"{path} is no list of labels; it is none of the authors' files")
    by_video: dict[Key, list[Mapping[str, Any]]] = defaultdict(list)
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            raise UserError(
                f"{path} has no label in entry {number}; it is none of the authors' files"
            )
        missing = [field for field in _FIELDS if field not in entry]
        if missing:
            raise UserError(
                f'{path} has no {", ".join(missing)} in entry {number}: another version of the '
                "label files; the authors' have CPN's joints in them"
            )
        key = _key(path, number, entry)
        if settings.takes(key.subject, key.action, key.camera):
            by_video[key].append(entry)
    del entries  # the authors' own files take gigabytes of memory
    labelled, problems = {}, []
    for key, video in by_video.items():
        recording, wrong = _recording(path, key, video)
        problems += wrong
        if recording is not None:
            labelled[key] = recording
    return labelled, problems


def _key(path: pathlib.Path, number: int, entry: Mapping[str, Any]) -> Key:
    try:
        action = int(entry['action']) - FIRST_ACTION
        camera = int(entry['camera_id'])
        if action < 0 or camera < 0:
            raise IndexError
        return Key(
            subject=f'S{int(str(entry["subject"]).lstrip("S"))}',
            action=ACTIONS[action],
            trial=int(entry['subaction']),
            camera=HUMAN36M_CAMERAS[camera],
        )
    except (ValueError, IndexError, TypeError) as error:
        raise UserError(
            f'{path} has subject {entry["subject"]!r}, action {entry["action"]!r} and camera '
            f'{entry["camera_id"]!r} in entry {number}; actions are 2-16 and cameras 0-3'
        ) from error


def _recording(
    path: pathlib.Path, key: Key, video: list[Mapping[str, Any]]
) -> tuple[Recording | None, list[str]]:
    """One video's entries, in the order of their frames."""
    try:
        video = sorted(video, key=lambda entry: int(entry['image_id']))
        frames = np.array([int(entry['image_id']) - 1 for entry in video], np.int32)
        joints3d, truth, detected = (
            np.array([entry[name] for entry in video], np.float64)[..., :size]
            for name, size in (('joints_3d', 3), ('joints_2d_gt', 2), ('joints_2d_cpn', 2))
        )
        centre = np.array([entry['center'] for entry in video], np.float64)
        scale = np.array([np.ravel(entry['scale'])[0] for entry in video], np.float64)
        shapes = joints3d.shape[1:], truth.shape[1:], detected.shape[1:]
        if shapes != ((17, 3), (17, 2), (17, 2)):
            raise ValueError('the joints are not 17 of 3 and of 2 numbers')
    except (ValueError, TypeError, IndexError) as error:
        return None, [f'{path}, {key.video}: {error}']
    if (twice := np.flatnonzero(np.diff(frames) == 0)).size or frames[0] < 0:
        number = frames[twice[0]] + 1 if twice.size else frames[0] + 1
        return None, [f'{path} has picture {number} of {key.video} more than once, or below 1']
    for entry, frame in zip(video, frames, strict=True):
        name = f'{key.video}_{frame + 1:06d}'
        if pathlib.PurePosixPath(str(entry['image'])).stem != name:
            return None, [f'{path} has the picture {entry["image"]} where {name} is labelled']
    camera = published_cameras.human36m(key.subject, key.camera)
    height = _height(truth, joints3d, camera)
    recording = Recording(
        frames,
        joints3d.astype(np.float32),
        _pixels(truth, height).astype(np.float32),
        _pixels(detected, height).astype(np.float32),
    )
    return recording, _box_problems(path, key, joints3d[0], centre[0], scale[0], camera)


def _pixels(normalised: np.ndarray, height: int) -> np.ndarray:
    """Joints [..., 2] from x/w*2 - 1, y/w*2 - h/w to pixels."""
    return (normalised + np.array([1, height / _WIDTH])) * _WIDTH / 2


def _height(normalised: np.ndarray, joints3d: np.ndarray, camera: Camera) -> int:
    """The picture's height with which the joints were normalised, found by the 3D joints.

    Pictures of one camera have either height, which moves joints by a pixel in y. Label files
    differ in whether their true 2D joints include the lens distortion, so that both are tried.
    """
    finite = np.isfinite(normalised).all(axis=(1, 2)) & np.isfinite(joints3d).all(axis=(1, 2))
    if not finite.any():
        return _HEIGHTS[0]

    def distance(height: int) -> float:
        pixels = _pixels(normalised[finite], height)
        return min(
            float(np.median(np.linalg.norm(pixels - projected, axis=-1)))
            for projected in (
                camera.project(joints3d[finite], distortion=lens) for lens in (True, False)
            )
        )

    return min(_HEIGHTS, key=distance)


def _box_problems(
    path: pathlib.Path,
    key: Key,
    joints3d: np.ndarray,
    centre: np.ndarray,
    scale: float,
    camera: Camera,
) -> list[str]:
    """The problem where a video's first box in the file is not the published one, made here."""
    if not np.isfinite(joints3d[0]).all() or not joints3d[0, 2] > 0:
        return []  # `recordings.problems` reports it
    ours, width = crops.root_box(1000 * joints3d[0], camera.intrinsics)
    if np.abs(ours - centre).max() <= _BOX_PX and abs(200 * scale - width) <= _BOX_PX:
        return []
    return [
        f'{path} has a box of {200 * scale:.1f} px around {np.round(centre, 1).tolist()} for '
        f'{key.video} where the published one is {width:.1f} px around '
        f'{np.round(ours, 1).tolist()}: another version of the label files'
    ]

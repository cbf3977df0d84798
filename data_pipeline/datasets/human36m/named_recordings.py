"""Labels whose recordings have the raw files' names: CDF files, or VideoPose3D's joints."""

from __future__ import annotations

import pathlib
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from tqdm import tqdm

from capf_jax.errors import UserError
from data_pipeline import published_cameras
from data_pipeline.datasets.human36m import raw_files, trials, videopose
from data_pipeline.datasets.human36m.raw_files import RawName
from data_pipeline.datasets.human36m.recordings import Key, Recording
from data_pipeline.datasets.human36m.settings import Settings
from data_pipeline.published_cameras import HUMAN36M_CAMERAS

Joints = tuple[np.ndarray, np.ndarray]  # [N, 17, 3] mm, camera frame; [N, 17, 2] pixels


def read_cdf(source: pathlib.Path, settings: Settings) -> tuple[dict[RawName, Joints], list[str]]:
    """3D and true 2D joints of the recordings that are asked for, from CDF files."""
    files = raw_files.find(source)
    names = sorted(name for name in files['3d'] if _is_asked(name, settings))
    joints, problems = {}, []
    for name in tqdm(names, 'reading labels', unit=' files', disable=None):
        if name not in files['2d']:
            problems.append(
                f'{files["3d"][name]} has no file of the same name in a D2_Positions folder'
            )
            continue
        try:
            joints3d = raw_files.read(files['3d'][name], 3)
            truth = raw_files.read(files['2d'][name], 2)
        except UserError as error:
            problems.append(str(error))
            continue
        if len(joints3d) != len(truth):
            problems.append(
                f'{files["3d"][name]} has {len(joints3d)} frames and {files["2d"][name]} '
                f'{len(truth)}: of other versions'
            )
            continue
        joints[name] = joints3d, truth
    return joints, problems


def read_npz(path: pathlib.Path, settings: Settings) -> tuple[dict[RawName, Joints], list[str]]:
    """3D and projected 2D joints of the recordings that are asked for, from VideoPose3D's file."""
    positions, problems = videopose.read_positions(path)
    joints = {}
    for (subject, name), world in positions.items():
        for camera in HUMAN36M_CAMERAS:
            raw = RawName(subject, name, camera)
            if _is_asked(raw, settings):
                calibrated = published_cameras.human36m(subject, camera)
                joints3d = calibrated.to_camera(world)
                joints[raw] = joints3d, calibrated.project(joints3d)
    return joints, problems


def _is_asked(name: RawName, settings: Settings) -> bool:
    return settings.takes(name.subject, trials.split_name(name.name)[0], name.camera)


def with_trials(
    source: pathlib.Path,
    recorded: Mapping[RawName, Joints],
    pictures: Mapping[Key, int],
) -> tuple[dict[Key, RawName], list[str]]:
    """Which recording is which trial.

    Args:
      source: where metadata.xml may lie.
      recorded: the joints of every recording.
      pictures: video -> number of its last picture.

    Returns:
      (video -> recording, sentences on recordings whose trial could not be told).
    """
    metadata = source / trials.METADATA
    listed = trials.from_metadata(metadata) if metadata.is_file() else None
    actions: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(dict)
    for name, (joints3d, _) in recorded.items():
        action = name.subject, trials.split_name(name.name)[0]
        actions[action].setdefault(name.name, {})[name.camera] = len(joints3d)
    last: dict[tuple[str, str], dict[int, dict[str, int]]] = defaultdict(dict)
    for key, number in pictures.items():
        last[key.subject, key.action].setdefault(key.trial, {})[key.camera] = number
    keys, problems = {}, []
    for (subject, action), lengths in actions.items():
        if listed is not None:
            matched = {name: listed[subject, name] for name in lengths if (subject, name) in listed}
        elif not (there := last[subject, action]):
            continue  # `sources.read` reports videos without any picture
        else:
            matched = trials.by_length(lengths, there)
        if not matched:
            problems.append(
                f'{subject} {action}: it cannot be told which of '
                f'{", ".join(repr(name) for name in sorted(lengths))} is which subact folder, as '
                f"their lengths do not say; put Human3.6M's {trials.METADATA} into {source}"
            )
            continue
        for name, trial in matched.items():
            for camera in lengths[name]:
                keys[Key(subject, action, trial, camera)] = RawName(subject, name, camera)
    return keys, problems


def with_detections(
    keys: Mapping[Key, RawName],
    recorded: dict[RawName, Joints],
    detections: Mapping[RawName, np.ndarray],
    path: pathlib.Path,
) -> Iterator[tuple[Key, Recording | str]]:
    """Every video's Recording, or what is wrong with its detections.

    CPN's arrays may be longer than the labels; the frames beyond them are not used. `recorded` is
    emptied on the way, to free its memory.
    """
    for key, name in keys.items():
        joints3d, truth = recorded.pop(name)  # the whole dataset's labels take gigabytes of memory
        detected = detections.get(name)
        which = f'{name.subject} {name.name!r}, camera {name.camera}'
        if detected is None:
            there = sorted({d.name for d in detections if d.subject == name.subject})
            names = ', '.join(there) or 'nothing'
            yield key, f'{path} has no detections of {which}; of {name.subject} it has {names}'
        elif len(detected) < len(joints3d):
            yield (
                key,
                f'{path} has detections of {len(detected)} frames of {which}, and '
                f'{len(joints3d)} are labelled',
            )
        else:
            yield (
                key,
                Recording(
                    np.arange(len(joints3d), dtype=np.int32),
                    (joints3d / 1000).astype(np.float32),
                    truth.astype(np.float32),
                    detected[: len(joints3d)].astype(np.float32),
                ),
            )

"""The settings that the parts of a video depend on, by which a run sees whether it can go on."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from capf_jax.inference.predictor import Predictor
from capf_jax.inference.video.video_frames import FrameChoice


def of(path: pathlib.Path, predictor: Predictor, choice: FrameChoice) -> dict[str, Any]:
    """All that the parts of a video depend on."""
    return {
        'video': _file_state(path),
        'frames': [choice.start, choice.stop, choice.stride],
        'predictor': [predictor.height, predictor.flip_test, predictor.least_confidence],
        'conversion': predictor.models.rule,
        'weights': [
            None if path is None else _file_state(pathlib.Path(path))
            for path in (
                predictor.models.lifter.path,
                getattr(predictor.models.detector, 'path', None),
                getattr(predictor.finder and predictor.finder(), 'path', None),
            )
        ],
        'camera': repr(_plain(predictor.cameras)),
    }


def _file_state(path: pathlib.Path) -> list[Any]:
    """The name of a file, and what changes when it is written anew."""
    state = path.stat() if path.is_file() else None
    return [str(path.absolute()), state and state.st_size, state and state.st_mtime_ns]


def _plain(value: Any) -> Any:
    """Nested fields and arrays as text that is equal where the values are."""
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value

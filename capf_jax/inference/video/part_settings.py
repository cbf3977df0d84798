"""The settings that the parts of a video depend on, by which a run sees whether it can go on."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from capf_jax.inference.predictor import Predictor
from capf_jax.inference.video.track_parts import Start
from capf_jax.inference.video.video_frames import FrameChoice

# What a user calls the values of each setting: the whole of it, or one after the other.
_NAMES = {
    'video': ('video file',),
    'frames': ('--time_range', '--time_range', '--stride'),
    'predictor': ('--height', '--flip_test', '--least_confidence'),
    'conversion': ('--conversion',),
    'weights': ('--weights', '--detector_weights', '--finder_weights'),
    'camera': ('camera',),
}


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


def words_of_start(start: Start, parts: pathlib.Path, settings: Mapping[str, Any]) -> list[str]:
    """Sentences for the user: what becomes of the frames that an interrupted run left.

    Args:
      start: where the run begins.
      parts: their folder.
      settings: of the run.
    """
    sentences = []
    if start.stored:
        sentences.append(f'goes on behind {_frames(start.stored)} of {parts}')
    if start.removed:
        others = ', '.join(_others(start.others, settings))
        since = f'it had another {others}' if others else 'it had other settings'
        sentences.append(
            f'{_frames(start.removed)} of an interrupted run are removed and made again, since '
            f'{since}'
        )
    return sentences


def _frames(number: int) -> str:
    return '1 frame' if number == 1 else f'{number} frames'


def _others(before: Any, now: Mapping[str, Any]) -> list[str]:
    """What a user calls the settings that differ, each once; none where they are no settings."""
    if not isinstance(before, dict):
        return []
    return list(
        dict.fromkeys(
            name
            for key, names in _NAMES.items()
            for name, one, other in zip(names, _values(before, key), _values(now, key), strict=True)
            if one != other
        )
    )


def _values(settings: Mapping[str, Any], key: str) -> list[Any]:
    """The value of a setting for each of its names."""
    value, number = settings.get(key), len(_NAMES[key])
    if number > 1 and isinstance(value, list) and len(value) == number:
        return value
    return [value] * number


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

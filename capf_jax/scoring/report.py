"""The report of an evaluation: tables, the conditions in words, and a JSON file."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from capf_jax.runtime import files
from capf_jax.scoring.result import Result
from capf_jax.scoring.tables import line_start

BESIDE_WEIGHTS = '_evaluation'  # the end of the folder that a weight file's results go into


def describe(conditions: Mapping[str, Any], form: str = 'text') -> str:
    """A result's conditions as lines of 'name: value', with names aligned; comments in LaTeX."""
    start = line_start(form)
    lines = [(name.replace('_', ' '), _words(value)) for name, value in conditions.items()]
    if form == 'markdown':
        return '\n'.join(f'{start}{name}: {value}' for name, value in lines)
    width = max(len(name) for name, _ in lines)
    return '\n'.join(f'{start}{name:<{width}}  {value}' for name, value in lines)


def write(result: Result, path: files.AnyPath, group: str | None = None, form: str = 'text') -> str:
    """Writes the JSON file and returns the text for people: tables, conditions, and the path.

    `group` and `form` are as in `Result.table`.
    """
    write_json(path, result.to_json())
    return words(result, group, form) + f'\n\n{line_start(form)}result: {path}'


def words(result: Result, group: str | None = None, form: str = 'text') -> str:
    """Tables, then conditions; `group` and `form` are as in `Result.table`."""
    return f'{result.table(group, form)}\n\n{describe(result.conditions, form)}'


def write_json(path: str | os.PathLike, content: Mapping[str, Any]) -> epath.Path:
    """Writes `content` whole or not at all; numbers that are not finite become null."""
    path = epath.Path(path)
    files.write_json(path, _plain(content))
    return path


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ', '.join(f'{name} {_words(inner)}' for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return '; '.join(map(_words, value))
    if value is None or value == '':
        return '-'
    return {True: 'yes', False: 'no'}[value] if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """The same with NumPy values as Python's, and non-finite numbers as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

"""Checks of the types of what a user of Python asks of videos.

Every mistake is a UserError of one sentence, raised before a video is opened. What passes has
Python's own types, so that settings can be written as JSON.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from capf_jax.errors import UserError


def number(name: str, value: Any, what: str) -> float:
    """A finite number.

    Args:
      name: of the argument.
      value: what the user gave.
      what: the unit and an example, for the sentence, such as 'degrees, such as 10'.

    Raises:
      UserError: it is no number, or not finite.
    """
    if not _is_number(value) or not math.isfinite(value):
        raise UserError(f'{name} is {value!r}; it must be a finite number: {what}')
    return float(value)


def whole_number(name: str, value: Any, what: str) -> int:
    """A whole number; `number` says what the arguments are.

    Raises:
      UserError: it is none.
    """
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise UserError(f'{name} is {value!r}; it must be a whole number: {what}')
    return int(value)


def switch(name: str, value: Any) -> bool:
    """True or False.

    Args:
      name: of the argument.
      value: what the user gave.

    Raises:
      UserError: it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise UserError(f'{name} is {value!r}; it must be True or False')
    return bool(value)


def time_range(value: Any) -> tuple[float, float | None]:
    """Start and stop, seconds; None for the end.

    Args:
      value: what the user gave: a pair, of which None stands for the beginning or the end.

    Raises:
      UserError: it is no pair of these.
    """
    is_pair = isinstance(value, (tuple, list, np.ndarray)) and len(value) == 2
    if not is_pair or not all(one is None or _is_number(one) for one in value):
        raise UserError(
            f'time_range is {value!r}; it must be two numbers of seconds, start and stop, such as '
            '(2, 5.5); None stands for the beginning or the end'
        )
    start, stop = value
    stop = math.inf if stop is None else float(stop)
    return 0.0 if start is None else float(start), None if stop == math.inf else stop


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)

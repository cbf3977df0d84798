"""Kinds of values: what is wrong with one, in words, for `value_checks` and its like."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from capf_jax.errors import nearest

# What is wrong with a value, as the end of a sentence ('it must be ...'); '' for nothing.
Check = Callable[[Any], str]


def is_number(value: Any) -> bool:
    """Whether a value is a whole number or a fraction; True and False are neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    """Whether a number is finite, as a floating-point number."""
    try:
        return math.isfinite(value)
    except OverflowError:  # A whole number may be of any size.
        return False


def whole(least: int, most: int) -> Check:
    """A whole number within limits, both of which are allowed."""

    def check(value: Any) -> str:
        if not is_number(value) or (not isinstance(value, int) and not value.is_integer()):
            return 'it must be a whole number'
        if value < least:
            return f'it must be at least {least}'
        return f'it must be at most {most}' if value > most else ''

    return check


def odd(value: Any) -> str:
    """A number of frames, of which one is in the middle."""
    what = whole(1, 9999)(value)
    return what or ('' if value % 2 else 'it must be odd, such as 27')


def number(
    least: float, most: float = math.inf, *, above: bool = False, below: bool = False
) -> Check:
    """A finite number within limits.

    Args:
      least: the smallest value, which is allowed unless `above`.
      most: the largest value, which is allowed unless `below`.
      above: whether the value must be more than `least`.
      below: whether the value must be less than `most`.
    """
    low = f'above {least:g}' if above else f'at least {least:g}'
    high = f'below {most:g}' if below else f'at most {most:g}'
    limits = low if math.isinf(most) else f'{low} and {high}'

    def check(value: Any) -> str:
        if not is_number(value) or not _is_finite(value):
            return f'it must be a finite number, {limits}'
        too_low = value <= least if above else value < least
        too_high = value >= most if below else value > most
        return f'it must be {limits}' if too_low or too_high else ''

    return check


def one_of(*known: Any) -> Check:
    """One of these values."""

    def check(value: Any) -> str:
        return '' if value in known else f'it must be one of {", ".join(map(str, known))}'

    return check


def name_of(*known: str) -> Check:
    """One of these words of our own, of which the nearest is named."""

    def check(value: Any) -> str:
        if value in known:
            return ''
        return f'the nearest is {nearest(str(value), known)!r} of {", ".join(known)}'

    return check


def text(value: Any) -> str:
    """Any text."""
    return '' if isinstance(value, str) else 'it must be a text'


def switch(value: Any) -> str:
    """True or False."""
    return '' if isinstance(value, bool) else 'it must be True or False'


def levels(value: Any) -> str:
    """Numbers of feature maps: the model says later how many maps its detector has."""
    numbers = value if isinstance(value, (tuple, list)) else ('',)
    if any(type(level) is not int or not 0 <= level < 16 for level in numbers):
        return 'it must list whole numbers from 0, the finest map, such as (0, 1)'
    return '' if len(set(numbers)) == len(numbers) else 'it must name each map once'


def robust(value: Any) -> str:
    """Means against bad 2D joints, each once."""
    names = value if isinstance(value, (tuple, list)) else ('',)
    known = name_of('noise', 'confidence', 'wander', 'reading')
    wrong = next((f'{name!r}: {what}' for name in names if (what := known(name))), '')
    if wrong or len(set(names)) == len(names):
        return wrong
    return 'it must name each means once'


def modules(value: Any) -> str:
    """Modules of an HRNet's stages of 2, 3 and 4 branches."""
    return _several(3, 'such as (1, 1, 1)', value)


def blocks(value: Any) -> str:
    """Blocks of a ResNet's four stages."""
    return _several(4, 'such as (3, 4, 6, 3)', value)


def _several(count: int, example: str, value: Any) -> str:
    numbers = value if isinstance(value, (tuple, list)) else ()
    right = len(numbers) == count and all(type(n) is int and 1 <= n <= 32 for n in numbers)
    words = {3: 'three', 4: 'four'}[count]
    return '' if right else f'it must be {words} whole numbers from 1 to 32, {example}'


def sides(value: Any) -> str:
    """Height and width of crops that are cut into patches of 16 pixels."""
    numbers = value if isinstance(value, (tuple, list)) else ()
    right = len(numbers) == 2 and all(
        type(n) is int and 0 < n <= 8192 and not n % 16 for n in numbers
    )
    return '' if right else 'it must be a height and a width in multiples of 16, such as (256, 192)'


def different_names(value: Any) -> str:
    """Names, each once, or none."""
    names = value if isinstance(value, (tuple, list)) else (0,)
    if any(not isinstance(name, str) or not name for name in names):
        return "it must list names, such as ('walking', 'sitting')"
    return '' if len(set(names)) == len(names) else 'it must list each name once'


def shown(value: Any, most: int = 60) -> str:
    """A value as it is written in Python, cut where it is long, for a message."""
    try:
        text = repr(value)
    except ValueError:  # Python does not print whole numbers of many thousand digits.
        return 'a number of thousands of digits'
    return text if len(text) <= most else f'{text[:most]}...'

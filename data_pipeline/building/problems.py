"""Everything that is wrong with what a dataset is built from, in one error."""

from __future__ import annotations

import os
from collections.abc import Sequence

from capf_jax.errors import UserError

_LISTED = 12  # so many problems are spelt out; the rest are counted


class InputError(UserError):
    """All problems of a source, one after the other.

    Attributes:
      problems: each says what is wrong, where, and what to do.
    """

    def __init__(self, source: str | os.PathLike[str], problems: Sequence[str], remedy: str = ''):
        """All problems of a source, and a way round them if there is one."""
        self.problems = tuple(problems)
        listed = '; '.join(self.problems[:_LISTED])
        more = len(self.problems) - _LISTED
        tail = f'; and {more} more' if more > 0 else ''
        advice = f'; {remedy}' if remedy else ''
        super().__init__(f'{os.fspath(source)} cannot be built from: {listed}{tail}{advice}')


def ranges(numbers: Sequence[int]) -> str:
    """Sorted numbers as people write them: '1-5, 9, 12-13 and 4 more'."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    shown = [str(a) if a == b else f'{a}-{b}' for a, b in runs[:_LISTED]]
    hidden = sum(b - a + 1 for a, b in runs[_LISTED:])
    return ', '.join(shown) + (f' and {hidden} more' if hidden else '')

"""`Finding`: one result of a check as a sentence, and how findings are printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

OK, NOTE, WRONG = 'ok', 'note', 'WRONG'


@dataclasses.dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
      verdict: OK, NOTE (worth reading, but no fault) or WRONG.
      what: what the check looked at.
      says: what the numbers are, and what to do where they are wrong.
    """

    verdict: str
    what: str
    says: str


def ok_if(good: bool, what: str, says: str, otherwise: str) -> Finding:
    """A finding that is OK if `good`; if not, it is WRONG and ends with the advice `otherwise`."""
    return Finding(OK, what, says) if good else Finding(WRONG, what, f'{says}: {otherwise}')


def as_lines(findings: Iterable[Finding]) -> str:
    """The findings as text, one line each."""
    return '\n'.join(f'  {one.verdict:<5}  {one.what}: {one.says}' for one in findings)

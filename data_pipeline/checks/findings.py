"""`Finding`: one sentence of a check, and how they are printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

OK, NOTE, WRONG = 'ok', 'note', 'WRONG'


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check says: OK, NOTE (worth reading, no fault) or WRONG."""

    verdict: str
    what: str  # the thing that was looked at
    says: str  # the numbers, and what to do where they are wrong


def ok_if(good: bool, what: str, says: str, otherwise: str) -> Finding:
    """OK with `says`, or WRONG with `says` and what `otherwise` advises."""
    return Finding(OK, what, says) if good else Finding(WRONG, what, f'{says}: {otherwise}')


def listed(findings: Iterable[Finding]) -> str:
    """A line for each."""
    return '\n'.join(f'  {one.verdict:<5}  {one.what}: {one.says}' for one in findings)

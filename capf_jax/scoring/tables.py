"""Tables of numbers as text, Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tabulate

GROUPS = ('action', 'sequence', 'subject', 'camera')  # labels that a table can be made by
# How tabulate calls each form, and what stands before each line of text below a table.
FORMATS = {'text': ('simple', ''), 'markdown': ('pipe', '- '), 'latex': ('latex_booktabs', '% ')}
SEPARATOR = tabulate.SEPARATING_LINE  # a row of its own: a line between rows


def grid(rows: Sequence[Any], headers: Sequence[str], form: str) -> str:
    """Rows of cells as one table; the first column is words, missing numbers are dashes.

    Args:
      rows: lists of cells, or `SEPARATOR`.
      headers: one for each column.
      form: one of `FORMATS`.
    """
    if form == 'markdown':  # Markdown knows no lines between rows
        rows = [row for row in rows if not isinstance(row, str)]
    return tabulate.tabulate(
        [row if isinstance(row, str) else [_blank(cell) for cell in row] for row in rows],
        headers,
        FORMATS[form][0],
        floatfmt='.1f',
        missingval='-',
        disable_numparse=[0],
    )


def line_start(form: str) -> str:
    """What stands before a line of text below a table, so that the whole stays of this form."""
    return FORMATS[form][1]


def _blank(cell: Any) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell

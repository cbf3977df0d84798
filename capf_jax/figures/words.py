"""Words that must fit into a figure: how wide they are, how they are cut and broken, and legends.

Names of programs, videos and actions are of any length, and Matplotlib draws beyond the edge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from capf_jax.figures.drawing import SOFT, STYLE

SIZE: float = STYLE['font.size']
SMALL = 7.0  # points of captions and titles
LINE = 0.128  # inches from one line of `SIZE` to the next
TIED = '\u00a0'  # a space at which no line is broken
# A legend's sizes, in letters' heights; its entries are these wider than their names.
HANDLE, BESIDE, BETWEEN = 1.2, 0.5, 1.2
_ENTRY, _GAP = (HANDLE + BESIDE) * SIZE / 72, BETWEEN * SIZE / 72


def width(text: str, size: float = SIZE, weight: str = 'normal') -> float:
    """Inches that a line of text takes; a little more than it is drawn with.

    Args:
      text: one line.
      size: points.
      weight: 'normal' or 'bold'.
    """
    font = FontProperties(size=size, weight=weight)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return 1.02 * points / 72


def shortened(text: str, does_fit: Callable[[str], bool]) -> str:
    """The text, or as many of its first and last letters as fit, with '…' between them.

    The middle is left out since names of files often differ at their ends.
    """
    short, letters = text, len(text)
    while letters and not does_fit(short):
        letters -= 1
        short = f'{text[: letters - letters // 2]}…{text[len(text) - letters // 2 :]}'
    return short


def cut(text: str, room: float, size: float = SIZE, weight: str = 'normal') -> str:
    """The text, `shortened` to so many inches."""
    return shortened(text, lambda short: width(short, size, weight) <= room)


def wrapped(text: str, room: float, size: float = SIZE, weight: str = 'normal') -> list[str]:
    """Lines of so many inches at most.

    Lines are broken at spaces, but not at `TIED` ones; a word that is wider than a line, after its
    hyphens, underscores, full stops and slashes; and a part of it that is, anywhere.
    """

    def fits(line: str) -> bool:
        return width(line, size, weight) <= room

    lines: list[str] = []
    for word in text.split(' '):
        if lines and fits(f'{lines[-1]} {word}'):
            lines[-1] += f' {word}'
            continue
        lines.append('')
        parts = [word] if fits(word) else re.split(rf'(?<=[-_./{TIED}])', word)
        for piece in [p for part in parts for p in ([part] if fits(part) else part)]:
            if lines[-1] and not fits(lines[-1] + piece):
                lines.append('')
            lines[-1] += piece
    return [line.replace(TIED, ' ') for line in lines]


def wrapped_name(
    name: str, room: float, most: int, size: float = SIZE, weight: str = 'normal'
) -> list[str]:
    """A name in so many lines at most, `shortened` if it needs more."""

    def lines(text: str) -> list[str]:
        return wrapped(text, room, size, weight)

    return lines(shortened(name, lambda short: len(lines(short)) <= most))


def caption(figure: Figure, lines: Sequence[str], left: float) -> None:
    """Writes lines at the figure's lower edge, so many inches from its left one."""
    across, height = figure.get_size_inches()
    figure.text(
        left / across, 0.03 / height, '\n'.join(lines), va='bottom', color=SOFT, fontsize=SMALL,
        linespacing=1.15,
    )  # fmt: skip


def legend_rows(names: Sequence[str], room: float) -> int:
    """How many rows a legend of these names has in so many inches: as few as fit."""
    return -(-len(names) // _columns(_legend_names(names, room), room))


def legend_height(names: Sequence[str], room: float) -> float:
    """Inches that a legend of these names takes in `room` inches, with an edge below it."""
    return 0.14 * legend_rows(names, room) + 0.06


def draw_legend(
    figure: Figure, handles: Sequence[Artist], names: Sequence[str], top: float, room: float
) -> None:
    """A legend in the middle of the figure, its names cut where even one is wider than `room`.

    Args:
      figure: where to draw.
      handles: one for each name.
      names: of the programs.
      top: inches from the figure's upper edge.
      room: inches that it may be wide.
    """
    names = _legend_names(names, room)
    figure.legend(
        handles, names, loc='upper center', ncols=_columns(names, room),
        bbox_to_anchor=(0.5, 1 - top / figure.get_figheight()), borderpad=0, borderaxespad=0.1,
        labelspacing=0.3, handlelength=HANDLE, handletextpad=BESIDE, columnspacing=BETWEEN,
    )  # fmt: skip


def _legend_names(names: Sequence[str], room: float) -> list[str]:
    """Names that fit; Matplotlib leaves those out that begin with an underscore."""
    visible = [f' {name}' if name.startswith('_') else name for name in names]
    return [cut(name, room - _ENTRY) for name in visible]


def _columns(names: Sequence[str], room: float) -> int:
    """The most columns that fit and that fill their rows."""
    widths = [width(name) + _ENTRY for name in names]
    for rows in range(1, len(names)):
        columns = -(-len(names) // rows)
        # Matplotlib fills one column after the other, the first ones with one more.
        parts = np.array_split(widths, columns)
        if sum(part.max() for part in parts) + _GAP * (columns - 1) <= room:
            return columns
    return 1

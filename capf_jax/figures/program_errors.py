"""Figures of several programs' errors: over a video's frames, by joint, by action, and wins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from capf_jax.figures import words
from capf_jax.figures.drawing import COLUMN_WIDTH, PROGRAMS, SOFT, STYLE, new_figure

GRID = '#E5E5E5'
ROW = 0.155  # inches of one row of a figure by joint or by action
_SCALE = 0.39  # inches of the scale below the rows
_ROOM = COLUMN_WIDTH - 0.1  # inches that a legend may be wide


def error_by_frame(
    names: Sequence[str],
    frames: Int[np.ndarray, ' F'],
    errors: Float[np.ndarray, 'P F'],
    marked: Sequence[int],
    title: str,
) -> Figure:
    """Errors over the frames of one video (paper, Fig. 5), those that differ most marked by name.

    Args:
      names: of the P programs.
      frames: numbers of the frames, ascending.
      errors: MPJPE, mm.
      marked: places among the frames that are named.
      title: of the video.
    """
    edge, label = 0.06, 0.12  # inches around all, and of the number before a note
    notes = [_note(names, frames[place], errors[:, place]) for place in marked]
    lines = [words.wrapped(note, COLUMN_WIDTH - 2 * edge - label) for note in notes]
    header = words.wrapped(title, COLUMN_WIDTH - 2 * edge)
    top = 0.03 + words.LINE * len(header)
    plot = top + words.legend_height(names, _ROOM)
    below = _SCALE + 0.03 + words.LINE * sum(map(len, lines)) + 0.04
    height = plot + 1.42 + below
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        figure.text(
            edge / COLUMN_WIDTH, 1 - 0.03 / height, '\n'.join(header), va='top', linespacing=1.15
        )
        axes = figure.add_axes((0.145, below / height, 0.825, 1.42 / height))
        handles = [
            axes.plot(frames, values, color=colour, lw=1.0, zorder=3)[0]
            for values, (colour, _) in zip(errors, PROGRAMS, strict=False)
        ]
        axes.set(xlabel='frame', ylabel='MPJPE [mm]', ylim=(0, 1.25 * errors.max()))
        # Room at both sides, so that a mark of the first frame does not stand on the axis.
        margin = 0.03 * float(frames[-1] - frames[0])
        axes.set_xlim(frames[0] - margin, frames[-1] + margin)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _mark(axes, frames[list(marked)])
        axes.grid(axis='y', color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        words.draw_legend(figure, handles, names, top, _ROOM)
        y = below - _SCALE - 0.03
        for number, its_lines in enumerate(lines, 1):
            figure.text(
                edge / COLUMN_WIDTH, y / height, f'{number}', color=SOFT, va='top', weight='bold'
            )
            for line in its_lines:
                x = (edge + label) / COLUMN_WIDTH
                figure.text(x, y / height, line, color=SOFT, va='top')
                y -= words.LINE
    return figure


def _note(names: Sequence[str], frame: int, errors: Float[np.ndarray, ' P']) -> str:
    """'frame 105: ours 5, theirs 20 mm'; a number stands in one line with its name."""
    parts = [
        f'{name} {error:.0f}'.replace(' ', words.TIED)
        for name, error in zip(names, errors, strict=True)
    ]
    return f'frame{words.TIED}{frame}: ' + ', '.join(parts) + f'{words.TIED}mm'


def _mark(axes: Axes, frames: Int[np.ndarray, ' M']) -> None:
    """Numbers these frames at the upper edge, one under another where they are close."""
    span = float(np.ptp(axes.get_xlim()))
    taken: list[float] = []  # the frame that was marked last in each line
    for place in np.argsort(frames, kind='stable'):
        frame = float(frames[place])
        row = next((n for n, x in enumerate(taken) if frame - x > 0.04 * span), len(taken))
        taken[row : row + 1] = [frame]
        axes.axvline(frame, color='#9A9A9A', lw=0.6, ls=(0, (2, 2)), zorder=1)
        axes.annotate(
            f'{place + 1}', (frame, 1), xycoords=('data', 'axes fraction'),
            xytext=(0, -1 - 9 * row), textcoords='offset points', ha='center', va='top', fontsize=7,
            color=SOFT, bbox={'boxstyle': 'round,pad=0.1', 'fc': 'white', 'ec': 'none'}, zorder=4,
        )  # fmt: skip


def errors_by_row(
    names: Sequence[str], rows: Mapping[str, Float[np.ndarray, ' P']], average: str = ''
) -> Figure:
    """Errors by joint or by action: a row each, with a marker for every program.

    Args:
      names: of the P programs.
      rows: name of a row -> MPJPE of each program, mm; from the top.
      average: the name of the row that stands apart from the others; '' for none.
    """
    height = _height(names, rows)
    values = np.stack(list(rows.values()))
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        axes = _row_axes(figure, names, list(rows))
        for place, row in enumerate(values):
            axes.plot([row.min(), row.max()], [place, place], color='#C8C8C8', lw=1.2, zorder=2)
        places = np.arange(len(rows))
        handles = [
            axes.plot(
                column, places, ls='', marker=marker, ms=3.6, color=colour, mec='white', mew=0.3,
                zorder=3, clip_on=False,
            )[0]
            for column, (colour, marker) in zip(values.T, PROGRAMS, strict=False)
        ]  # fmt: skip
        if average in rows:
            axes.axhline(list(rows).index(average) - 0.5, color='#9A9A9A', lw=0.6)
        axes.set(xlabel='MPJPE [mm]', xlim=(0, 1.05 * values.max()))
        axes.grid(axis='x', color=GRID, lw=0.6)
        words.draw_legend(figure, handles, names, 0.01, _ROOM)
    return figure


def wins_by_row(names: Sequence[str], rows: Mapping[str, Float[np.ndarray, ' P']]) -> Figure:
    """The share of frames that each program is nearest to the truth in, a bar for each row.

    Args:
      names: of the P programs.
      rows: name of a row -> shares, which sum to one; from the top.
    """
    height = _height(names, rows)
    values = 100 * np.stack(list(rows.values()))
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        axes = _row_axes(figure, names, list(rows))
        left, handles = np.zeros(len(rows)), []
        for shares, (colour, _) in zip(values.T, PROGRAMS, strict=False):
            handles += axes.barh(np.arange(len(rows)), shares, 0.72, left, color=colour)[:1]
            for place, (share, start) in enumerate(zip(shares, left, strict=True)):
                if share > 9:
                    axes.text(
                        start + share / 2, place, f'{share:.0f}', ha='center', va='center_baseline',
                        color='white', fontsize=7,
                    )  # fmt: skip
            left = left + shares
        axes.axvline(100 / len(names), color='white', lw=0.8, ls=(0, (2, 2)))
        axes.set(xlabel='frames won [%]', xlim=(0, 100))
        words.draw_legend(figure, handles, names, 0.01, _ROOM)
    return figure


def _height(names: Sequence[str], rows: Collection[str]) -> float:
    """Inches of a figure with these rows, the legend above and the scale below."""
    return words.legend_height(names, _ROOM) + ROW * len(rows) + _SCALE


def _row_axes(figure: Figure, names: Sequence[str], rows: Sequence[str]) -> Axes:
    """Axes with a row for each name, from the top, and room for the names at the left."""
    height = figure.get_figheight()
    rows = [words.cut(row, 1.25) for row in rows]
    left = (0.09 + max(map(words.width, rows))) / COLUMN_WIDTH
    tall = (height - _SCALE - words.legend_height(names, _ROOM)) / height
    axes = figure.add_axes((left, _SCALE / height, 0.955 - left, tall))
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis='y', length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines['left'].set_visible(False)
    axes.set_axisbelow(True)
    return axes

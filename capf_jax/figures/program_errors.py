"""Figures of several programs' errors: over a video's frames, by joint, by action, and wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from capf_jax.figures.drawing import COLUMN_WIDTH, PROGRAMS, SOFT, STYLE, new_figure

GRID = '#E5E5E5'
ROW = 0.155  # inches of one row of a figure by joint or by action


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
    notes = [
        f'frame {frames[place]}: '
        + ', '.join(
            f'{name} {value:.0f}' for name, value in zip(names, errors[:, place], strict=True)
        )
        + ' mm'
        for place in marked
    ]
    below = 0.36 + 0.135 * len(notes)
    height = 1.62 + below
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        axes = figure.add_axes((0.145, below / height, 0.835, (1.62 - 0.2) / height))
        for number, place in enumerate(marked, 1):
            axes.axvline(frames[place], color='#9A9A9A', lw=0.6, ls=(0, (2, 2)), zorder=1)
            axes.annotate(
                f'{number}', (frames[place], 1), xycoords=('data', 'axes fraction'), xytext=(0, -1),
                textcoords='offset points', ha='center', va='top', fontsize=7, color=SOFT,
                bbox={'boxstyle': 'round,pad=0.1', 'fc': 'white', 'ec': 'none'}, zorder=4,
            )  # fmt: skip
        for name, values, (colour, _) in zip(names, errors, PROGRAMS, strict=False):
            axes.plot(frames, values, color=colour, lw=1.0, label=name, zorder=3)
        axes.set(xlabel='frame', ylabel='MPJPE [mm]', ylim=(0, 1.3 * errors.max()))
        axes.set_xlim(frames[0], frames[-1])
        axes.set_title(title, loc='left', pad=3)
        axes.grid(axis='y', color=GRID, lw=0.6)
        axes.set_axisbelow(True)
        axes.legend(
            loc='upper right', ncols=len(names), bbox_to_anchor=(1, 0.93), handlelength=1.4,
            columnspacing=1.0, frameon=True, facecolor='white', edgecolor='none', framealpha=0.85,
            borderpad=0.1,
        )  # fmt: skip
        for row, note in enumerate(notes):
            y = (below - 0.36 - 0.135 * (row + 0.2)) / height
            figure.text(0.02, y, f'{row + 1}', color=SOFT, va='top', weight='bold')
            figure.text(0.06, y, note, color=SOFT, va='top')
    return figure


def errors_by_row(
    names: Sequence[str], rows: Mapping[str, Float[np.ndarray, ' P']], average: str = ''
) -> Figure:
    """Errors by joint or by action: a row each, with a marker for every program.

    Args:
      names: of the P programs.
      rows: name of a row -> MPJPE of each program, mm; from the top.
      average: the name of the row that stands apart from the others; '' for none.
    """
    height = ROW * len(rows) + 0.62
    values = np.stack(list(rows.values()))
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        axes = _row_axes(figure, list(rows), height)
        for place, row in enumerate(values):
            axes.plot([row.min(), row.max()], [place, place], color='#C8C8C8', lw=1.2, zorder=2)
        places = np.arange(len(rows))
        for name, column, (colour, marker) in zip(names, values.T, PROGRAMS, strict=False):
            axes.plot(
                column, places, ls='', marker=marker, ms=3.6, color=colour, label=name, mec='white',
                mew=0.3, zorder=3,
            )  # fmt: skip
        if average in rows:
            axes.axhline(list(rows).index(average) - 0.5, color='#9A9A9A', lw=0.6)
        axes.set(xlabel='MPJPE [mm]', xlim=(0, 1.05 * values.max()))
        axes.grid(axis='x', color=GRID, lw=0.6)
        _legend(figure, axes, height)
    return figure


def wins_by_row(names: Sequence[str], rows: Mapping[str, Float[np.ndarray, ' P']]) -> Figure:
    """The share of frames that each program is nearest to the truth in, a bar for each row.

    Args:
      names: of the P programs.
      rows: name of a row -> shares, which sum to one; from the top.
    """
    height = ROW * len(rows) + 0.62
    values = 100 * np.stack(list(rows.values()))
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        axes = _row_axes(figure, list(rows), height)
        left = np.zeros(len(rows))
        for name, shares, (colour, _) in zip(names, values.T, PROGRAMS, strict=False):
            axes.barh(np.arange(len(rows)), shares, 0.72, left, color=colour, label=name)
            for place, (share, start) in enumerate(zip(shares, left, strict=True)):
                if share > 9:
                    axes.text(
                        start + share / 2, place, f'{share:.0f}', ha='center', va='center_baseline',
                        color='white', fontsize=7,
                    )  # fmt: skip
            left = left + shares
        axes.axvline(100 / len(names), color='white', lw=0.8, ls=(0, (2, 2)))
        axes.set(xlabel='frames won [%]', xlim=(0, 100))
        _legend(figure, axes, height)
    return figure


def _row_axes(figure: Figure, rows: Sequence[str], height: float) -> Axes:
    """Axes with a row for each name, from the top, and room for the names at the left."""
    longest = max(map(len, rows))
    left = min(0.06 + 0.058 * longest, 1.3) / COLUMN_WIDTH
    box = (left, 0.36 / height, 0.97 - left, (height - 0.36 - 0.22) / height)
    axes = figure.add_axes(box)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis='y', length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines['left'].set_visible(False)
    axes.set_axisbelow(True)
    return axes


def _legend(figure: Figure, axes: Axes, height: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc='upper center', bbox_to_anchor=(0.5, 1 - 0.01 / height),
        ncols=len(labels), handlelength=1.2, columnspacing=1.2, borderaxespad=0.1,
    )  # fmt: skip

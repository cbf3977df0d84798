"""Figures of curves: errors of a run over its steps, and errors over the noise of the 2D input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from capf_jax.figures.drawing import PAGE_WIDTH, STYLE, new_figure

LINES = (('#0072B2', 'o'), ('#D55E00', 's'), ('#009E73', '^'))  # colour and marker of each curve


def run_figure(entries: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> Figure | None:
    """Training loss and test errors of a lifter's run; None of a run without evaluation.

    Args:
      entries: the objects of its log.
      titles: the errors to draw, up to three: name in the log, mm -> title.
    """
    entries = list(entries)
    train = [entry for entry in entries if entry['part'] == 'train' and 'loss' in entry]
    test = [entry for entry in entries if entry['part'] == 'test']
    if not test:
        return None
    training = {
        'step': np.array([entry['step'] for entry in train]),
        'value': 1000 * np.array([entry['loss'] for entry in train]),
    }
    evaluation = {
        title: {
            'step': np.array([entry['step'] for entry in test if name in entry]),
            'value': np.array([entry[name] for entry in test if name in entry]),
        }
        for name, title in titles.items()
        if any(name in entry for entry in test)
    }
    return training_figure(training, evaluation)


def training_figure(
    training: Mapping[str, np.ndarray], evaluation: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
    """Training and test errors over optimizer steps.

    Args:
      training: 'step' and 'value' [T], mm: the loss, which is the MPJPE of the training batches.
      evaluation: up to three titles -> {'step', 'value'} [E], mm.
    """
    with matplotlib.rc_context(STYLE):
        figure = new_figure(PAGE_WIDTH / 2, 2.1)
        axes = figure.add_axes((0.13, 0.18, 0.84, 0.77))
        axes.plot(
            *(training[name] for name in ('step', 'value')),
            color='#9A9A9A', lw=0.9, label='MPJPE, training batches', zorder=2,
        )  # fmt: skip
        for (title, curve), (colour, marker) in zip(evaluation.items(), LINES, strict=False):
            step, value = curve['step'], curve['value']
            axes.plot(
                step, value, color=colour, lw=1.2, zorder=3,
                marker=marker if len(value) <= 30 else '', ms=2.8,
                label=f'{title}, test (best {np.nanmin(value):.1f})',
            )  # fmt: skip
        # On an axis that shows the first steps' errors, all later ones would look alike.
        tested = [curve['value'] for curve in evaluation.values()]
        late = training['value'][len(training['value']) // 10 :]
        highest = max((np.nanmax(values) for values in (*tested, late) if len(values)), default=1)
        axes.set(xlabel='step', ylabel='error [mm]', ylim=(0, 1.12 * highest))
        axes.set_xlim(left=0)
        axes.grid(axis='y', color='#E5E5E5', lw=0.6)
        axes.set_axisbelow(True)
        axes.legend(loc='upper right')
    return figure


def noise_figure(sigmas: Sequence[float], errors: Mapping[str, Sequence[float]]) -> Figure:
    """Errors over the standard deviation of the noise that was added to the 2D input.

    Args:
      sigmas: [S] pixels of the whole image.
      errors: up to three titles -> [S] mm.
    """
    with matplotlib.rc_context(STYLE):
        figure = new_figure(PAGE_WIDTH / 2, 2.1)
        axes = figure.add_axes((0.15, 0.18, 0.82, 0.77))
        for (title, values), (colour, marker) in zip(errors.items(), LINES, strict=False):
            axes.plot(sigmas, values, color=colour, lw=1.2, marker=marker, ms=3, label=title)
        axes.set(xlabel='standard deviation of the 2D noise [px]', ylabel='error [mm]')
        axes.set_ylim(0, 1.08 * axes.get_ylim()[1])  # The topmost marker needs room.
        axes.grid(axis='y', color='#E5E5E5', lw=0.6)
        axes.set_axisbelow(True)
        # The legend is on white, so that no curve runs through a name.
        axes.legend(
            loc='lower right', frameon=True, facecolor='white', edgecolor='none', framealpha=1
        )
    return figure

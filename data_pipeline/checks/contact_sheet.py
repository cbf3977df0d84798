"""A page of random crops with their 2D joints, which a person looks at to judge a dataset."""

from __future__ import annotations

import os
import pathlib

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from capf_jax.pose import crops
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files
from data_pipeline.checks.people import People

COLUMNS, ROWS = 6, 4
COLOURS = 'left blue, right orange, detected yellow'  # What the colours mean, for a title.
_LEFT, _RIGHT, _CENTRE, _DETECTED = '#0072B2', '#D55E00', '#3C3C3C', '#F0E442'
_OUTLINE = [patheffects.Stroke(linewidth=2.0, foreground='white'), patheffects.Normal()]
# Inches.
_WIDTH = 7.0
_CAPTION = 0.25
_TITLE = 0.3


def figure(people: People, skeleton: Skeleton, title: str) -> Figure:
    """The crops of the first COLUMNS x ROWS people with their joints and labels.

    The true 2D joints are drawn as a skeleton. The detected ones are drawn as crosses where any of
    them differs from the true ones. `COLOURS` says what the colours mean.

    Args:
      people: N people, in the order in which they are shown.
      skeleton: their joint set.
      title: the line above the page.
    """
    count = min(len(people), COLUMNS * ROWS)
    rows = -(-count // COLUMNS)
    height, width = people.images.shape[1:3]
    cell = _WIDTH / COLUMNS * height / width + _CAPTION
    total = rows * cell + _TITLE
    with matplotlib.rc_context({'font.family': 'sans-serif'}):
        page = Figure(figsize=(_WIDTH, total))
        FigureCanvasAgg(page)  # Drawing needs no display and no global state of pyplot.
        grid = page.subplots(rows, COLUMNS, squeeze=False)
        page.subplots_adjust(
            0.01, _CAPTION / total, 0.99, 1 - _TITLE / total,
            wspace=0.03, hspace=_CAPTION / (cell - _CAPTION),
        )  # fmt: skip
        for axes in grid.flat[count:]:
            axes.axis('off')
        same = np.array_equal(people.joints2d_detected, people.joints2d_truth)
        for number, axes in enumerate(grid.flat[:count]):
            truth, detected = (
                crops.apply_affine(people.affine[number], joints[number])
                for joints in (people.joints2d_truth, people.joints2d_detected)
            )
            _draw_crop(axes, people.images[number])
            _draw_bones(axes, truth, skeleton)
            if not same:
                for colour, width in (('black', 1.2), (_DETECTED, 0.6)):
                    axes.plot(*detected.T, '+', ms=3, mew=width, color=colour, zorder=3)
            labels = {name: values[number] for name, values in people.labels.items()}
            axes.text(
                0.5, -0.02, caption(labels),
                transform=axes.transAxes, ha='center', va='top', fontsize=4.2, linespacing=1.1,
            )  # fmt: skip
        page.text(0.01, 1 - 0.1 / total, title, va='top', fontsize=7)
    return page


def save(page: Figure, path: str | os.PathLike) -> pathlib.Path:
    """Writes a page whole or not at all, and returns its path.

    Raises:
      OSError: the file cannot be written.
    """
    with files.whole(path) as temporary:
        page.savefig(temporary, dpi=300, facecolor='white')
    return pathlib.Path(path)


def caption(labels: dict[str, str | int]) -> str:
    """Who, when and what the labels of one person name, in lines no wider than a crop."""
    subject, sequence, action = (str(labels[name]) for name in ('subject', 'sequence', 'action'))
    who = sequence if sequence.startswith(subject) else f'{subject} {sequence}'.strip()
    where = f'camera {labels["camera"]}, ' if labels['camera'] else ''
    return '\n'.join(filter(None, (who, f'{where}frame {labels["frame"]}', action)))


def _draw_crop(axes: Axes, image: np.ndarray) -> None:
    """Draws a crop [H, W, 3] uint8; the centre of its first pixel is at (0, 0)."""
    height, width = image.shape[:2]
    axes.imshow(image, interpolation='bilinear', aspect='equal')
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _draw_bones(axes: Axes, joints: np.ndarray, skeleton: Skeleton) -> None:
    """Draws the bones between joints [J, 2], crop pixels."""
    for parent, child in skeleton.bones:
        side = skeleton.joints[child].partition('_')[0]
        colour = {'left': _LEFT, 'right': _RIGHT}.get(side, _CENTRE)
        (line,) = axes.plot(
            *joints[[parent, child]].T, color=colour, lw=1.0, solid_capstyle='round', zorder=2
        )
        line.set_path_effects(_OUTLINE)
        axes.plot(*joints[child], 'o', ms=1.6, color=colour, mec='white', mew=0.3, zorder=2)

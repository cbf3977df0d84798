"""A page of random crops with their 2D joints, to be looked at."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from capf_jax.figures import drawing
from capf_jax.pose import crops
from capf_jax.pose.skeletons import Skeleton
from data_pipeline.checks.people import People

COLUMNS, ROWS = 6, 4
_CAPTION = 0.25  # inches below each crop


def figure(people: People, skeleton: Skeleton, title: str) -> Figure:
    """The first COLUMNS x ROWS people.

    True 2D joints are a skeleton, left blue and right orange; detected ones, where they differ,
    yellow crosses.
    """
    count = min(len(people), COLUMNS * ROWS)
    rows = -(-count // COLUMNS)
    height, width = people.images.shape[1:3]
    cell = drawing.PAGE_WIDTH / COLUMNS
    tall = cell * height / width + _CAPTION
    with matplotlib.rc_context(drawing.STYLE):
        above = 0.3  # inches for the title
        page = drawing.new_figure(drawing.PAGE_WIDTH, rows * tall + above)
        grid = page.subplots(rows, COLUMNS, squeeze=False)
        share = 1 / (rows * tall + above)
        page.subplots_adjust(
            0.01, _CAPTION * share, 0.99, 1 - above * share,
            wspace=0.03, hspace=_CAPTION / (tall - _CAPTION),
        )  # fmt: skip
        for axes in grid.flat[count:]:
            axes.axis('off')
        same = np.array_equal(people.joints2d_detected, people.joints2d_truth)
        for number, axes in enumerate(grid.flat[:count]):
            drawing.draw_crop(axes, people.images[number])
            truth, detected = (
                crops.apply_affine(people.affine[number], joints[number])
                for joints in (people.joints2d_truth, people.joints2d_detected)
            )
            drawing.draw_bones(axes, truth, skeleton, width=1.0, casing='white', marker=1.6)
            if not same:
                axes.plot(*detected.T, '+', ms=3, mew=0.6, color='#F0E442', zorder=3)
            axes.text(
                0.5, -0.02, _caption({name: of[number] for name, of in people.labels.items()}),
                transform=axes.transAxes, ha='center', va='top', fontsize=4.2, linespacing=1.1,
            )  # fmt: skip
        page.text(0.01, 1 - 0.1 * share, title, va='top', fontsize=7)
    return page


def _caption(labels: dict[str, str | int]) -> str:
    """Who, when and what, in lines that are no wider than a crop."""
    subject, sequence = labels['subject'], labels['sequence']
    who = sequence if sequence.startswith(subject) else f'{subject} {sequence}'.strip()
    where = f'camera {labels["camera"]}, ' if labels['camera'] else ''
    return '\n'.join(filter(None, (who, f'{where}frame {labels["frame"]}', labels['action'])))

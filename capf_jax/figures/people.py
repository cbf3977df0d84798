"""The figure of test people: each one's crop, and his pose from the camera and from the side."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from capf_jax.figures.drawing import (
    COLOURS,
    PAGE_WIDTH,
    SOFT,
    STYLE,
    ScaleBarHandler,
    draw_bones,
    draw_crop,
    new_figure,
    pale_colour,
    scale_bar,
)
from capf_jax.pose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True)
class Person:
    """One test person to draw.

    Attributes:
      image: [H, W, 3] uint8 crop.
      joints2d_crop: [J, 2] the 2D input, pixels of the crop.
      target, prediction: [J, 3] metres, camera frame (x right, y down, z away), root-relative.
      title: what to write above, for example 'Walking'; the MPJPE follows it.
    """

    image: np.ndarray
    joints2d_crop: np.ndarray
    target: np.ndarray
    prediction: np.ndarray
    title: str = ''

    @property
    def mpjpe_mm(self) -> float:
        """Mean distance of the joints, mm."""
        return float(1000 * np.linalg.norm(self.prediction - self.target, axis=-1).mean())


def representative(errors: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples at evenly spaced quantiles of the error: neither the best nor the worst ones.

    Args:
      errors: [N] error of each sample.
      number: how many to choose; of fewer samples all are chosen.

    Returns:
      (indices [number], percentiles [number]), from the smallest error to the largest.
    """
    number = min(number, len(errors))
    percentiles = 100 * (np.arange(number) + 0.5) / max(number, 1)
    order = np.argsort(errors, kind='stable')
    return order[(percentiles / 100 * len(errors)).astype(int)], percentiles


def ordinals(numbers: Iterable[float]) -> str:
    """'12.5th, 37.5th and 87.5th'."""
    words = [f'{number:g}th' for number in numbers]
    return ' and '.join(filter(None, [', '.join(words[:-1]), words[-1]]))


def people_figure(people: Sequence[Person], skeleton: Skeleton, caption: str = '') -> Figure:
    """People in two columns; of each the crop, the camera's view and the view from the side.

    Both 3D views are orthographic and have one scale in the whole figure, so lengths compare. In
    side views the camera is at the left.
    """
    columns = 1 if len(people) == 1 else 2
    rows = -(-len(people) // columns)
    width, row_height = PAGE_WIDTH / 2 * columns, 1.72  # inches
    legend = {1: 0.4, 2: 0.24}[columns]  # inches, of two rows or one
    lines = textwrap.wrap(caption, int(17 * width))  # letters that fit
    footer = legend + 0.14 * len(lines) + (0.04 if lines else 0)
    height = rows * row_height + footer
    with matplotlib.rc_context(STYLE):
        figure = new_figure(width, height)
        extents = [np.ptp([*p.target, *p.prediction], axis=0) for p in people]
        extent = np.max(extents, axis=0)  # [3] metres
        for i, person in enumerate(people):
            row, column = divmod(i, columns)
            corner = (column * PAGE_WIDTH / 2, footer + (rows - 1 - row) * row_height)
            _draw_person(figure, corner, row_height, person, skeleton, extent)
        bar = scale_bar(figure.axes[1], metres=0.5)
        figure.legend(
            handles=[*_people_legend(), bar],
            handler_map={bar: ScaleBarHandler()},
            loc='lower center',
            bbox_to_anchor=(0.5, (footer - legend) / height),
            ncols=3 * columns,
            columnspacing=1.6,
            handlelength=1.8,
            borderaxespad=0.1,
        )
        place = {'x': 0.5, 'y': 0.05 / height, 'ha': 'center', 'va': 'bottom'}
        figure.text(**place, s='\n'.join(lines), color=SOFT, linespacing=1.2)
    return figure


def _draw_person(
    figure: Figure,
    corner: tuple[float, float],
    height: float,
    person: Person,
    skeleton: Skeleton,
    extent: np.ndarray,
) -> None:
    """Crop, camera view and side view of one person.

    Args:
      corner: left and bottom of the place, inches; it is half a page wide.
      height: of the place, inches.
      extent: [3] metres that both views must hold along x, y and z.
    """
    left, bottom = corner
    width = PAGE_WIDTH / 2 - 0.1  # A gutter stays free.
    edge, title, label = 0.06, 0.2, 0.15  # margin, line above, line below; inches
    inner = height - title - label - 0.04
    aspect = person.image.shape[1] / person.image.shape[0]
    crop_width = min(inner * aspect, 0.36 * width)
    view_width = (width - crop_width - 3 * edge) / 2
    # The scale, metres an inch, is the same for both views and for every person of the figure.
    scale = 1.08 * max(extent[1] / inner, extent[0] / view_width, extent[2] / view_width)

    def place(x: float, across: float) -> Axes:
        total = figure.get_size_inches()
        box = np.array([left + x, bottom + label, across, inner]) / [*total, *total]
        return figure.add_axes(tuple(box))

    axes = place(edge, crop_width)
    draw_crop(axes, person.image)
    draw_bones(axes, person.joints2d_crop, skeleton, width=1.2, casing='white', marker=1.9)
    axes.set_title(person.title, loc='left', pad=3)
    views = {'camera view': (0, 1), 'side view': (2, 1)}
    for i, (name, plane) in enumerate(views.items()):
        axes = place(2 * edge + crop_width + i * (view_width + edge / 2), view_width)
        _draw_view(axes, person, skeleton, plane)
        both = np.concatenate([person.target, person.prediction])[:, list(plane)]
        middle = (both.min(0) + both.max(0)) / 2
        half = scale * np.array([view_width, inner]) / 2
        axes.set(
            xlim=middle[0] + half[0] * np.array([-1, 1]),
            ylim=middle[1] + half[1] * np.array([1, -1]),  # y points down
        )
        axes.text(0.5, -0.02, name, transform=axes.transAxes, ha='center', va='top', color=SOFT)
        if i == 1:
            axes.set_title(f'MPJPE {person.mpjpe_mm:.1f} mm', loc='right', pad=3, weight='bold')


def _draw_view(axes: Axes, person: Person, skeleton: Skeleton, plane: tuple[int, int]) -> None:
    """One orthographic view: pale wide ground truth behind, the thin prediction in front.

    `plane` is (0, 1) for the camera's view, which looks along z, and (2, 1) for the view from the
    camera's right, which looks along -x.
    """
    nearness = (2, -1) if plane[0] == 0 else (0, 1)  # axis and sign that grow toward the viewer
    for pose, style in (
        (person.target, {'width': 4.0, 'pale': True, 'marker': 0.0}),
        (person.prediction, {'width': 1.3, 'casing': 'white', 'marker': 2.0}),
    ):
        near = nearness[1] * pose[:, nearness[0]]
        draw_bones(axes, pose[:, list(plane)], skeleton, near=near, **style)
    axes.set_axis_off()


def _people_legend() -> list[Line2D]:
    """Sides, then truth against prediction."""
    sides = [Line2D([], [], color=COLOURS[s], lw=2, label=s) for s in ('left', 'right', 'centre')]
    grey = COLOURS['centre']
    return [
        *sides,
        Line2D([], [], color=pale_colour(grey), lw=4.0, label='ground truth'),
        Line2D([], [], color=grey, lw=1.3, marker='o', ms=2.4, label='prediction'),
    ]

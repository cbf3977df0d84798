"""Figures: test people with their poses in 2D and 3D, sampling points, and error curves."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from capf_jax.figures.drawing import (
    COLOURS,
    DPI,
    PAGE_WIDTH,
    SOFT,
    STYLE,
    ScaleBarHandler,
    draw_bones,
    draw_crop,
    new_figure,
    pale_colour,
    scale_bar,
    side_of,
)
from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files


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
      number: how many to choose, at most N are given.

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


def sampling_figure(
    image: np.ndarray,
    joints2d_crop: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    skeleton: Skeleton,
    joints: Sequence[int] | None = None,
    level_names: Sequence[str] | None = None,
) -> Figure:
    """Where one deformable block samples each feature level, drawn on the crop.

    Args:
      image: [H, W, 3] uint8 crop.
      joints2d_crop: [J, 2] pixels of the crop.
      points: [L, J, M, K, 2] sampling points, normalised by the crop to [-1, 1].
      weights: [L, J, M, K] attention weights, summing to one over K.
      skeleton: names and sides of the joints.
      joints: joints to draw; wrists, ankles and the head by default, all where those are missing.
      level_names: title of each level.
    """
    height, width = image.shape[:2]
    if joints is None:
        ends = ('wrist', 'ankle', 'head')
        joints = [j for j, name in enumerate(skeleton.joints) if name.endswith(ends)]
        joints = joints or list(range(len(skeleton)))
    levels = len(points)
    names = level_names or [f'level {level}' for level in range(levels)]
    pixels = (np.asarray(points, np.float64) + 1) * [width / 2, height / 2]
    # grey and faded, so that only the points have colour
    faded = (0.6 * image.mean(axis=-1) + 0.4 * 255).astype(np.uint8)
    panel, title, legend = 1.75, 0.2, 0.24  # inches
    tall = panel * 0.96 * height / width
    total = np.array([panel * levels, tall + title + legend])
    with matplotlib.rc_context(STYLE):
        figure = new_figure(*total)
        for level in range(levels):
            box = np.array([(level + 0.02) * panel, legend, 0.96 * panel, tall])
            axes = figure.add_axes(tuple(box / [*total, *total]))
            draw_crop(axes, faded)
            axes.set_title(names[level], pad=3)
            for joint in joints:
                colour = COLOURS[side_of(skeleton, joint)]
                x, y = pixels[level, joint].reshape(-1, 2).T
                share = np.asarray(weights[level, joint], np.float64).ravel()
                axes.scatter(x, y, 24 * share + 0.5, colour, alpha=0.8, linewidths=0, zorder=3)
                axes.plot(
                    *joints2d_crop[joint], 'o', ms=3.4, mfc='white', mec=colour, mew=1, zorder=4
                )
        grey = COLOURS['centre']
        point = Line2D([], [], ls='', marker='o', color=grey, ms=3.6, mew=0)
        point.set_label('sampling point, area by attention weight')
        joint = Line2D([], [], ls='', marker='o', mfc='white', mec=grey, ms=3.6, label='joint')
        figure.legend(handles=[joint, point], loc='lower center', ncols=2, borderaxespad=0.1)
    return figure


def curves_figure(
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
        colours, markers = ('#0072B2', '#D55E00', '#009E73'), ('o', 's', '^')
        for (title, curve), colour, marker in zip(
            evaluation.items(), colours, markers, strict=False
        ):
            step, value = curve['step'], curve['value']
            axes.plot(
                step, value, color=colour, lw=1.2, zorder=3,
                marker=marker if len(value) <= 30 else '', ms=2.8,
                label=f'{title}, test (best {np.nanmin(value):.1f})',
            )  # fmt: skip
        # the first steps' errors would flatten all that is of interest
        shown = [curve['value'] for curve in evaluation.values()]
        late = training['value'][len(training['value']) // 10 :]
        highest = max((np.nanmax(values) for values in (*shown, late) if len(values)), default=1)
        axes.set(xlabel='step', ylabel='error [mm]', ylim=(0, 1.12 * highest))
        axes.set_xlim(left=0)
        axes.grid(axis='y', color='#E5E5E5', lw=0.6)
        axes.set_axisbelow(True)
        axes.legend(loc='upper right')
    return figure


def save(figure: Figure, path: str | os.PathLike) -> pathlib.Path:
    """Writes the figure (.png, .pdf, .svg) under another name and renames it."""
    with files.whole(path) as temporary:
        figure.savefig(temporary, dpi=DPI, facecolor='white')
    return pathlib.Path(path)


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
    width = PAGE_WIDTH / 2 - 0.1  # leaves a gutter
    edge, title, label = 0.06, 0.2, 0.15  # margin, line above, line below; inches
    inner = height - title - label - 0.04
    aspect = person.image.shape[1] / person.image.shape[0]
    crop_width = min(inner * aspect, 0.36 * width)
    view_width = (width - crop_width - 3 * edge) / 2
    # metres an inch, the same for both views and for every person of the figure
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

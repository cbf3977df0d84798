"""The figure of programs side by side: the picture, and each pose over the true one, in 3D."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from capf_jax.figures import words
from capf_jax.figures.drawing import (
    COLOURS,
    COLUMN_WIDTH,
    SOFT,
    STYLE,
    draw_bones,
    draw_crop,
    new_figure,
    pale_colour,
)
from capf_jax.figures.pose_views import project
from capf_jax.pose.skeletons import Skeleton

TURN = (60.0, 10.0)  # degrees to the camera's right, and down: depth is seen, and the limbs too
TALLEST = 1.45  # inches of a view
ERROR = 0.14  # inches of the error below a view


@dataclasses.dataclass(frozen=True)
class Sample:
    """One sample to draw.

    Attributes:
      image: the crop; without channels (H, W, 0) if it is not at hand.
      joints2d_crop: the 2D input, pixels of the crop.
      target: the true pose, metres, camera frame, relative to the root.
      predictions: of the P programs, the same.
      title: which sample it is.
    """

    image: UInt8[np.ndarray, 'H W _']
    joints2d_crop: Float[np.ndarray, 'J 2']
    target: Float[np.ndarray, 'J 3']
    predictions: Float[np.ndarray, 'P J 3']
    title: str


def side_by_side(
    samples: Sequence[Sample], names: Sequence[str], skeleton: Skeleton, caption: str = ''
) -> Figure:
    """A row a sample: the picture with the 2D input, and each program's pose over the true one.

    All poses have one scale, and are seen from 60 degrees to the camera's right, so that errors of
    depth are seen.

    Args:
      samples: from the top.
      names: of the P programs.
      skeleton: the joints.
      caption: how the samples were chosen.
    """
    extent = np.max([_extent(s.target, pose) for s in samples for pose in s.predictions], axis=0)
    edge, line = 0.04, 0.125
    lines = words.wrapped(caption, COLUMN_WIDTH - 2 * edge, words.SMALL) if caption else []
    titles = [words.wrapped(s.title, COLUMN_WIDTH - 2 * edge, words.SMALL) for s in samples]
    footer = 0.34 + line * len(lines)
    shown = [sample.image.shape[-1] > 0 for sample in samples]
    aspect = max(s.image.shape[1] / s.image.shape[0] for s in samples)
    across = COLUMN_WIDTH - 2 * edge
    # The picture is as tall as a row, and the views share the rest of the width.
    picture = min(TALLEST * aspect, 0.34 * across) if any(shown) else 0.0
    view = (across - picture) / len(names)
    headers = [words.wrapped_name(name, view - 0.03, 4, words.SMALL, 'bold') for name in names]
    head = 0.04 + words.LINE * max(map(len, headers))
    scale = min(view / extent[0], TALLEST / extent[1])  # inches a metre
    # The error stands below its view, where no foot reaches.
    row = max(min(scale * extent[1], TALLEST) + ERROR, picture / aspect)
    tops = head + np.cumsum([0.03 + line * len(title) for title in titles])
    tops += np.arange(len(samples)) * row  # inches from the upper edge to each row
    height = tops[-1] + row + footer
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)

        def place(left: float, top: float, width: float, tall: float) -> Axes:
            bottom = 1 - (top + tall) / height
            return figure.add_axes(
                (left / COLUMN_WIDTH, bottom, width / COLUMN_WIDTH, tall / height)
            )

        for column, header in enumerate(headers):
            middle = (edge + picture + (column + 0.5) * view) / COLUMN_WIDTH
            figure.text(
                middle, 1 - 0.02 / height, '\n'.join(header), ha='center', va='top', weight='bold',
                fontsize=words.SMALL, linespacing=1.15,
            )  # fmt: skip
        for number, (sample, top) in enumerate(zip(samples, tops, strict=True)):
            figure.text(
                edge / COLUMN_WIDTH, 1 - (top - 0.02) / height, '\n'.join(titles[number]),
                va='bottom', color=SOFT, fontsize=words.SMALL, linespacing=1.15,
            )  # fmt: skip
            if shown[number]:
                axes = place(edge, top, picture - edge, row)
                draw_crop(axes, sample.image)
                draw_bones(
                    axes, sample.joints2d_crop, skeleton, width=1.0, casing='white', marker=1.6
                )
            size = np.array([view, row - ERROR])
            for column, pose in enumerate(sample.predictions):
                axes = place(edge + picture + column * view, top, *size)
                _draw_both(axes, sample.target, pose, skeleton, size / scale)
        figure.legend(
            handles=_legend(), loc='lower center', bbox_to_anchor=(0.5, (footer - 0.32) / height),
            ncols=5, handlelength=1.3, columnspacing=0.9, borderaxespad=0.1, handletextpad=0.4,
        )  # fmt: skip
        words.caption(figure, lines, edge)
    return figure


def _extent(target: np.ndarray, pose: np.ndarray) -> Float[np.ndarray, ' 2']:
    """[2] metres across and down that a view takes which holds both poses, lines and all."""
    return np.ptp(np.concatenate([_seen(target), _seen(pose)]), axis=0) + 0.12


def _seen(pose: Float[np.ndarray, 'J 3']) -> Float[np.ndarray, 'J 2']:
    return project(pose, *TURN)[0]


def _draw_both(
    axes: Axes, target: np.ndarray, pose: np.ndarray, skeleton: Skeleton, size: np.ndarray
) -> None:
    """Pale wide ground truth behind, the thin prediction in front, and its error below."""
    for one, style in (
        (target, {'width': 3.4, 'pale': True, 'marker': 0.0}),
        (pose, {'width': 1.1, 'casing': 'white', 'marker': 1.7}),
    ):
        joints, near = project(one, *TURN)
        draw_bones(axes, joints, skeleton, near=near, **style)
    both = np.concatenate([_seen(target), _seen(pose)])
    middle = (both.min(0) + both.max(0)) / 2
    axes.set(
        xlim=middle[0] + size[0] / 2 * np.array([-1, 1]),
        ylim=middle[1] + size[1] / 2 * np.array([1, -1]),  # y points down.
    )
    axes.set_axis_off()
    error = 1000 * np.linalg.norm(pose - target, axis=-1).mean()
    axes.text(0.5, 0, f'{error:.0f} mm', transform=axes.transAxes, ha='center', va='top', zorder=5)


def _legend() -> list[Line2D]:
    """Sides, then truth against prediction."""
    grey = COLOURS['centre']
    return [
        *(Line2D([], [], color=COLOURS[s], lw=2, label=s) for s in ('left', 'right', 'centre')),
        Line2D([], [], color=pale_colour(grey), lw=3.4, label='truth'),
        Line2D([], [], color=grey, lw=1.1, marker='o', ms=2.2, label='prediction'),
    ]

"""Figures of sampling points: all blocks around one joint, on every level and over frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import matplotlib
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from capf_jax.figures import words
from capf_jax.figures.drawing import COLUMN_WIDTH, SOFT, STYLE, draw_crop, new_figure
from capf_jax.pose.skeletons import Skeleton

TRUE, WINDOW = '#00A676', '#111111'
POINT = 5.5  # points, the width of a sampling point of the first block that counts most
LEAST_WINDOW = 24.0  # crop pixels across that a closer look shows at least


@dataclasses.dataclass(frozen=True)
class Look:
    """Where a lifter looks for one person, in N blocks.

    Attributes:
      image: the crop.
      joints2d_crop: the lifter's 2D joints, pixels of the crop.
      truth_crop: the true ones.
      points: sampling points, normalised by the crop.
      weights: what each of them counts.
      title: which sample it is: its video, a comma, and its frame.
    """

    image: UInt8[np.ndarray, 'H W 3']
    joints2d_crop: Float[np.ndarray, 'J 2']
    truth_crop: Float[np.ndarray, 'J 2']
    points: Float[np.ndarray, 'N L J M K 2']
    weights: Float[np.ndarray, 'N L J M K']
    title: str

    @property
    def worst_joint(self) -> int:
        """The joint whose 2D input is the farthest from its true place."""
        return int(np.linalg.norm(self.joints2d_crop - self.truth_crop, axis=-1).argmax())

    def pixels(self, joint: int) -> Float[np.ndarray, 'N L P 2']:
        """The P = M * K points of a joint, pixels of the crop."""
        size = np.array(self.image.shape[1::-1])
        points = (np.asarray(self.points[:, :, joint], np.float64) + 1) * size / 2
        return points.reshape(*points.shape[:2], -1, 2)


def every_block(look: Look, joint: int, skeleton: Skeleton, level_names: Sequence[str]) -> Figure:
    """One joint's sampling points in every block: the whole crop, and a closer look a level.

    Args:
      look: of one person.
      joint: which one.
      skeleton: the joints.
      level_names: title of each of the L levels.
    """
    levels = len(level_names)
    columns = 1 if levels == 1 else 2
    rows = -(-levels // columns)
    aspect = look.image.shape[1] / look.image.shape[0]
    title, legend, gap = 0.3, 0.3, 0.05
    inner = COLUMN_WIDTH - gap
    # The crop is as tall as the closer looks are together.
    line = 0.17
    side = (inner - aspect * rows * line) / (columns + aspect * rows) - gap
    block = rows * (side + line)
    height = title + block + legend
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)

        def place(left: float, top: float, width: float, tall: float) -> Axes:
            bottom = 1 - (top + tall) / height
            return figure.add_axes(
                (left / COLUMN_WIDTH, bottom, width / COLUMN_WIDTH, tall / height)
            )

        off = np.linalg.norm(look.joints2d_crop[joint] - look.truth_crop[joint])
        about = f'{skeleton.joints[joint].replace("_", " ")}, {off:.1f} px of the crop off'
        figure.text(
            gap / COLUMN_WIDTH,
            1 - 0.02 / height,
            words.cut(look.title, COLUMN_WIDTH - 2 * gap, words.SMALL),
            va='top',
            color=SOFT,
            fontsize=words.SMALL,
        )
        figure.text(gap / COLUMN_WIDTH, 1 - 0.145 / height, about, va='top', weight='bold')
        window = _window([look], joint)
        axes = place(gap, title + line, aspect * (block - line), block - line)
        _draw(axes, look, joint, range(levels), 0.6)
        axes.add_patch(_rectangle(*window))
        for level, name in enumerate(level_names):
            row, column = divmod(level, columns)
            left = gap + aspect * (block - line) + gap + column * (side + gap)
            axes = place(left, title + line + row * (side + line), side, side)
            _draw(axes, look, joint, [level], 1.0)
            _zoom(axes, *window)
            axes.set_title(name, pad=2, fontsize=7)
        _legend(figure, len(look.points))
    return figure


def over_frames(
    looks: Sequence[Look], joint: int, skeleton: Skeleton, titles: Sequence[str]
) -> Figure:
    """One joint's sampling points in consecutive frames of a video, all levels and blocks.

    Args:
      looks: of the same person, in the order of the frames.
      joint: which one.
      skeleton: the joints.
      titles: of the frames.
    """
    image = looks[0].image
    gap, title, legend = 0.04, 0.32, 0.3
    width = (COLUMN_WIDTH - gap) / len(looks) - gap
    tall = width * image.shape[0] / image.shape[1]
    height = title + tall + gap + width + legend
    size = max(_window([look], joint)[1] for look in looks)
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        video = looks[0].title.rpartition(', ')[0]
        about = f'{skeleton.joints[joint].replace("_", " ")}; {video}'
        about = words.cut(about, COLUMN_WIDTH - 2 * gap, words.SMALL)
        figure.text(gap / COLUMN_WIDTH, 1 - 0.02 / height, about, va='top', color=SOFT, fontsize=7)
        for number, (look, name) in enumerate(zip(looks, titles, strict=True)):
            left = (gap + number * (width + gap)) / COLUMN_WIDTH
            window = (_window([look], joint)[0], size)
            for top, high in ((title, tall), (title + tall + gap, width)):
                bottom = 1 - (top + high) / height
                axes = figure.add_axes((left, bottom, width / COLUMN_WIDTH, high / height))
                if high == tall and top == title:
                    _draw(axes, look, joint, range(look.points.shape[1]), 0.35)
                    axes.add_patch(_rectangle(*window))
                    axes.set_title(name, pad=2, fontsize=7)
                else:
                    _draw(axes, look, joint, range(look.points.shape[1]), 0.9)
                    _zoom(axes, *window)
        _legend(figure, len(looks[0].points))
    return figure


def colours(blocks: int) -> np.ndarray:
    """[N, 4] a colour for each block, from the first, dark, to the last, light."""
    return matplotlib.colormaps['plasma'](np.linspace(0.05, 0.85, blocks))


def sizes(blocks: int) -> np.ndarray:
    """[N] how wide each block's points are by those of the first one.

    Later blocks lie upon earlier ones and are smaller, so that points which coincide are all seen.
    """
    return 0.5 ** (np.arange(blocks) / max(blocks - 1, 1))


def _window(looks: Sequence[Look], joint: int) -> tuple[np.ndarray, float]:
    """Middle [2] and side of the square that holds the joint, the true one and all points."""
    places = [
        np.concatenate(
            [
                look.pixels(joint).reshape(-1, 2),
                look.joints2d_crop[joint, None],
                look.truth_crop[joint, None],
            ]
        )
        for look in looks
    ]
    everything = np.concatenate(places)
    low, high = everything.min(0), everything.max(0)
    side = max(1.15 * float((high - low).max()), LEAST_WINDOW)
    # A point far away would make all others a speck.
    return (low + high) / 2, min(side, float(looks[0].image.shape[1]))


def _rectangle(middle: np.ndarray, side: float) -> Rectangle:
    corner = tuple(middle - side / 2)
    return Rectangle(corner, side, side, fill=False, ec=WINDOW, lw=0.8, zorder=6)


def _zoom(axes: Axes, middle: np.ndarray, side: float) -> None:
    half = side / 2 * np.array([-1, 1])
    axes.set(xlim=middle[0] + half, ylim=middle[1] + half[::-1])
    axes.spines[:].set_visible(True)


def _draw(axes: Axes, look: Look, joint: int, levels: Sequence[int] | range, size: float) -> None:
    """The faded crop, the points of some levels by block, the joint and its true place."""
    faded = (0.55 * look.image.mean(axis=-1) + 0.45 * 255).astype(np.uint8)
    draw_crop(axes, faded)
    pixels = look.pixels(joint)
    for block, (colour, across) in enumerate(
        zip(colours(len(pixels)), sizes(len(pixels)), strict=True)
    ):
        for level in levels:
            share = np.asarray(look.weights[block, level, joint], np.float64).ravel()
            x, y = pixels[block, level].T
            area = size * (POINT * across) ** 2 * (0.6 + 0.4 * share / share.max())
            axes.scatter(x, y, area, color=[colour], linewidths=0, zorder=3)
    axes.plot(
        *look.truth_crop[joint], 'P', ms=6.5 * size**0.5, mfc=TRUE, mec='white', mew=0.6, zorder=5
    )
    axes.plot(
        *look.joints2d_crop[joint], 'o', ms=5.5 * size**0.5, mfc='none', mec='white', mew=2.0,
        zorder=5,
    )  # fmt: skip
    axes.plot(
        *look.joints2d_crop[joint], 'o', ms=5.5 * size**0.5, mfc='none', mec='black', mew=0.9,
        zorder=5,
    )  # fmt: skip


def _legend(figure: Figure, blocks: int) -> None:
    handles = [
        Line2D([], [], ls='', marker='o', mfc='none', mec='black', ms=4.5, label='detected'),
        Line2D([], [], ls='', marker='P', mfc=TRUE, mec='white', ms=6, label='true joint'),
    ]
    for block, (colour, across) in enumerate(zip(colours(blocks), sizes(blocks), strict=True)):
        point = Line2D([], [], ls='', marker='o', color=colour, ms=POINT * across, mew=0)
        point.set_label(f'block {block + 1}')
        handles.append(point)
    figure.legend(
        handles=handles, loc='lower center', ncols=min(len(handles), 4) if blocks > 3 else 5,
        handletextpad=0.1, columnspacing=0.8, borderaxespad=0.05, borderpad=0.1, labelspacing=0.2,
    )  # fmt: skip

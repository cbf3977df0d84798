"""What every figure is drawn with: colours, the crop, bones, a scale bar, the file.

Figures are made without a display and without pyplot's global state. Left, right and centre have
colours that all readers can tell apart (Okabe and Ito, 2008) and that differ in lightness too.
"""

from __future__ import annotations

import os
from typing import Any, cast

import numpy as np
from etils import epath
from matplotlib import colors, patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.offsetbox import DrawingArea

from capf_jax.pose.skeletons import Skeleton
from capf_jax.runtime import files

COLOURS = {'left': '#0072B2', 'right': '#D55E00', 'centre': '#3C3C3C'}
# Hues of people, which differ from those of left and right.
HUES = ('#009E73', '#B0468E', '#8F7A00', '#5E4FA2', '#A03030', '#00858F')
PAGE_WIDTH = 7.0  # inches, the text width of a two-column paper
COLUMN_WIDTH = 84 / 25.4  # inches, the width of one column
# Colour and marker of each of a few programs or curves, which differ in lightness too.
PROGRAMS = (('#0072B2', 'o'), ('#D55E00', 's'), ('#009E73', '^'), ('#CC79A7', 'D'))
DPI = 300
STYLE: dict[Any, Any] = {
    'font.family': 'sans-serif',
    'font.size': 7.5,
    'axes.titlesize': 7.5,
    'axes.linewidth': 0.6,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'xtick.major.width': 0.6,
    'ytick.major.width': 0.6,
    'legend.frameon': False,
    'pdf.fonttype': 42,
    'text.parse_math': False,  # names of files may have a dollar sign
}
WASH = 0.34  # strength of the ground truth's colours behind the prediction
SOFT = '#6A6A6A'  # captions and scale bars


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches; draw on it inside `matplotlib.rc_context(STYLE)`."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: str | os.PathLike, dpi: int = DPI, **options: Any) -> epath.Path:
    """Writes the figure (.png, .jpg, .pdf, .svg), whole or not at all; returns the path.

    Args:
      figure: one of `new_figure`.
      path: the file, as a user may write it; its folder is made.
      dpi: pixels an inch.
      options: further arguments of Matplotlib's `savefig`.
    """
    with files.whole(path) as temporary:
        figure.savefig(temporary, dpi=dpi, facecolor='white', **options)
    return epath.Path(path)


def save_both(figure: Figure, stem: files.AnyPath) -> list[epath.Path]:
    """Writes the figure as `stem` with .png and with .pdf; returns the paths."""
    return [save(figure, stem.with_name(f'{stem.name}.{end}')) for end in ('png', 'pdf')]


def side_of(skeleton: Skeleton, joint: int) -> str:
    """'left', 'right' or 'centre'."""
    name = skeleton.joints[joint]
    return next((side for side in ('left', 'right') if name.startswith(side + '_')), 'centre')


def hue(number: int) -> str:
    """The colour of the person with this number, wherever the person is drawn."""
    return HUES[number % len(HUES)]


def draw_crop(axes: Axes, image: np.ndarray) -> None:
    """The crop, the centre of its first pixel at (0, 0)."""
    height, width = image.shape[:2]
    axes.imshow(image, interpolation='bilinear', aspect='equal', cmap='gray', vmin=0, vmax=255)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def draw_bones(
    axes: Axes,
    joints: np.ndarray,
    skeleton: Skeleton,
    width: float,
    near: np.ndarray | None = None,
    casing: str | None = None,
    pale: bool = False,
    marker: float = 2.0,
) -> None:
    """A skeleton of joints [J, 2]; bones with larger `near` [J] cover the others."""
    near = np.zeros(len(joints)) if near is None else near
    outline: list[patheffects.AbstractPathEffect] = []
    if casing:
        stroke = patheffects.Stroke(linewidth=width + 1.0, foreground=casing)
        outline = [stroke, patheffects.Normal()]
    for parent, child in sorted(skeleton.bones, key=lambda bone: near[list(bone)].sum()):
        colour = COLOURS[side_of(skeleton, child)]
        (line,) = axes.plot(
            *joints[[parent, child]].T,
            color=pale_colour(colour) if pale else colour,
            lw=width,
            solid_capstyle='round',
            zorder=1 if pale else 2,
        )
        if outline:
            line.set_path_effects(outline)
        if marker:
            axes.plot(*joints[child], 'o', ms=marker, color=colour, mec='white', mew=0.3, zorder=2)


def pale_colour(colour: str) -> tuple[float, float, float]:
    """The colour as a wash on white; opaque, so that overlapping bones show no seams."""
    red, green, blue = (1 - WASH * (1 - share) for share in colors.to_rgb(colour))
    return red, green, blue


def scale_bar(axes: Axes, metres: float) -> Line2D:
    """A legend's entry: a bar as long as this length in the axes.

    The bar is in the legend, since in the axes a foot would sooner or later stand on it.
    """
    figure = cast(Figure, axes.figure)  # new_figure's, which has no subfigures
    inches = axes.get_position().width * figure.get_figwidth()
    points = 72 * metres * inches / np.ptp(axes.get_xlim())
    bar = Line2D([0, points], [3, 3], color=SOFT, lw=1.2, marker='|', ms=4, label=f'{metres:g} m')
    bar.set_solid_capstyle('butt')
    return bar


class ScaleBarHandler(HandlerBase):
    """Draws a legend's `scale_bar` in its own length."""

    def legend_artist(
        self, legend: Legend, bar: Line2D, fontsize: float, handlebox: DrawingArea
    ) -> Line2D:
        """The bar, in a box that is as long."""
        del legend, fontsize
        handlebox.width = float(np.asarray(bar.get_xdata())[-1])
        handlebox.add_artist(bar)
        return bar

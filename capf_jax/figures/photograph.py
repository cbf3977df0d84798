"""The figure of one photograph: its people with their 2D joints, and each pose from two sides.

The 3D views are orthographic, upright as the photograph, and have one scale for all people.
"""

from __future__ import annotations

import dataclasses
import os
import textwrap
import warnings
from collections.abc import Sequence

import matplotlib
import numpy as np
from etils import epath
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from capf_jax.figures import drawing
from capf_jax.figures.arrangement import EDGE, TITLE, WIDTH, Places, arrange
from capf_jax.figures.drawing import COLOURS, SOFT, STYLE, hue, new_figure
from capf_jax.figures.pose_views import FLOOR, SQUARE, VIEWS, VIEWS_IN_WORDS, draw_view, extent
from capf_jax.figures.sure_joints import as_sure, draw_joints, unsure_entry
from capf_jax.pose.skeletons import SURE, Skeleton

DPI = 200
MOST = 12  # people whose poses are drawn


@dataclasses.dataclass(frozen=True, eq=False)
class PersonInPhotograph:
    """One person to draw.

    Attributes:
      number: what is written beside the person.
      box: [4] x, y, width, height, pixels of the photograph.
      joints2d: [J2, 2] pixels of the photograph; those that are not finite are left out.
      confidence: [J2] 0 to 1.
      pose: [J, 3] metres, camera frame (x right, y down, z away); None where there is none.
      title: what to write above the pose, behind the number.
    """

    number: int
    box: Float[np.ndarray, ' 4']
    joints2d: Float[np.ndarray, 'J2 2']
    confidence: Float[np.ndarray, ' J2']
    pose: Float[np.ndarray, 'J 3'] | None
    title: str = ''

    @property
    def hue(self) -> str:
        """The colour of the person's box and number."""
        return hue(self.number)


def photograph_figure(
    image: UInt8[np.ndarray, 'H W 3'],
    people: Sequence[PersonInPhotograph],
    joints2d_skeleton: Skeleton,
    skeleton: Skeleton,
    caption: str = '',
) -> Figure:
    """The photograph, its people, and the poses of those with the `MOST` largest boxes.

    Args:
      image: RGB of any size.
      people: any number, also nobody.
      joints2d_skeleton: the joints of `joints2d`.
      skeleton: the joints of `pose`.
      caption: a sentence for the foot of the figure.
    """
    poses = [person for person in people if person.pose is not None]
    poses = sorted(poses, key=lambda person: -person.box[2] * person.box[3])[:MOST]
    poses = sorted(poses, key=lambda person: person.number)
    drawn = sum(person.pose is not None for person in people)
    if len(poses) < drawn:
        caption += f' The poses of the {MOST} largest of {drawn} people are drawn.'
    if poses:
        caption += f' {VIEWS_IN_WORDS}'
    if not people:
        caption = f'Nobody was seen. {caption}'
    shapes = [person.pose for person in poses if person.pose is not None]
    place = arrange(image.shape[1] / image.shape[0], len(poses), extent(shapes))
    lines = textwrap.wrap(caption.strip(), int(17.5 * WIDTH))
    legend = 0.22 if people else 0.0
    footer = legend + 0.14 * len(lines) + 0.06
    with matplotlib.rc_context(STYLE):
        figure = new_figure(WIDTH, place.height + footer)
        _draw_photograph(figure, place, image, people, joints2d_skeleton)
        for person, corner in zip(poses, place.corners(len(poses)), strict=True):
            sure = as_sure(skeleton, joints2d_skeleton, person.confidence)
            _draw_poses(figure, place, corner, person, skeleton, sure)
        if people:
            figure.legend(
                handles=_legend(bool(poses)), loc='lower center', ncols=7, columnspacing=1.6,
                bbox_to_anchor=(0.5, (footer - legend) / figure.get_figheight()),
                borderaxespad=0.0, handlelength=2.2,
            )  # fmt: skip
        figure.text(
            0.5, 0.05 / figure.get_figheight(), '\n'.join(lines),
            ha='center', va='bottom', color=SOFT, linespacing=1.2,
            parse_math=False,  # The names of files may hold dollars.
        )  # fmt: skip
    return figure


def save(figure: Figure, path: str | os.PathLike) -> epath.Path:
    """Writes the figure (.jpg, .png, .pdf), whole or not at all; returns the path."""
    options: dict[str, int] = {}
    if str(path).endswith(('.jpg', '.jpeg')):
        options = {'quality': 90, 'subsampling': 0}  # thin coloured lines must not blur
    elif str(path).endswith('.png'):
        options = {'compress_level': 4}  # half the time of the usual 6, and 4% larger
    with warnings.catch_warnings():
        # The names of files may hold letters that the font lacks.
        warnings.filterwarnings('ignore', message='Glyph .* missing from font')
        return drawing.save(figure, path, dpi=DPI, pil_kwargs=options)


def _add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the figure's left and upper edges."""
    across, down = figure.get_size_inches()
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def _draw_photograph(
    figure: Figure,
    place: Places,
    image: np.ndarray,
    people: Sequence[PersonInPhotograph],
    skeleton: Skeleton,
) -> None:
    """The photograph with boxes, numbers and 2D joints."""
    height, width = image.shape[:2]
    axes = _add_axes(figure, *place.photograph)
    pixels = round(DPI * place.photograph[2]), round(DPI * place.photograph[3])
    # Matplotlib would carry all pixels of a large photograph along, and is slow to enlarge a small.
    size = max(pixels[0], 1), max(pixels[1], 1)
    smooth = Image.Resampling.BOX if width > size[0] else Image.Resampling.BILINEAR
    image = np.asarray(Image.fromarray(image).resize(size, smooth, reducing_gap=2.0))
    edges = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(image, extent=edges, interpolation='nearest', aspect='auto')
    axes.set(xlim=edges[:2], ylim=edges[2:], xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    points = 72 * place.photograph[2] / width  # of print, a pixel
    people = [person for person in people if np.isfinite(person.box).all()]
    for person in sorted(people, key=lambda person: person.box[3]):  # The largest are in front.
        size = points * max(person.box[3], person.box[2])  # of the person, points
        left, top, across, down = person.box
        style = '-' if person.pose is not None else ':'
        axes.add_patch(
            Rectangle(
                (left - 0.5, top - 0.5), across, down, fill=False, ec=person.hue,
                lw=float(np.clip(0.006 * size, 0.6, 1.2)), ls=style, zorder=3,
            )
        )  # fmt: skip
        line = float(np.clip(0.011 * size, 0.5, 2.2))
        present = np.asarray(np.isfinite(person.joints2d).all(axis=-1))
        sure = np.asarray(person.confidence) >= SURE
        draw_joints(axes, person.joints2d, skeleton, line, sure, present=present)
    for person in people:
        _number(axes, person, (max(person.box[0], 0), max(person.box[1], 0)))


def _number(axes: Axes, person: PersonInPhotograph, corner: tuple[float, float]) -> None:
    """The person's number in its hue, at the upper left corner of its box."""
    axes.annotate(
        f'{person.number}', corner, xytext=(0, 0), textcoords='offset points', color='white',
        weight='bold', fontsize=7, ha='left', va='top', zorder=6, annotation_clip=True,
        bbox={'boxstyle': 'square,pad=0.2', 'fc': person.hue, 'ec': 'none'},
    )  # fmt: skip


def _draw_poses(
    figure: Figure,
    place: Places,
    corner: tuple[float, float],
    person: PersonInPhotograph,
    skeleton: Skeleton,
    sure: np.ndarray,
) -> None:
    """The number and both views of one person."""
    assert person.pose is not None
    left, top = corner[0] + EDGE, corner[1] + TITLE
    width, height = place.view
    for i, turn in enumerate(VIEWS):
        right, below = (0, i * height) if place.is_stacked else (i * width, 0)
        axes = _add_axes(figure, left + right, top + below, width, height)
        draw_view(axes, person.pose, skeleton, sure, turn, place.view, place.scale)
        if i == 0:
            label = axes.annotate(
                f'{person.number}', (0, 1), xycoords='axes fraction', xytext=(2, 3),
                textcoords='offset points', color='white', weight='bold', fontsize=7,
                ha='left', va='bottom',
                bbox={'boxstyle': 'square,pad=0.2', 'fc': person.hue, 'ec': 'none'},
            )  # fmt: skip
            axes.annotate(
                person.title, (1, 0), xycoords=label, xytext=(5, 0), textcoords='offset points',
                color=SOFT, va='bottom',
            )  # fmt: skip


def _legend(with_poses: bool) -> list[Line2D]:
    """Sides, what is not sure, and the floor."""
    sides = [Line2D([], [], color=COLOURS[s], lw=2, label=s) for s in ('left', 'right', 'centre')]
    floor = Line2D([], [], color=FLOOR, lw=1, label=f'squares of {SQUARE:g} m')
    return [*sides, unsure_entry(), *([floor] if with_poses else [])]

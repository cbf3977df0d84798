"""How a figure shares its paper out between a photograph and the poses of its people."""

from __future__ import annotations

import dataclasses

import numpy as np

WIDTH = 8.0  # inches of the figure
TALLEST = 6.0  # inches of the photograph
NARROWEST = 1.1  # inches of one person, so that the title has room
EDGE, TITLE = 0.08, 0.22  # inches around a part of the figure, and of the line above a person


@dataclasses.dataclass(frozen=True)
class Places:
    """Where the parts of the figure lie; inches from its left and upper edges.

    Attributes:
      height: of all parts.
      photograph: left, top, width and height.
      left, top: where the poses begin.
      columns: people side by side.
      view: width and height of one view of a pose.
      is_stacked: whether the second view of a person is below the first, and not at its right.
      scale: inches a metre.
    """

    height: float
    photograph: tuple[float, float, float, float]
    left: float
    top: float
    columns: int
    view: tuple[float, float]
    is_stacked: bool
    scale: float

    def corners(self, number: int) -> list[tuple[float, float]]:
        """Left and top of the places of so many people."""
        width, height = cell(self.view, self.is_stacked)
        return [
            (self.left + n % self.columns * width, self.top + n // self.columns * height)
            for n in range(number)
        ]


def cell(view: tuple[float, float], is_stacked: bool) -> tuple[float, float]:
    """Width and height of one person's place: a title, two views and an edge, inches."""
    across, down = (1, 2) if is_stacked else (2, 1)
    return across * view[0] + 2 * EDGE, TITLE + down * view[1] + EDGE


def arrange(aspect: float, number: int, extent: np.ndarray) -> Places:
    """Shares the paper out between the photograph and the poses.

    Among many arrangements with the photograph at the left or above, it takes the one where
    photograph and poses are large on little paper.

    Args:
      aspect: width by height of the photograph.
      number: people with poses.
      extent: [2] metres that each view must hold across and down.
    """
    choices = [
        choice
        for share in np.arange(0.2, 1.01, 0.05)
        for columns in range(1, number + 1)
        for is_stacked in (False, True)
        for is_beside in (False, True)
        if (choice := _arrangement(aspect, number, extent, share, columns, is_stacked, is_beside))
    ]
    if choices:
        return max(choices, key=lambda choice: choice[0])[1]
    width = min(WIDTH - 2 * EDGE, TALLEST * aspect)
    height, left = width / aspect, (WIDTH - width) / 2
    return Places(height + 2 * EDGE, (left, EDGE, width, height), 0, 0, 1, (0, 0), False, 1)


def _arrangement(
    aspect: float,
    number: int,
    extent: np.ndarray,
    share: float,
    columns: int,
    is_stacked: bool,
    is_beside: bool,
) -> tuple[float, Places] | None:
    """How good one arrangement is, and what it is; None where it does not fit.

    `share` is the width of the photograph by that of the figure; see `arrange` for the others.
    """
    width = min(share * WIDTH - 2 * EDGE, TALLEST * aspect)
    height = max(width / aspect, 0.2)
    room = WIDTH - (width + 3 * EDGE if is_beside else 2 * EDGE)
    across = (room / columns - 2 * EDGE) / (1 if is_stacked else 2)
    if across < 0.4 or room / columns < NARROWEST:
        return None
    rows = -(-number // columns)
    edges = cell((0, 0), is_stacked)[1] * rows
    # Poses that stand beside the photograph are no taller than it, if it is not very flat.
    tallest = max(height, 2.5) if is_beside else TALLEST
    scale = min(across / extent[0], (tallest - edges) / (2 if is_stacked else 1) / rows / extent[1])
    if scale <= 0:
        return None
    view = across, scale * extent[1]
    block = rows * cell(view, is_stacked)[1]
    total = 2 * EDGE + (max(height, block) if is_beside else height + block)
    poses = number * 2 * scale**2 * extent.prod()  # square inches
    value = width * height * poses / (WIDTH * total) ** 2 / max(total, 4.5 + number / 2)
    return value, Places(
        total,
        (
            EDGE if is_beside else (WIDTH - width) / 2,
            EDGE + max(0, (block - height) / 2 if is_beside else 0),
            width,
            height,
        ),
        width + 2 * EDGE if is_beside else EDGE,
        EDGE + (max(0, (height - block) / 2) if is_beside else height),
        columns,
        view,
        is_stacked,
        scale,
    )

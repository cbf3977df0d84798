"""The figure of attention between joints: from which joints each joint takes."""

from __future__ import annotations

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from capf_jax.figures import words
from capf_jax.figures.drawing import COLUMN_WIDTH, STYLE, new_figure
from capf_jax.pose.skeletons import Skeleton


def joint_attention(
    attention: Float[np.ndarray, 'J J'], skeleton: Skeleton, caption: str = ''
) -> Figure:
    """A square of J x J shares, a row for each joint that takes.

    The colours begin at an equal share, which is white: what has learnt nothing has no colour.

    Args:
      attention: shares of attention; every row sums to one.
      skeleton: names of the joints.
      caption: what the shares are the mean of.
    """
    names = [name.replace('left_', 'l. ').replace('right_', 'r. ') for name in skeleton.joints]
    left, below, bar = 0.8, 0.3, 0.58
    equal = 100 / len(names)  # percent
    side = COLUMN_WIDTH - left - bar
    top = 0.8
    height = below + side + top
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        box = (left / COLUMN_WIDTH, below / height, side / COLUMN_WIDTH, side / height)
        axes = figure.add_axes(box)
        shares = 100 * attention
        norm = TwoSlopeNorm(equal, 0, max(2 * equal, float(shares.max())))
        image = axes.imshow(shares, cmap='PuOr_r', norm=norm)
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set_ylabel('joint', labelpad=1)
        axes.set_title('takes from', fontsize=7.5, pad=2)
        axes.tick_params(
            top=True, labeltop=True, bottom=False, labelbottom=False, length=1.5, pad=1
        )
        axes.spines[:].set_visible(True)
        width = 0.08 / COLUMN_WIDTH
        scale = figure.add_axes((1 - 0.52 / COLUMN_WIDTH, below / height, width, side / height))
        figure.colorbar(image, cax=scale).set_label('share [%]', labelpad=1)
        ticks = [*np.linspace(0, equal, 4)[:-1], *np.linspace(equal, norm.vmax or 0, 4)]
        scale.set_yticks(ticks, [f'{tick:.1f}' for tick in ticks])
        scale.axhline(equal, color='black', lw=1.0)
        scale.tick_params(length=1.5, pad=1)
        notes = [caption] * bool(caption)
        notes += [f'Rows sum to 100 %; the line marks an equal share, {equal:.1f} %.']
        words.caption(figure, notes, 0.06)
    return figure

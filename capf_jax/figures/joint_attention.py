"""The figure of attention between joints: from which joints each joint takes."""

from __future__ import annotations

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from capf_jax.figures.drawing import COLUMN_WIDTH, SOFT, STYLE, new_figure
from capf_jax.pose.skeletons import Skeleton


def joint_attention(
    attention: Float[np.ndarray, 'J J'], skeleton: Skeleton, caption: str = ''
) -> Figure:
    """A square of J x J shares, a row for each joint that takes.

    Args:
      attention: shares of attention; every row sums to one.
      skeleton: names of the joints.
      caption: what the shares are the mean of.
    """
    names = [name.replace('left_', 'l. ').replace('right_', 'r. ') for name in skeleton.joints]
    left, below, bar = 0.8, 0.2, 0.42
    side = COLUMN_WIDTH - left - bar
    top = 0.8
    height = below + side + top
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        box = (left / COLUMN_WIDTH, below / height, side / COLUMN_WIDTH, side / height)
        axes = figure.add_axes(box)
        image = axes.imshow(100 * attention, cmap='magma_r', vmin=0)
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set_ylabel('joint', labelpad=1)
        axes.set_title('takes from', fontsize=7.5, pad=2)
        axes.tick_params(
            top=True, labeltop=True, bottom=False, labelbottom=False, length=1.5, pad=1
        )
        axes.spines[:].set_visible(True)
        width = 0.08 / COLUMN_WIDTH
        scale = figure.add_axes((1 - 0.36 / COLUMN_WIDTH, below / height, width, side / height))
        figure.colorbar(image, cax=scale).set_label('share [%]', labelpad=1)
        scale.tick_params(length=1.5, pad=1)
        figure.text(0.02, 0.03 / height, caption, color=SOFT, va='bottom', fontsize=7)
    return figure

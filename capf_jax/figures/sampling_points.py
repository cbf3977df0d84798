"""The figure of sampling points: where deformable attention looks in the maps."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from capf_jax.figures.drawing import COLOURS, STYLE, draw_crop, new_figure, side_of
from capf_jax.pose.skeletons import Skeleton


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
    # The crop is grey and faded, so that only the points have colour.
    faded = (0.6 * image.mean(axis=-1) + 0.4 * 255).astype(np.uint8)
    panel, title, legend = 1.75, 0.2, 0.24  # inches
    panel_height = panel * 0.96 * height / width
    total = np.array([panel * levels, panel_height + title + legend])
    with matplotlib.rc_context(STYLE):
        figure = new_figure(*total)
        for level in range(levels):
            box = np.array([(level + 0.02) * panel, legend, 0.96 * panel, panel_height])
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

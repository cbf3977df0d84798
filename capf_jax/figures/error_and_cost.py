"""The figure of error against frames and against cost (paper, Fig. 2), of published scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from capf_jax.figures import words
from capf_jax.figures.drawing import COLUMN_WIDTH, STYLE, new_figure
from capf_jax.figures.published_results import RESULTS, Published

CONTEXT, WITHOUT = '#D55E00', '#5A6B7B'  # with the detector's maps, and from joints alone
NEAR = 10  # points; a thin line leads to a name that stands farther away
# Where each name stands beside its point: horizontal and vertical shift, points, and its side.
_FRAMES = {
    'CA-PF, HRNet-48': (5, 1, 'left'),
    'CA-PF, HRNet-32': (5, -2, 'left'),
    'CA-PF, CPN': (5, 6, 'left'),
    'PandaPose': (5, -7, 'left'),
    'GraphMLP': (5, 0, 'left'),
    'MHFormer': (5, -1, 'left'),
    'P-STMO': (-5, 0, 'right'),
    'PoseFormerV2': (5, 2, 'left'),
    'GLA-GCN': (5, -1, 'left'),
    'MixSTE': (5, 0, 'left'),
    'MotionBERT': (5, 2, 'left'),
    'MotionAGFormer-L': (-5, 0, 'right'),
    'SSR-STF': (5, 0, 'left'),
    'CA-PF-S': (0, 8, 'centre'),
    'PoseFormer': (2, 9, 'centre'),
}
_COST = {
    'CA-PF, HRNet-48': (-5, 1, 'right'),
    'CA-PF, HRNet-32': (-5, -1, 'right'),
    'CA-PF, CPN': (-5, 5, 'right'),
    'MHFormer': (0, 7, 'centre'),
    'P-STMO': (5, 1, 'left'),
    'PoseFormerV2': (11, 17, 'left'),
    'GLA-GCN': (0, 7, 'centre'),
    'MixSTE': (21, 2.5, 'left'),
    'MotionBERT': (5, -2, 'left'),
    'MotionAGFormer-L': (-5, -3, 'right'),
    'CA-PF-S': (-45, 10, 'centre'),
    'PoseFormer': (4, 8, 'centre'),
}


def error_and_cost(results: Sequence[Published] = RESULTS) -> Figure:
    """Two panels, one above the other: error over the frames that go in, and over the cost.

    Every score is quoted, and the figure says so; a method with several scores is a line.
    """
    sentences = (
        "Human3.6M, detected 2D joints. All scores are quoted, none is this repository's. "
        + _costs_in_words(results)
        + ' figures/published_results.py has the sources.'
    )
    lines = words.wrapped(sentences, COLUMN_WIDTH - 0.12, words.SMALL)
    footer = 0.48 + 0.125 * len(lines)
    height = 3.65 + footer
    with matplotlib.rc_context(STYLE):
        figure = new_figure(COLUMN_WIDTH, height)
        above = figure.add_axes((0.12, (footer + 1.78) / height, 0.86, 1.63 / height))
        below = figure.add_axes((0.12, footer / height, 0.86, 1.35 / height))
        _draw(above, results, lambda result: result.frames, _FRAMES)
        above.set(xlabel='frames that go in', xscale='log', xlim=(0.8, 2700), ylim=(36, 54.5))
        above.set_xticks([1, 3, 9, 27, 81, 243], ['1', '3', '9', '27', '81', '243'])
        _draw(below, results, lambda result: result.gflops, _COST)
        below.set(
            xlabel='GFLOPs of the lifter for one predicted frame', xscale='log',
            xlim=(0.0135, 32), ylim=(36, 54.5),
        )  # fmt: skip
        below.set_xticks([0.03, 0.1, 0.3, 1, 3, 10], ['0.03', '0.1', '0.3', '1', '3', '10'])
        for axes in (above, below):
            axes.minorticks_off()
            axes.set_ylabel('MPJPE [mm], quoted')
            axes.grid(color='#EAEAEA', lw=0.5)
            axes.set_axisbelow(True)
        entries = [
            Line2D([], [], ls='', marker='*', ms=7, color=CONTEXT, label='joints and context'),
            Line2D([], [], ls='', marker='o', ms=4, color=WITHOUT, label='joints alone'),
        ]
        figure.legend(
            handles=entries, loc='upper center', ncols=2, bbox_to_anchor=(0.55, 1.0),
            borderaxespad=0.1, handletextpad=0.2,
        )  # fmt: skip
        words.caption(figure, lines, 0.06)
    return figure


def _costs_in_words(results: Sequence[Published]) -> str:
    """Which costs are counted by this repository, and which are quoted."""
    with_cost = [result for result in results if result.gflops is not None]
    # 'CA-PF, CPN' is a form of CA-PF.
    counted = list(
        dict.fromkeys(r.method.partition(',')[0] for r in with_cost if r.is_cost_counted)
    )
    if not counted:
        return 'All costs are quoted.'
    listed = ' and '.join([', '.join(counted[:-1])] * (len(counted) > 1) + counted[-1:])
    return f'The costs of {listed} are counted here, those of the others are quoted.'


def _draw(
    axes: Axes,
    results: Sequence[Published],
    place: Callable[[Published], float | None],
    names: Mapping[str, tuple[float, float, str]],
) -> None:
    """One panel: a marker a score, a line through the scores of one method, and its name."""
    methods: dict[str, list[tuple[float, Published]]] = {}
    for result in results:
        x = place(result)
        if x is not None:
            methods.setdefault(result.method, []).append((x, result))
    for method, scores in methods.items():
        colour = CONTEXT if scores[0][1].has_context else WITHOUT
        marker, size = ('*', 6.5) if scores[0][1].has_context else ('o', 3.6)
        xs, errors = [x for x, _ in scores], [score.mpjpe for _, score in scores]
        axes.plot(
            xs, errors, color=colour, marker=marker, ms=size, mec='white', mew=0.3, lw=0.9, zorder=3
        )
        across, up, side = names.get(method, (5, 0, 'left'))
        leader = {'arrowstyle': '-', 'lw': 0.5, 'color': colour, 'shrinkA': 0, 'shrinkB': 2}
        # The name of a line stands beside its middle, or at its last score.
        last = len(xs) // 2 if side == 'centre' else -1
        axes.annotate(
            method, (xs[last], errors[last]), xytext=(across, up), textcoords='offset points',
            ha=side.replace('centre', 'center'), va='center', color=colour, fontsize=7, zorder=4,
            arrowprops=leader if side != 'centre' and abs(across) > NEAR else None,
        )  # fmt: skip

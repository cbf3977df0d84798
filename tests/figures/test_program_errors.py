"""Figures of several programs: every program, row and frame is there, with its number."""

import numpy as np
import pytest

from capf_jax.figures import error_and_cost, joint_attention, program_errors, side_by_side
from capf_jax.figures.drawing import COLUMN_WIDTH
from capf_jax.figures.published_results import RESULTS
from capf_jax.pose.skeletons import H36M17

NAMES = ('ours', 'theirs')


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, 'get_text'))]


def sizes(figure):
    return {text.get_fontsize() for text in figure.findobj(lambda a: hasattr(a, 'get_fontsize'))}


def test_marked_frames_are_named_with_every_programs_error():
    errors = np.stack([np.arange(40.0), np.full(40, 20.0)])
    figure = program_errors.error_by_frame(NAMES, np.arange(100, 140), errors, [5, 39], 'S9')
    assert 'frame 105: ours 5, theirs 20 mm' in texts(figure)
    assert 'frame 139: ours 39, theirs 20 mm' in texts(figure)


def test_rows_stand_in_their_order_from_the_top():
    rows = {'pelvis': np.array([1.0, 2.0]), 'head': np.array([30.0, 40.0])}
    axes = program_errors.errors_by_row(NAMES, rows).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ['pelvis', 'head']
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_bars_of_frames_won_fill_each_row():
    rows = {'Walking': np.array([0.25, 0.75]), 'all': np.array([0.6, 0.4])}
    bars = program_errors.wins_by_row(NAMES, rows).axes[0].patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(200)


@pytest.mark.parametrize(('programs', 'channels'), [(2, 3), (4, 0)])
def test_a_sample_has_a_view_for_each_program_and_its_picture_if_there_is_one(programs, channels):
    random = np.random.default_rng(0)
    target = random.normal(0, 0.3, (17, 3))
    predictions = target + 0.01 * np.arange(programs)[:, None, None] * np.array([0, 1, 0])
    image = np.zeros((64, 48, channels), np.uint8)
    sample = side_by_side.Sample(image, random.uniform(0, 48, (17, 2)), target, predictions, 'S9')
    names = [f'program {n}' for n in range(programs)]
    figure = side_by_side.side_by_side([sample], names, H36M17, 'chosen so')
    assert len(figure.axes) == programs + bool(channels)
    assert {f'{10 * n} mm' for n in range(programs)} <= {*texts(figure)}


def test_attention_has_a_name_for_every_row_and_column():
    axes = joint_attention.joint_attention(np.eye(17), H36M17).axes[0]
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert (len(names), names[-1]) == (17, 'r. wrist')
    assert [label.get_text() for label in axes.get_yticklabels()] == names


def test_published_scores_are_all_drawn_quoted_and_sourced():
    figure = error_and_cost.error_and_cost()
    methods = {result.method for result in RESULTS}
    assert methods <= {*texts(figure)}
    assert any('All scores are quoted' in text for text in texts(figure))
    assert all(result.source for result in RESULTS)
    points = sum(len(line.get_xdata()) for line in figure.axes[0].lines)
    assert points == len(RESULTS)


def test_figures_fit_a_papers_column():
    figure = error_and_cost.error_and_cost()
    assert figure.get_figwidth() == pytest.approx(COLUMN_WIDTH)
    assert min(sizes(figure)) >= 7

"""Words in figures: long names are cut, broken and put in rows, and nothing lies upon another."""

import numpy as np
import pytest
from matplotlib.text import Text

from capf_jax.figures import error_and_cost, joint_attention, program_errors, side_by_side, words
from capf_jax.figures.drawing import COLUMN_WIDTH
from capf_jax.pose.skeletons import H36M17

NAMES = (
    'CA-PF-S_27_frames_of_seed',
    'PoseFormer_with_27_frames',
    '_WWWWWWWWWWWWWWWWWWWWWWWW',
    'a name of 25 letters $x$.',
)


def by_frame():
    errors = 50 + np.arange(4)[:, None] + np.zeros(2000)
    title = 'a_subject_with_a_name, an action 12345, camera that_has_a_name_too'
    return program_errors.error_by_frame(NAMES, np.arange(2000), errors, [0, 12, 30, 1999], title)


def by_row():
    rows = {f'an action with a long name, {n}': np.full(4, 5.0 + n) for n in range(3)}
    return program_errors.errors_by_row(NAMES, rows)


def won():
    return program_errors.wins_by_row(NAMES, {'all': np.full(4, 0.25), 'Walking': np.eye(4)[0]})


def beside():
    pose = np.random.default_rng(0).normal(0, 0.3, (17, 3))
    image, joints = np.zeros((64, 48, 3), np.uint8), np.full((17, 2), 24.0)
    samples = [
        side_by_side.Sample(image, joints, pose, np.stack([pose] * 4), 'a long title ' * number)
        for number in (2, 8)
    ]
    return side_by_side.side_by_side(samples, NAMES, H36M17, 'Chosen so that it is long. ' * 4)


def attention():
    return joint_attention.joint_attention(np.full((17, 17), 1 / 17), H36M17, 'Mean.')


@pytest.mark.parametrize(
    'draw', [by_frame, by_row, won, beside, attention, error_and_cost.error_and_cost]
)
def test_all_words_are_inside_and_none_lies_upon_another(draw, monkeypatch):
    figure, drawn, plain = draw(), [], Text.draw

    def record(text, renderer):
        plain(text, renderer)
        if text.get_text().strip() and text.get_visible():
            drawn.append((text.get_text(), Text.get_window_extent(text, renderer)))

    monkeypatch.setattr(Text, 'draw', record)
    figure.canvas.draw()
    page = figure.bbox
    outside = [word for word, box in drawn if not (
        page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
    )]  # fmt: skip
    upon = [
        (word, other)
        for place, (word, box) in enumerate(drawn)
        for other, its_box in drawn[:place]
        # Letters reach less far up and down than the box of their line.
        if min(box.x1, its_box.x1) - max(box.x0, its_box.x0) > 1
        and min(box.y1, its_box.y1) - max(box.y0, its_box.y0) > 2
    ]
    assert drawn
    assert (outside, upon) == ([], [])


def test_every_program_is_in_the_legend_one_that_begins_with_an_underscore_too():
    (legend,) = by_row().legends
    assert [text.get_text().strip() for text in legend.get_texts()] == list(NAMES)


def test_short_names_stand_in_one_row():
    assert words.legend_rows(['ours', 'theirs', 'a', 'b'], COLUMN_WIDTH) == 1


def test_a_name_that_is_too_wide_keeps_both_ends():
    short = words.cut('first_' + 'x' * 100 + '_last', 1.0)
    assert words.width(short) <= 1.0
    assert short.startswith('first')
    assert short.endswith('last')


def test_lines_are_broken_at_spaces_then_inside_words():
    lines = words.wrapped('some words and a_word_that_is_wider_than_a_line', 0.9)
    assert max(map(words.width, lines)) <= 0.9
    assert lines[0] == 'some words and'
    assert ''.join(lines[1:]) == 'a_word_that_is_wider_than_a_line'
    assert lines[1].endswith('_')

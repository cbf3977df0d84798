"""How `python -m tests.breaking` judges the end of a command."""

import pytest

from tests.breaking.runner import CLEAN, EITHER, HANG, REFUSED, TRACEBACK, WORKS, WRONG, Case, judge

TRACE = 'Traceback (most recent call last):\n  File "x.py"\nKeyError: 3\n'


@pytest.mark.parametrize(
    ('expected', 'code', 'text', 'verdict'),
    [
        (REFUSED, 2, 'error: x is 3; give 4\n', CLEAN),
        (REFUSED, 2, 'error: y is 3; give 4\n', WRONG),
        (REFUSED, 0, 'done\n', WRONG),
        (REFUSED, None, '', HANG),
        (REFUSED, 1, TRACE, TRACEBACK),
        (REFUSED, -6, 'Aborted\n', TRACEBACK),
        (WORKS, 0, 'done\n', CLEAN),
        (WORKS, 0, TRACE, TRACEBACK),
        (WORKS, 2, 'error: x is 3\n', WRONG),
        (EITHER, 0, 'done\n', CLEAN),
        (EITHER, 2, 'error: no device\n', CLEAN),
    ],
)
def test_an_ending_is_judged_by_code_and_words(expected, code, text, verdict):
    case = Case('kind', 'name', 'train', (), expected, 'x is' if expected == REFUSED else '')
    assert judge(case, code, text) == verdict

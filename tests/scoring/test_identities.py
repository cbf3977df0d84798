"""IDF1 of small cases that can be counted by hand."""

import pytest

from capf_jax.scoring.identities import idf1


@pytest.mark.parametrize(
    ('pairs', 'expected'),
    [
        ([], 1.0),
        ([(0, 5), (0, 5), (1, 3)], 1.0),
        ([(0, 5), (0, 5), (0, 6), (0, 6)], 0.5),  # one person, whose number changes half way
        ([(0, 5), (0, None), (None, 5)], 0.5),  # missed once, and seen once where nobody is
        ([(0, 1), (1, 2), (0, 2), (1, 1)], 0.5),  # two who swap their numbers
    ],
)
def test_sightings_are_counted(pairs, expected):
    assert idf1(pairs) == pytest.approx(expected)

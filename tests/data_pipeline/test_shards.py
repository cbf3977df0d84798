"""Files hold every example of a split once, in order."""

import pytest

from data_pipeline import shards


@pytest.mark.parametrize(
    ('count', 'size', 'lengths'),
    [(6, 3, [3, 3]), (7, 3, [3, 3, 1]), (2, 5, [2]), (9, 3, [3, 3, 1])],
)
def test_every_example_is_in_one_file_in_order(count, size, lengths):
    """There may be fewer examples than were counted."""
    examples = [(number, {}) for number in range(sum(lengths))]
    files = [list(file()) for file in shards.cut(iter(examples), count, size)]
    assert [len(file) for file in files] == lengths
    assert [example for file in files for example in file] == examples

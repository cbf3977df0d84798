"""Parts become files that hold every record once, in order."""

import pytest

from data_pipeline import records
from data_pipeline.building import parts
from tests.data_pipeline import tiny_people

FEATURES = records.features(17, *reversed(tiny_people.CROP))


@pytest.mark.parametrize(
    ('sizes', 'size', 'lengths'),
    [([3, 3], 3, [3, 3]), ([3, 4], 3, [3, 3, 1]), ([1, 1], 5, [2]), ([0, 4, 0, 2], 4, [4, 2])],
)
def test_every_record_is_in_one_file_in_order(tmp_path, sizes, size, lengths):
    people = iter([tiny_people.person(number) for number in range(sum(sizes))])
    written = []
    for number, count in enumerate(sizes):
        written.append(tmp_path / f'{number}.part')
        assert parts.write(written[-1], [next(people) for _ in range(count)], FEATURES) == count
    files = [tmp_path / f'{number}.file' for number in range(len(lengths))]
    assert parts.join(written, files, size) == lengths
    assert [parts.count(file) for file in files] == lengths
    stored = [record for part in written for record in parts._read(part)]
    assert [record for file in files for record in parts._read(file)] == stored

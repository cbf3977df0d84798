"""Which recording is which trial: from Human3.6M's table, or from the lengths."""

import pytest

from data_pipeline.datasets.human36m import trials

ROWS = [
    ('', '', 'S1', 'S9'),
    ('1', '1', '_ALL 1', '_ALL 1'),
    ('2', '1', 'Directions 1', 'Directions'),
    ('2', '2', 'Directions', 'Directions 1'),
    ('12', '1', 'TakingPhoto 1', 'Photo 1'),
    ('17', '1', 'calib', 'calib'),
]


def write_metadata(path, rows=ROWS):
    cells = ''.join(f'<tr>{"".join(f"<td>{cell}</td>" for cell in row)}</tr>' for row in rows)
    path.write_text(f'<metadata><mapping>{cells}</mapping></metadata>')
    return path


def test_metadata_names_the_trials_of_each_subject(tmp_path):
    assert trials.from_metadata(write_metadata(tmp_path / 'metadata.xml')) == {
        ('S1', 'Directions 1'): 1,
        ('S9', 'Directions'): 1,
        ('S1', 'Directions'): 2,
        ('S9', 'Directions 1'): 2,
        ('S1', 'TakingPhoto 1'): 1,
        ('S9', 'TakingPhoto 1'): 1,
    }


@pytest.mark.parametrize('content', ['<metadata/>', 'text', '<m><mapping><tr/></mapping></m>'])
def test_another_metadata_file_is_refused(tmp_path, content):
    path = tmp_path / 'metadata.xml'
    path.write_text(content)
    with pytest.raises(ValueError, match=r'is not the metadata\.xml of Human3\.6M'):
        trials.from_metadata(path)


def lengths(**names):
    return {name.replace('_', ' '): {'54138969': n, '55011271': n} for name, n in names.items()}


def pictures(*numbers):
    return {trial: {'54138969': n, '55011271': n} for trial, n in enumerate(numbers, 1) if n}


@pytest.mark.parametrize(
    ('recordings', 'folders', 'expected'),
    [
        (lengths(Eating=1000, Eating_2=2000), pictures(2003, 1001), {'Eating': 2, 'Eating 2': 1}),
        (lengths(Eating=1000, Eating_2=2000), pictures(1001, 2003), {'Eating': 1, 'Eating 2': 2}),
        (lengths(Eating=1000, Eating_2=2000), pictures(0, 2000), {'Eating 2': 2}),
        (lengths(Eating=1000), pictures(2000, 1002), {'Eating': 2}),
        (lengths(Eating=1000), pictures(1004), {'Eating': 1}),
        (lengths(Eating=1000), pictures(2000), None),
        (lengths(Eating=1000, Eating_2=1000), pictures(1000, 1000), None),
        (lengths(Eating=1000, Eating_2=1001), pictures(1010, 1011), None),
        ({}, pictures(5, 6), None),
    ],
)
def test_lengths_tell_the_trials_where_they_can(recordings, folders, expected):
    assert trials.by_length(recordings, folders) == expected


def test_names_of_other_programs_are_the_raw_ones():
    assert trials.canonical('Photo 1') == 'TakingPhoto 1'
    assert trials.canonical('WalkDog') == 'WalkingDog'
    assert trials.canonical('Dancing 1') == ''

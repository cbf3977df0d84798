"""The annotation file of own data is read, or every mistake in its form is listed."""

import pytest

from data_pipeline.datasets.own_data import annotations
from data_pipeline.datasets.own_data.annotations import AnnotationError, Problem


def problems_of(folder):
    folder.path.mkdir(exist_ok=True)
    folder.write_annotations()
    return annotations.read(folder.path)[1]


def test_faultless_file_is_read_whole(folder):
    folder.path.mkdir()
    folder.write_annotations()
    content, problems = annotations.read(folder.path)
    assert problems == []
    assert [entry.medium for entry in content.entries[2:5]] == [
        'images/2.png',
        'images/3.png',
        'videos/walk.mp4',
    ]
    assert content.entries[5].frame == 2
    assert content.entries[0].confidence.tolist() == [1.0] * 17


def spoil(**fields):
    return lambda content: content['entries'][1].update(fields)


def drop(name):
    return lambda content: content['entries'][1].pop(name)


def in_camera(**fields):
    return lambda content: content['cameras']['left'].update(fields)


@pytest.mark.parametrize(
    ('spoiling', 'message'),
    [
        (spoil(joint2d=[]), "no field 'joint2d', the nearest is 'joints2d'"),
        (spoil(joints3d=[[0, 0, 1]] * 16), r"'joints3d' has shape \[16, 3\] where \[17, 3\]"),
        (spoil(joints2d=[[1, 2]] * 16 + [[float('nan'), 2]]), r"'joints2d' has NaN.* row \[16\]"),
        (spoil(joints2d=[[1, None]] * 17), "'joints2d' has NaN, null or infinite"),
        (spoil(joints2d=[[1, 2]] * 16 + [[1]]), "'joints2d' holds lists of unequal lengths"),
        (spoil(confidence=[1.0] * 3), r"'confidence' has shape \[3\]"),
        (spoil(camera='right'), "there is no 'right' under 'cameras', which has: left"),
        (spoil(camera=['left']), r"there is no \['left'\] under 'cameras'"),
        (spoil(video='a.mp4', frame=0), "either 'image' or 'video'"),
        (spoil(split='val'), "'split' must be train or test, is 'val'"),
        (spoil(subject=3), "'subject' must be a text, is 3"),
        (spoil(frame=-1), "'frame' must be a number from 0, is -1"),
        (drop('joints3d'), "'joints3d' is missing"),
        (drop('image'), "either 'image' or 'video'"),
        (in_camera(fx=-1), 'needs the numbers fx, fy, cx, cy'),
        (in_camera(distortion=[1, 2]), "'distortion' must be 4, 5 or 8 numbers"),
        (in_camera(k1=2), "no field 'k1'"),
    ],
)
def test_a_mistake_is_named(folder, spoiling, message):
    spoiling(folder.content)
    (problem,) = problems_of(folder)
    assert problem.where in ('entry 1 (images/1.png)', 'entry 1 (None)', "camera 'left'") or (
        'a.mp4' in problem.where or 'frame' in problem.where
    )
    with pytest.raises(AnnotationError, match=message):
        raise AnnotationError(folder.path, [problem])


def test_all_mistakes_are_found_at_once(folder):
    spoil(split='val', subject=3)(folder.content)
    folder.content['entries'][4]['frame'] = 'last'
    in_camera(cx='middle')(folder.content)
    assert len(problems_of(folder)) == 4


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"skeleton": ', 'is not JSON'),
        ('[]', 'must be an object'),
        ('{"skeleton": "h36m", "entries": [{}]}', "'skeleton' is 'h36m', known are h36m17"),
        ('{"skeleton": ["h36m17"], "entries": [{}]}', r"'skeleton' is \['h36m17'\]"),
        ('{"skeleton": "h36m17", "entries": []}', "'entries' must be a list of at least one"),
    ],
)
def test_unreadable_file_is_one_clear_error(tmp_path, text, message):
    (tmp_path / 'annotations.json').write_text(text, encoding='utf-8')
    with pytest.raises(AnnotationError, match=message):
        annotations.read(tmp_path)


def test_list_of_problems_is_numbered_and_capped(tmp_path):
    problems = [Problem('unit', f'entry {n}', 'metres') for n in range(400)]
    error = AnnotationError(tmp_path, [*problems, Problem('split', 'the file', 'no test')])
    text = str(error)
    assert '401 problems' in text
    assert '  5. entry 4: metres\n     and 395 more of this kind (unit)\n  6. the file' in text
    assert len(text.splitlines()) == 8


@pytest.mark.parametrize('source', ['', 'nowhere'])
def test_missing_folder_shows_how_one_looks(source):
    with pytest.raises(FileNotFoundError, match=r'looks like\n *SOURCE/annotations\.json'):
        annotations.locate(source)


def test_folder_without_annotations_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'has no annotations\.json'):
        annotations.locate(str(tmp_path))

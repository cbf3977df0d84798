"""Wrong numbers in own data are reported, and right ones are not."""

import numpy as np
import pytest

from data_pipeline import images
from data_pipeline.datasets.own_data import annotations, judge


def problems_of(folder, *, skip_bad_images=False):
    folder.write_annotations()
    content, problems = annotations.read(folder.path)
    assert problems == []
    return judge.check(
        content, folder.path, max_projection_distance=0.25, skip_bad_images=skip_bad_images
    )


def test_faultless_folder_has_no_problems(folder):
    folder.write()
    assert problems_of(folder) == []


def change(number, name, function):
    def spoiling(entries):
        entries[number][name] = function(entries[number].get(name))

    return spoiling


def scaled(factor):
    return lambda joints: (np.array(joints) * factor).tolist()


def moved(*offset):
    return lambda joints: (np.array(joints) + offset).tolist()


@pytest.mark.parametrize(
    ('spoiling', 'kind', 'message'),
    [
        (change(0, 'image', lambda _: 'images/9.png'), 'missing file', 'there is no file .*9.png'),
        (change(6, 'frame', lambda _: 5), 'frame', 'the video ends after frame 4'),
        (change(0, 'joints3d', scaled(1e-3)), 'unit', 'metres'),
        (change(0, 'joints3d', moved(0, 0, -3000)), 'behind the camera', 'not relative'),
        (change(0, 'joints3d', moved(1500, 0, 0)), 'projection', "camera 'left' lie .* px"),
        (change(0, 'joints2d', lambda j: [*j[:-1], [9e3, 0]]), 'far outside', 'joint 16 .*320x240'),
        (change(0, 'box', lambda _: [10, 10, 50, 0]), 'box', r'its size is \[50.0, 0.0\]'),
        (change(0, 'box', lambda _: [400, 10, 50, 50]), 'box', 'misses the image'),
        (change(0, 'confidence', lambda _: [2.0] * 17), 'confidence', 'between 0 and 1'),
        (change(0, 'confidence', lambda _: [0.0] * 17), 'no box', 'fewer than 2 joints'),
    ],
)
def test_a_mistake_is_found(folder, spoiling, kind, message):
    folder.write()
    spoiling(folder.content['entries'])
    (problem,) = problems_of(folder)
    assert problem.kind == kind
    with pytest.raises(annotations.AnnotationError, match=message):
        raise annotations.AnnotationError(folder.path, [problem])


def test_undetected_joints_are_not_checked(folder):
    folder.write()
    entry = folder.content['entries'][0]
    entry['joints2d'][-1] = [9e3, 0]
    entry['confidence'] = [1.0] * 16 + [0.0]
    assert problems_of(folder) == []


@pytest.mark.parametrize('skip', [False, True])
def test_broken_image_is_a_problem_unless_skipped(folder, skip):
    folder.write()
    (folder.path / 'images/1.png').write_bytes(b'no picture')
    assert len(problems_of(folder, skip_bad_images=skip)) == (not skip)


def test_an_image_that_many_entries_share_is_decoded_once(folder, monkeypatch):
    folder.write()
    folder.content['entries'][1]['image'] = folder.content['entries'][0]['image']
    probed = []
    probe = images.probe
    monkeypatch.setattr(images, 'probe', lambda *args: probed.append(args) or probe(*args))
    problems_of(folder)
    assert len(probed) == 3


def entries_of(folder):
    folder.path.mkdir()
    folder.write_annotations()
    return annotations.read(folder.path)[0].entries


def test_entries_say_their_split(folder):
    splits, problems = judge.assign_splits(entries_of(folder), {'camera': ()})
    assert problems == []
    assert [entry.number for entry in splits['test']] == [3, 5]


def test_rules_override_the_entries(folder):
    splits, problems = judge.assign_splits(
        entries_of(folder), {'subject': ('S1',), 'sequence': ('walk',)}
    )
    assert problems == []
    assert [entry.number for entry in splits['train']] == [0, 2]


def test_rule_that_matches_nothing_names_the_nearest(folder):
    _, (problem, *_) = judge.assign_splits(entries_of(folder), {'sequence': ('walking',)})
    assert problem.what == "no entry has sequence 'walking', the nearest is 'walk'"


def test_entry_without_a_split_is_a_problem(folder):
    del folder.content['entries'][2]['split']
    _, (problem,) = judge.assign_splits(entries_of(folder), {})
    assert problem.where == 'entry 2 (images/2.png)'


def test_empty_split_is_a_problem(folder):
    _, (problem,) = judge.assign_splits(entries_of(folder), {'camera': ('left',)})
    assert problem.what == "no entry is in the split 'train'"

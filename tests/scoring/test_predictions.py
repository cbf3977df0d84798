"""Predictions of any program are scored against the right samples, or are refused."""

import json

import numpy as np
import pytest

from capf_jax import data_assembly, evaluate
from capf_jax.pose.skeletons import H36M17
from capf_jax.runtime import commands
from capf_jax.scoring import poses, prediction_files, predictions, protocols
from tests.data_pipeline import tiny_people

LABELS = ('subject', 'action', 'sequence', 'camera', 'frame')


def content(people=range(7), millimetres=10, by='labels', **changes):
    """Arrays of a file with these test people of tiny_people, i times `millimetres` off in x."""
    records = [tiny_people.person(i) for i in people]
    poses = np.stack([r.joints3d - r.joints3d[:1] for r in records]).astype(np.float64)
    poses += millimetres / 1000 * np.array(people)[:, None, None] * np.array([1, 0, 0])
    arrays = {name: np.array([getattr(r, name) for r in records]) for name in LABELS}
    if by == 'index':
        arrays = {'index': np.array(people)}
    return {'poses': poses, 'unit': np.array('m'), **arrays} | changes


def written(path, arrays):
    np.savez(path, **{name: a for name, a in arrays.items() if a is not None})
    return path


@pytest.fixture
def scored(builder, config, tmp_path):
    """Scores a file of these arrays on the seven test people."""

    def run(arrays):
        path = written(tmp_path / 'poses.npz', arrays)
        split = data_assembly.open_split(builder, config)
        return predictions.score(path, split, protocols.PLAIN, H36M17)

    return run


def test_poses_are_matched_by_their_labels_in_any_order(scored):
    errors = scored(content(people=[3, 0, 6, 2, 1, 5, 4])).errors['mpjpe']
    # The frame is the number of the person.
    np.testing.assert_allclose(np.sort(errors), 10.0 * np.arange(7), atol=1e-3)


def test_poses_are_matched_by_their_index(scored, builder):
    order = [tiny_people.person(i).frame for i in range(7)]
    outcome = scored(content(by='index'))
    assert outcome.conditions['matched_by'] == 'index'
    assert len(outcome.errors['mpjpe']) == len(order)


@pytest.mark.parametrize('split', ['test', 'test[:50%]', 'train+test'])
def test_labels_find_their_samples_in_a_part_of_a_split_too(scored, split):
    assert scored(content() | {'split': np.array(split)}).conditions['samples'] == 7


def test_millimetres_are_read_as_such(scored):
    plain = content()
    outcome = scored(plain | {'poses': 1000 * plain['poses'], 'unit': np.array('mm')})
    assert outcome.score == pytest.approx(30, abs=1e-3)


def test_poses_without_a_sample_are_left_out_and_said(scored):
    arrays = content()
    frames = np.append(arrays['frame'], [77, 78])
    grown = {n: a[[*range(7), 0, 1]] for n, a in arrays.items() if n != 'unit'}
    outcome = scored(grown | {'frame': frames, 'unit': arrays['unit']})
    assert outcome.conditions['samples'] == 7
    assert outcome.conditions['unused_predictions'].startswith('2, the first is subject S0,')
    assert outcome.conditions['unused_predictions'].endswith('frame 77')


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'people': [0, 1, 2, 3, 5]}, r'no pose for 2 of 7 samples, the first is sample \d'),
        ({'people': [0, 1, 2, 3, 4, 5, 6, 6]}, r'more than one pose for 1 sample, .*frame 6'),
        (
            {'frame': np.arange(7) + 2},
            r'no pose for 4 of 7 .*has 4 poses of frames that the split lacks, .*frame 4; give',
        ),
        (
            {'by': 'index', 'index': np.arange(7) + 1},
            r'no pose for 1 of 7.*a pose of positions that the split lacks, the first is index 7;',
        ),
        ({'action': np.repeat('Walk', 7)}, 'action Walk, where the dataset has walk'),
        ({'poses': np.zeros((7, 16, 3))}, r'float64 \[7, 16, 3\].*\[M, 17, 3\]'),
        ({'poses': None}, "has no 'poses', only unit, subject"),
        ({'unit': None}, "has no 'unit'"),
        ({'unit': np.array('cm')}, "'cm'; it must be 'm' or 'mm'"),
        ({'unit': np.array('mm')}, '0.001 times as large as the true ones; correct unit'),
        (
            {'poses': 1000 * content()['poses']},
            '1e\\+03 times as large as the true ones; correct unit',
        ),
        (
            {'poses': 1000 * (content()['poses'] + 99.0)},
            r'1e\+03 times as large.*\(pelvis\) is not the origin; correct unit, and subtract',
        ),
        ({'skeleton': np.array('coco17')}, "the joints of 'coco17'"),
        (
            {'split': np.array('train')},
            "poses of the split 'train' and not of 'test'; set config.data.test_split "
            "to 'train', or leave the split out of the file",
        ),
        (
            {'by': 'index', 'split': np.array('test[:7]')},
            r"'test\[:7\]', told apart by their position in it, and not of 'test'",
        ),
        ({'camera': None}, 'neither index nor all of subject'),
        ({'frame': np.arange(6)}, r'frame in .* has the shape \[6\]'),
        ({'frame': np.arange(7.0)}, 'float64; it must be whole numbers'),
        ({'poses': np.full((7, 17, 3), np.nan)}, '7 of 7 poses .* hold NaN'),
        ({'poses': np.full((7, 17, 3), 99.0)}, r'\(pelvis\) .* subtract the root'),
        ({'subject': np.array([{}] * 7)}, 'no NumPy archive of plain arrays.*pickle'),
    ],
)
def test_a_file_that_does_not_fit_is_named(scored, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        scored(content(**changes))


def test_a_file_that_is_no_archive_is_named(tmp_path):
    path = tmp_path / 'poses.npz'
    path.write_bytes(b'PK no archive')
    with pytest.raises(ValueError, match=r'poses\.npz is no NumPy archive'):
        prediction_files.load(path, H36M17)


def test_an_archive_with_damaged_bytes_is_named(tmp_path):
    path = tmp_path / 'poses.npz'
    np.savez_compressed(path, poses=np.zeros((7, 17, 3)), unit='m')
    content = bytearray(path.read_bytes())
    name, extra = np.frombuffer(content[26:30], '<u2')  # of the zip's first header: their lengths
    content[30 + name + extra] = 0xFF  # no kind of block that Deflate knows
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'poses\.npz is no NumPy archive'):
        prediction_files.load(path, H36M17)


def test_a_file_with_one_bare_array_is_named(tmp_path):
    np.save(tmp_path / 'poses.npy', np.zeros((7, 17, 3)))
    with pytest.raises(ValueError, match=r'poses\.npy is no NumPy archive'):
        prediction_files.load(tmp_path / 'poses.npy', H36M17)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='correct its path'):
        prediction_files.load(tmp_path / 'poses.npz', H36M17)


def test_a_written_result_is_read_back(tmp_path):
    points = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32)
    words = {name: np.repeat('x', 3) for name in LABELS[:-1]}
    conditions = {'skeleton': 'h36m17', 'dataset': 'tiny', 'split': 'test'}
    labels = words | {'frame': np.arange(3), 'index': np.array([2, 0, 1])}
    result = poses.pose_result(points, points, labels, conditions)
    (path,) = result.write_samples(tmp_path / 'a').values()
    again = prediction_files.load(path, H36M17)
    np.testing.assert_array_equal(again.poses.astype(np.float32), points)
    assert [path.name for path in tmp_path.iterdir()] == ['a.npz']


def test_the_commands_own_predictions_score_as_the_run_did(evaluated_run, capsys, monkeypatch):
    run = evaluated_run
    evaluate.main(['evaluate', f'--workdir={run}', '--checkpoint=latest', '--pictures=0'])
    first = json.loads((run / 'evaluation_latest_test_noflip.json').read_text())
    path = run / 'evaluation_latest_test_noflip.npz'
    assert f'predictions: {path}' in capsys.readouterr().out
    argv = ['evaluate', f'--workdir={run}', f'--predictions={path}', '--format=markdown']
    assert evaluate.main(argv) == 0
    again = json.loads((run / 'evaluation_latest_test_noflip_scored.json').read_text())
    assert again['groups'] == first['groups']
    assert again['protocol']['flip_test'].startswith('unknown')
    assert '| mean of frames' in capsys.readouterr().out
    monkeypatch.setattr('sys.argv', [*argv, '--mean_pose'])
    with pytest.raises(SystemExit):
        commands.run(evaluate.main)
    assert '--mean_pose and --predictions exclude each other' in capsys.readouterr().err

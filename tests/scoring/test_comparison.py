"""Several programs on the same samples: shares won, frames that differ, and files that misfit."""

import numpy as np
import pytest

from capf_jax import assembly, data_assembly
from capf_jax.pose import skeletons
from capf_jax.scoring import comparison, prediction_files, predictions
from capf_jax.scoring.comparison import Comparison
from capf_jax.scoring.poses import pose_result
from tests.memory_store import put

SKELETON = skeletons.H36M17


def labels(number, videos=1):
    per_video = number // videos
    words = np.repeat([f'v{n}' for n in range(videos)], per_video)
    return {
        'subject': np.full(number, 'S9'),
        'action': words,
        'sequence': np.full(number, '1'),
        'camera': np.full(number, 'c'),
        'frame': np.tile(np.arange(per_video), videos),
        'index': np.arange(number),
    }


def compared(*errors, videos=1):
    """Programs that put every joint of a sample so many mm beside its true place."""
    target = np.zeros((len(errors[0]), 17, 3))
    results = tuple(
        pose_result(target + np.asarray(one)[:, None, None] / 1000 * [1, 0, 0], target,
                    labels(len(one), videos), {})
        for one in errors
    )  # fmt: skip
    return Comparison(tuple('abc'[: len(errors)]), results, SKELETON)


def test_shares_won_sum_to_one_and_a_tie_is_shared():
    np.testing.assert_allclose(compared([1, 5, 3, 9], [2, 4, 3, 1]).won(), [0.375, 0.625])


def test_joint_errors_are_of_each_joint():
    np.testing.assert_allclose(compared([10, 20], [0, 0]).joint_errors[0], 15)


def test_frames_that_differ_most_are_on_both_sides_and_apart():
    ours, theirs = np.full(100, 50.0), np.full(100, 50.0)
    ours[[20, 21, 60]] = [10, 12, 30]
    theirs[[5, 90]] = [20, 35]
    assert compared(ours, theirs).most_different(4).tolist() == [20, 60, 5, 90]


def test_a_side_that_is_nowhere_ahead_gets_no_frames():
    assert compared([1.0] * 30, [2.0] * 30).most_different(4).tolist() == [0, 10]


def test_the_first_program_stands_against_the_best_of_the_others():
    np.testing.assert_allclose(compared([1, 9], [5, 5], [3, 8]).advantage, [2, -4])


def test_the_longest_video_is_taken_unless_labels_say_another():
    both = compared(np.arange(12.0), np.arange(12.0), videos=2)
    assert both.video().tolist() == list(range(6))
    assert both.video(action='v1').tolist() == list(range(6, 12))


@pytest.mark.parametrize(
    ('wanted', 'words'),
    [({'action': 'Waling'}, 'action=Waling'), ({'subject': 'S9', 'action': 'v7'}, 'v7')],
)
def test_a_video_that_is_not_there_is_one_sentence(wanted, words):
    with pytest.raises(ValueError, match=words):
        compared([1.0, 2.0], [1.0, 2.0]).video(**wanted)


@pytest.fixture
def split(builder, config):
    return data_assembly.open_split(builder, config)


def write(path, split, config, keep=slice(None), **origin):
    """Predictions that are the truth, of some samples of a split."""
    batch = split.read(np.arange(7))
    everything = {**split.labels, 'index': np.arange(7)}
    notes = {'skeleton': config.skeleton, 'dataset': split.conditions['dataset'], 'split': 'test'}
    return prediction_files.save(
        path,
        batch.joints3d[keep],
        {name: values[keep] for name, values in everything.items()},
        {**notes, **origin},
    )


def compare(paths, split, config):
    return comparison.compare(
        paths, split, assembly.protocol(config), skeletons.get(config.skeleton)
    )


def test_files_are_matched_by_their_labels_in_any_order(tmp_path, split, config):
    one = write(tmp_path / 'one.npz', split, config)
    other = write(tmp_path / 'other.npz', split, config, keep=np.arange(7)[::-1])
    result = compare([one, other], split, config)
    assert result.names == ('one', 'other')
    np.testing.assert_allclose(result.errors, 0, atol=1e-3)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'keep': slice(3)}, 'no pose for 4 of 7 samples'),
        ({'dataset': 'synthetic/other/1.0.0'}, 'poses of the dataset synthetic/other/1.0.0'),
        ({'pose_frame': 'viewing_ray'}, "set config.model.frame to 'viewing_ray'"),
        ({'skeleton': 'mpi_inf_3dhp17'}, "joints of 'mpi_inf_3dhp17'"),
    ],
)
def test_predictions_of_other_frames_or_datasets_are_one_sentence(
    tmp_path, split, config, changes, words
):
    one = write(tmp_path / 'one.npz', split, config)
    other = write(tmp_path / 'other.npz', split, config, **changes)
    with pytest.raises(ValueError, match=words) as raised:
        compare([one, other], split, config)
    assert 'other.npz' in str(raised.value)


def test_features_of_a_dataset_are_its_people():
    features = 'features/synthetic-128x96-a-hrnet-x-01/1.0.0'
    assert predictions.is_features_of(features, 'synthetic/128x96-a/1.0.0')
    assert not predictions.is_features_of(features, 'synthetic/128x96-b/1.0.0')


def test_files_in_a_store_are_compared(tmp_path, split, config, memory_store):
    one, other = 'gs://bucket/a/one.npz', tmp_path / 'other.npz'
    put(one, write(tmp_path / 'one.npz', split, config).read_bytes())
    write(other, split, config)
    assert compare([one, other], split, config).names == ('one', 'other')
    with pytest.raises(ValueError, match=r'gs://bucket/a/one\.npz is compared with itself'):
        compare([one, one], split, config)


def test_a_file_is_not_compared_with_itself(tmp_path, split, config):
    one = write(tmp_path / 'one.npz', split, config)
    with pytest.raises(ValueError, match='compared with itself'):
        compare([one, one], split, config)
    (tmp_path / 'link.npz').symlink_to(one)
    with pytest.raises(ValueError, match=r'one\.npz is compared with itself'):
        compare([one, tmp_path / 'link.npz'], split, config)


def test_a_link_keeps_the_name_that_it_has(tmp_path, split, config):
    paths = [tmp_path / 'plain.npz', tmp_path / 'robust.npz']
    for number, path in enumerate(paths):
        path.symlink_to(write(tmp_path / f'{number}.npz', split, config))
    assert compare(paths, split, config).names == ('plain', 'robust')


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (['ca9_evaluation/e.npz', 'pf9_evaluation/e.npz', 'third.npz'], ('ca9', 'pf9', 'third')),
        (['a/x/e.npz', 'b/x/e.npz', 'c/y.npz', 'c/z.npz'], ('1 x', '2 x', 'y', 'z')),
        (['a/e.npz', 'b/e.npz', 'c/b.npz'], ('a', '2 b', '3 b')),
    ],
)
def test_only_names_that_clash_get_their_folder_or_a_number(paths, names):
    assert comparison._names(paths) == names

"""`data_pipeline.check human36m --source=DIR`: what a folder lacks, file by file."""

import shutil

import pytest

from data_pipeline import check
from data_pipeline.datasets import human36m
from tests.data_pipeline.datasets.human36m import raw_tree


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A folder of CDF files whose pictures hold a byte each: none is opened."""
    folder = tmp_path_factory.mktemp('cdf')
    raw_tree.write_labels(folder, 'cdf')
    for key in raw_tree.videos():
        for frame in range(raw_tree.LENGTHS[key.trial]):
            path = raw_tree.picture_path(folder, key, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'x')
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / 'source')


def test_a_whole_folder_has_no_problem(whole):
    assert human36m.layout(whole, **raw_tree.SUBSET) == []


def test_an_empty_folder_lacks_labels_and_every_picture(tmp_path):
    problems = human36m.layout(tmp_path)
    assert problems[0] == f'{tmp_path} has no labels, none of the three kinds'
    assert problems[1] == 'there are no pictures of S1 at all (120 videos)'
    assert problems[-1] == 'there are no pictures of S11 at all (116 videos)'


def test_missing_label_files_are_listed_beside_missing_pictures(folder):
    (folder / 'data_2d_h36m_cpn_ft_h36m_dbb.npz').unlink()
    shutil.rmtree(folder / 'S9' / 'MyPoseFeatures' / 'D2_Positions')
    video = raw_tree.videos()[0].video
    shutil.rmtree(folder / 'images' / video)
    assert human36m.layout(folder, **raw_tree.SUBSET) == [
        'there are no files S9/MyPoseFeatures/D2_Positions/*.cdf',
        'there is no data_2d_h36m_cpn_ft_h36m_dbb.npz',
        f'there are no pictures of {video}',
    ]


def test_what_is_wrong_in_label_files_and_pictures_is_said_at_once(folder):
    key = raw_tree.videos()[0]
    raw_tree.cdf_path(folder, key).write_bytes(b'<html>')
    raw_tree.picture_path(folder, key, 2).write_bytes(b'')
    broken, empty = human36m.layout(folder, **raw_tree.SUBSET)
    assert 'is no CDF file' in broken
    assert empty == f'{folder}/images/{key.video} has empty pictures, 3; copy them again'


def test_a_label_file_that_cannot_be_read_is_a_problem(folder):
    (folder / 'data_2d_h36m_cpn_ft_h36m_dbb.npz').write_bytes(b'<html>')
    (problem,) = human36m.layout(folder, **raw_tree.SUBSET)
    assert 'is no .npz file' in problem


def run(*arguments):
    return check.main(['check', 'human36m', *map(str, arguments)])


def test_the_command_takes_a_part_of_the_dataset(whole, capsys):
    flags = [f'--{name}={"+".join(values)}' for name, values in raw_tree.SUBSET.items()]
    assert run(f'--source={whole}', *flags) == 0
    assert f'human36m --source={whole} --subjects=S1+S9' in capsys.readouterr().out


def test_the_command_says_how_a_folder_should_look(tmp_path, capsys):
    assert run(f'--source={tmp_path}') == 1
    printed = capsys.readouterr().out
    for words in ('D3_Positions_mono/Directions 1.54138969.cdf', 'h36m_train.pkl', '8 problems'):
        assert words in printed


def test_a_flag_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ValueError, match='the nearest is --subjects'):
        run(f'--source={tmp_path}', '--subject=S1')
    with pytest.raises(ValueError, match='unknown argument'):
        run('--subjects=S1')

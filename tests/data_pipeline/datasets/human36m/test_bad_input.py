"""What is wrong with a folder of Human3.6M is named, all at once, and nothing is left behind."""

import pathlib
import shutil

import numpy as np
import pytest
from ml_collections import ConfigDict

from data_pipeline import datasets
from data_pipeline.building import InputError
from tests.data_pipeline.datasets.human36m import raw_tree


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Kind -> folder; pictures are files without content, as nothing is to decode them."""
    sources = {}
    for kind in ('cdf', 'pickle', 'npz'):
        sources[kind] = tmp_path_factory.mktemp(kind)
        raw_tree.write_labels(sources[kind], kind)
        for key in raw_tree.videos():
            for frame in range(raw_tree.LENGTHS[key.trial]):
                path = raw_tree.picture_path(sources[kind], key, frame)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return sources


@pytest.fixture
def broken(whole, tmp_path):
    """A copy of a whole folder that a test may break."""

    def copy(kind):
        return pathlib.Path(shutil.copytree(whole[kind], tmp_path / 'source'))

    return copy


def refused(folder, tmp_path, kind=InputError, **fields):
    """The error that a build ends with; no dataset and no part is left."""
    builder = {'source': str(folder), 'processes': 1, **raw_tree.SUBSET, **fields}
    data = ConfigDict({'name': 'human36m', 'dir': str(tmp_path / 'data'), 'builder': builder})
    with pytest.raises(kind) as caught:
        datasets.open_or_build(data, build=True)
    left = [path for path in (tmp_path / 'data').rglob('*') if path.is_file()]
    assert not left
    return caught.value


FIRST, OTHER = raw_tree.videos()[0], raw_tree.videos()[-1]  # of S1, trial 1; of S9, trial 2


def test_missing_frames_are_numbered(broken, tmp_path):
    folder = broken('npz')
    for frame in (0, 2, 3):
        raw_tree.picture_path(folder, FIRST, frame).unlink()
    shutil.rmtree(raw_tree.picture_path(folder, OTHER, 0).parent)
    error = refused(folder, tmp_path)
    assert error.problems == (
        f'there are no pictures of {OTHER.video}',
        f'{folder}/images/{FIRST.video} lacks the pictures 1, 3-4',
    )
    assert str(error).endswith('; --missing=skip builds without what lacks pictures')


def test_a_subject_without_pictures_is_one_sentence(broken, tmp_path):
    folder = broken('pickle')
    for path in (folder / 'images').glob('s_09*'):
        shutil.rmtree(path)
    assert refused(folder, tmp_path).problems == ('there are no pictures of S9 at all (8 videos)',)


def test_missing_clips_may_be_left_out(broken, tmp_path, capsys):
    folder = broken('pickle')
    for path in (folder / 'images').glob('*'):
        if path.name != FIRST.video:
            shutil.rmtree(path)
    # What is left has no pixels: it is refused when it is decoded.
    error = refused(folder, tmp_path, ValueError, missing='skip')
    assert 'does not decode' in str(error)
    assert 'left out: there are no pictures of S9 at all (8 videos)' in capsys.readouterr().err


def test_labels_of_another_version_are_refused_by_their_box(broken, tmp_path):
    folder = broken('pickle')
    entries = raw_tree.all_entries('train')
    for entry in entries:
        entry['scale'] = entry['scale'] * 1.25
    raw_tree.write_pickles(folder, train=entries)
    error = refused(folder, tmp_path)
    assert len(error.problems) == 8
    assert 'h36m_train.pkl has a box of' in error.problems[0]


def test_labels_without_detections_are_refused(broken, tmp_path):
    folder = broken('pickle')
    entries = raw_tree.all_entries('validation')
    for entry in entries:
        del entry['joints_2d_cpn']
    raw_tree.write_pickles(folder, validation=entries)
    assert 'h36m_validation.pkl has no joints_2d_cpn' in str(refused(folder, tmp_path))


def test_detections_with_other_action_names_are_named(broken, tmp_path):
    folder = broken('cdf')
    detections = raw_tree.detections()
    detections['S1']['Stroll 1'] = detections['S1'].pop('Walking 1')
    raw_tree.write_detections(folder, detections)
    text = str(refused(folder, tmp_path))
    assert "has an action 'Stroll 1' of S1, which is unknown" in text
    assert "no detections of S1 'Walking 1', camera 54138969; of S1 it has TakingPhoto," in text


def test_too_short_detections_are_named(broken, tmp_path):
    folder = broken('npz')
    detections = raw_tree.detections()
    detections['S9']['Photo'][1] = detections['S9']['Photo'][1][:2]
    raw_tree.write_detections(folder, detections)
    (problem,) = refused(folder, tmp_path).problems
    assert "detections of 2 frames of S9 'TakingPhoto', camera 55011271, and 3 are" in problem


def test_detections_of_another_joint_set_are_named(broken, tmp_path):
    folder = broken('npz')
    detections = raw_tree.detections()
    detections['S9']['Photo'][0] = np.zeros((3, 16, 2))
    raw_tree.write_detections(folder, detections)
    assert 'shape [3, 16, 2] for S9 TakingPhoto' in refused(folder, tmp_path).problems[0]


def test_detections_that_are_no_arrays_are_named(broken, tmp_path):
    folder = broken('npz')
    detections = raw_tree.detections()
    detections['S9']['Photo'][0] = [[1.0], [1.0, 2.0]]
    detections['S9']['Photo 1'] = np.float64(3)
    raw_tree.write_detections(folder, detections)
    text = str(refused(folder, tmp_path))
    assert 'has an object of type list for S9 TakingPhoto, camera 54138969' in text
    assert 'has no list of 4 cameras for S9 TakingPhoto 1' in text


@pytest.mark.parametrize(
    ('change', 'sentence'),
    [
        (lambda entries: [*entries, 3], 'has no label in entry'),
        (lambda entries: [entries[0] | {'image_id': None}, *entries[1:]], FIRST.video),
    ],
)
def test_labels_that_are_none_are_named(change, sentence, broken, tmp_path):
    folder = broken('pickle')
    raw_tree.write_pickles(folder, train=change(raw_tree.all_entries('train')))
    assert sentence in str(refused(folder, tmp_path))


def test_nan_joints_are_named_with_their_frames(broken, tmp_path):
    folder = broken('cdf')
    joints = raw_tree.truth(FIRST).camera.copy()
    joints[[1, 2], 3, 0] = np.nan
    raw_tree.write_cdf(raw_tree.cdf_path(folder, FIRST), joints)
    assert refused(folder, tmp_path).problems == (
        f'S1 TakingPhoto (trial 1, camera {FIRST.camera}) has NaN or infinity in the 3D joints of '
        'frames 2-3',
    )


@pytest.mark.parametrize(
    ('joints', 'sentence'),
    [
        (lambda truth: truth.camera / 1000, 'another unit than mm'),
        (lambda truth: truth.world, 'camera frame'),
        (lambda truth: truth.camera + np.array([100, 0, 0]), 'px from the true 2D joints'),
        (lambda truth: truth.camera[:2], 'has 2 frames and'),
        (lambda truth: truth.camera[:, :17], '96 numbers a frame are 32 joints'),
    ],
)
def test_files_of_another_version_are_named(broken, tmp_path, joints, sentence):
    folder = broken('cdf')
    raw_tree.write_cdf(raw_tree.cdf_path(folder, FIRST), joints(raw_tree.truth(FIRST)))
    assert sentence in refused(folder, tmp_path).problems[0]


def test_a_damaged_cdf_file_is_named(broken, tmp_path):
    folder = broken('cdf')
    raw_tree.cdf_path(folder, OTHER).write_bytes(b'<html>')
    assert f'{raw_tree.cdf_path(folder, OTHER)} is no CDF file' in str(refused(folder, tmp_path))


def test_trials_that_cannot_be_told_apart_are_named(broken, tmp_path, monkeypatch):
    folder = broken('cdf')
    key = FIRST._replace(trial=2)
    for camera in raw_tree.CAMERAS:
        source = FIRST._replace(camera=camera)
        for name in ('D3_Positions_mono', 'D2_Positions'):
            shutil.copy(
                raw_tree.cdf_path(folder, source, name),
                raw_tree.cdf_path(folder, key._replace(camera=camera), name),
            )
    text = str(refused(folder, tmp_path))
    assert "S1 TakingPhoto: it cannot be told which of 'TakingPhoto', 'TakingPhoto 1'" in text
    assert 'metadata.xml' in text


def test_an_unreadable_picture_is_named(broken, tmp_path):
    folder = broken('npz')
    error = refused(folder, tmp_path, ValueError)
    assert 'does not decode; copy it again' in str(error)


def test_unreadable_pictures_of_all_videos_are_named_at_once(broken, tmp_path):
    assert len(refused(broken('npz'), tmp_path).problems) == len(raw_tree.videos())


def test_without_a_source_the_working_folder_is_not_searched(tmp_path):
    text = str(refused('', tmp_path, FileNotFoundError))
    assert 'set config.data.builder.source to the one with its files' in text


def test_a_wrong_folder_is_told_what_it_should_have(tmp_path):
    text = str(refused(tmp_path, tmp_path, FileNotFoundError))
    assert 'it should have images/s_01_act_02_subact_01_ca_01/' in text
    assert 'there is no folder' in str(refused(tmp_path / 'x', tmp_path, FileNotFoundError))


def test_detections_that_are_not_there_are_named(broken, tmp_path):
    folder = broken('npz')
    (folder / 'data_2d_h36m_cpn_ft_h36m_dbb.npz').unlink()
    text = str(refused(folder, tmp_path, FileNotFoundError))
    assert 'has no data_2d_h36m_cpn_ft_h36m_dbb.npz' in text


def test_labels_that_are_asked_for_and_not_there_are_named(broken, tmp_path):
    text = str(refused(broken('npz'), tmp_path, FileNotFoundError, annotations='pickle'))
    assert "has no the authors' label files; it has VideoPose3D's" in text

"""Every mistake in a tree is named before anything is built, as many at once as can be known."""

import dataclasses
import shutil

import numpy as np
import pytest
import scipy.io

from data_pipeline import building, datasets
from data_pipeline.datasets import mpi_inf_3dhp
from data_pipeline.datasets.mpi_inf_3dhp import tree
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree
from tests.data_pipeline.datasets.mpi_inf_3dhp.raw_tree import TrainSequence
from tests.data_pipeline.datasets.mpi_inf_3dhp.test_builder import config

S1 = TrainSequence('S1', frames=3, cameras=('0',))
FRAMES = dataclasses.replace(S1, as_frames='imageFrames/video_{camera}')
TS1 = dataclasses.replace(raw_tree.TS1, frames=3)
SETTINGS = mpi_inf_3dhp.Settings(subjects=('S1',), sequences=('Seq1',), cameras=('0',))
TEST = mpi_inf_3dhp.Settings(subjects=('TS1',))


def problems(root, settings=SETTINGS, **options):
    return tree.survey(root, settings, **options).problems


def spoil(folder, sequence, change):
    """Writes annot.mat anew after change(its arrays)."""
    arrays = sequence.arrays()
    change(arrays)
    scipy.io.savemat(folder / 'annot.mat', arrays)


def only(messages, *words):
    """There is one problem, and it says these words."""
    assert len(messages) == 1, messages
    for word in words:
        assert word in messages[0]


def test_a_good_tree_has_no_problems(tmp_path):
    FRAMES.write(tmp_path)
    TS1.write(tmp_path)
    both = mpi_inf_3dhp.Settings(subjects=('S1', 'TS1'), sequences=('Seq1',), cameras=('0',))
    assert problems(tmp_path, both, open_images=True) == []


def test_a_tree_deeper_in_the_folder_is_found(tmp_path):
    S1.write(tmp_path / 'mpi_inf_3dhp' / 'train')
    assert problems(tmp_path) == []


def test_a_wrong_folder_is_told_how_it_should_look(tmp_path):
    only(problems(tmp_path), 'does not hold S1 to S8', 'imageSequence/video_0.avi')
    only(problems(tmp_path / 'nowhere'), 'there is no folder', 'annot_data.mat')


def test_all_that_is_missing_is_named_at_once(tmp_path):
    folder = S1.write(tmp_path)
    (folder / 'imageSequence' / 'video_0.avi').unlink()
    (folder / 'annot.mat').unlink()
    settings = mpi_inf_3dhp.Settings(subjects=('S1', 'S3', 'TS2'), cameras=('0', '4'))
    messages = problems(tmp_path, settings)
    for word in (
        'S1/Seq1/annot.mat', 'lacks video_0.avi, video_4.avi', 'S1/Seq2 is missing',
        'S3/Seq1 is missing', 'S3/Seq2 is missing', 'none of TS1 to TS6',
    ):  # fmt: skip
        assert sum(word in problem for problem in messages) == 1, (word, messages)
    assert len(messages) == 6


def test_missing_frames_are_numbered(tmp_path):
    folder = FRAMES.write(tmp_path)
    (folder / 'imageFrames/video_0/frame_000002.jpg').unlink()
    only(problems(tmp_path), 'lacks 1 of 3 frames', 'frame_000001.jpg is frame 0: 1;')


def test_a_video_that_ends_before_its_labels(tmp_path):
    folder = S1.write(tmp_path)
    longer = dataclasses.replace(S1, frames=5)
    scipy.io.savemat(folder / 'annot.mat', longer.arrays())
    only(problems(tmp_path), 'video_0.avi ends after 3 frames and the labels need 5')


def test_a_video_cut_in_two(tmp_path):
    path = S1.write(tmp_path) / 'imageSequence' / 'video_0.avi'
    path.write_bytes(path.read_bytes()[:300])
    only(problems(tmp_path), 'video_0.avi', 'copy or download it again')


def test_pictures_of_another_size(tmp_path):
    folder = S1.write(tmp_path)
    shutil.rmtree(folder / 'imageSequence')
    dataclasses.replace(S1, size=96).write(tmp_path / 'half')
    shutil.move(tmp_path / 'half/S1/Seq1/imageSequence', folder)
    only(problems(tmp_path), 'S1_Seq1_Cam0 have 96x96 pixels where the camera has 192x192')


def test_matlab_versions_exchanged(tmp_path):
    train, test = S1.write(tmp_path), TS1.write(tmp_path)
    raw_tree.write_mat73(train / 'annot.mat', TS1.arrays())
    (test / 'annot_data.mat').unlink()
    scipy.io.savemat(test / 'annot_data.mat', {'annot2': 0})
    only(problems(tmp_path), 'annot.mat is a MATLAB 7.3 file where the dataset has MATLAB 5')
    only(problems(tmp_path, TEST), 'annot_data.mat is a MATLAB 5 file', 'has MATLAB 7.3')


def test_labels_without_a_needed_array(tmp_path):
    train, test = S1.write(tmp_path), TS1.write(tmp_path)
    spoil(train, S1, lambda arrays: arrays.pop('univ_annot3'))
    arrays = TS1.arrays()
    del arrays['valid_frame']
    raw_tree.write_mat73(test / 'annot_data.mat', arrays)
    only(problems(tmp_path), 'has no univ_annot3, it has annot2, annot3')
    only(problems(tmp_path, TEST), 'has no valid_frame')


def test_labels_with_other_joints(tmp_path):
    folder = S1.write(tmp_path)

    def keep_17(arrays):
        arrays['annot3'][0, 0] = arrays['annot3'][0, 0][:, :51]

    spoil(folder, S1, keep_17)
    only(problems(tmp_path), 'annot3 of camera 0 has shape [3, 51]', '[frames, 84]')


def test_no_matlab_file_at_all(tmp_path):
    folder = S1.write(tmp_path)
    (folder / 'annot.mat').write_text('<html>please log in</html>')
    only(problems(tmp_path), 'annot.mat is no MATLAB file')


def test_a_label_file_cut_short(tmp_path):
    train, test = S1.write(tmp_path), TS1.write(tmp_path)
    for path in (train / 'annot.mat', test / 'annot_data.mat'):
        path.write_bytes(path.read_bytes()[:1500])
    only(problems(tmp_path), 'annot.mat does not read as a MATLAB 5 file')
    only(problems(tmp_path, TEST), 'annot_data.mat does not read as a MATLAB 7.3 file')


def test_nan_joints_are_named_by_frame(tmp_path):
    folder = S1.write(tmp_path)

    def add_nan(arrays):
        arrays['annot2'][0, 0][1, 10] = np.nan  # joint 5, which is the neck

    spoil(folder, S1, add_nan)
    only(problems(tmp_path), 'camera 0: annot2 has NaN or infinite joints in frames 1,')


def test_labels_in_metres(tmp_path):
    folder = S1.write(tmp_path)

    def shrink(arrays):
        arrays['annot3'][0, 0] = arrays['annot3'][0, 0] / 1000

    spoil(folder, S1, shrink)
    only(problems(tmp_path), 'not millimetres')


def test_a_calibration_of_other_cameras(tmp_path):
    folder = S1.write(tmp_path)
    path = folder / 'camera.calibration'
    path.write_text(path.read_text().replace('96.0 0 0 0 1 ', '150.0 0 0 0 1 '))
    only(problems(tmp_path), 'annot3 projects', 'from annot2')
    path.write_text('focal: 1500')
    only(problems(tmp_path), 'does not begin with')


def test_images_that_are_none_are_named_by_the_check(tmp_path):
    folder = FRAMES.write(tmp_path)
    (folder / 'imageFrames/video_0/frame_000003.jpg').write_bytes(b'')
    only(problems(tmp_path, open_images=True), 'files that are no images', 'frame_000003.jpg')


def test_an_image_cut_short_leaves_no_dataset_behind(tmp_path):
    folder = FRAMES.write(tmp_path)
    path = folder / 'imageFrames/video_0/frame_000003.jpg'
    path.write_bytes(path.read_bytes()[:-200])
    data = config(tmp_path, tmp_path / 'data', subjects=('S1',), cameras=('0',))
    with pytest.raises(building.InputError, match=r'frame_000003\.jpg is cut short'):
        datasets.open_or_build(data, build=True)
    assert not list((tmp_path / 'data').rglob('*.array_record*'))
    path.write_bytes((path.parent / 'frame_000002.jpg').read_bytes())
    assert datasets.open_or_build(data, build=True).info.splits['train'].num_examples == 3

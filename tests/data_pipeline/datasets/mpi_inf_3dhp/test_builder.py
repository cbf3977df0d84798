"""MPI-INF-3DHP from a small tree in its own formats: every number is stored where it should be."""

import dataclasses
import pathlib
import pickle

import numpy as np
import pytest
import scipy.io
from ml_collections import ConfigDict

from capf_jax.pose import crops
from capf_jax.pose.skeletons import MPI_INF_3DHP17
from data_pipeline import building, datasets
from data_pipeline.datasets import mpi_inf_3dhp
from data_pipeline.datasets.mpi_inf_3dhp import published, tree
from tests.data_pipeline.datasets.mpi_inf_3dhp import raw_tree
from tests.data_pipeline.datasets.mpi_inf_3dhp.raw_tree import TrainSequence
from tests.data_pipeline.window_frames import padded, window_frames

CHOSEN = {'subjects': ('S1', 'S2', 'TS1', 'TS5'), 'sequences': ('Seq1',), 'cameras': ('0', '4')}
SMALL = {'height': 64, 'width': 48}


def config(source, data_dir, **fields):
    builder = {'source': str(source), 'processes': 1} | CHOSEN | SMALL | fields
    return ConfigDict({'name': 'mpi_inf_3dhp', 'dir': str(data_dir), 'builder': builder})


def build(source, data_dir, **fields):
    return datasets.open_or_build(config(source, data_dir, **fields), build=True)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """S1 as videos, S2 as extracted frames, TS1 and TS5."""
    root = tmp_path_factory.mktemp('raw')
    TrainSequence('S1').write(root)
    TrainSequence('S2', as_frames='imageFrames/video_{camera}').write(root)
    raw_tree.TS1.write(root)
    raw_tree.TS5.write(root)
    return root


@pytest.fixture(scope='module')
def built(source, tmp_path_factory):
    return build(source, tmp_path_factory.mktemp('data'))


def examples(built, split):
    return list(built.as_data_source(split))


def texts(example, *names):
    return tuple(example[name].decode() for name in names)


def test_every_frame_of_every_camera_is_there_once(built):
    stored = [
        (*texts(one, 'subject', 'sequence', 'camera', 'action'), int(one['frame']))
        for one in examples(built, 'train')
    ]
    assert stored == [
        (who, f'{who}_Seq1', camera, '', frame)
        for who in ('S1', 'S2') for camera in ('0', '4') for frame in range(5)
    ]  # fmt: skip


def test_the_test_split_has_valid_frames_with_their_activities(built):
    stored = [
        (*texts(one, 'sequence', 'action'), int(one['frame'])) for one in examples(built, 'test')
    ]
    assert stored == [
        ('TS1', 'Standing/Walking', 0),
        ('TS1', 'Sitting', 2),
        ('TS1', 'On The Floor', 4),
        ('TS5', 'Standing/Walking', 0),
        ('TS5', 'Sitting', 2),
    ]


def test_windows_stay_in_a_sequence_of_one_camera_and_valid_frames_are_neighbours(built):
    expected = {}
    for who in ('S1', 'S2'):
        for camera in ('0', '4'):
            expected |= padded(who, f'{who}_Seq1', camera, range(5))
    assert window_frames(built, 'train') == expected
    # The activity, which the test split labels frame by frame, is no part of a video's name.
    expected = padded('TS1', 'TS1', '0', (0, 2, 4)) | padded('TS5', 'TS5', '0', (0, 2))
    assert window_frames(built, 'test') == expected


@pytest.mark.parametrize('targets', ['univ_annot3', 'annot3'])
def test_joints_come_back(source, built, tmp_path, targets):
    if targets == 'annot3':
        built = build(source, tmp_path, targets=targets)
    sequence = TrainSequence('S2')
    truth = sequence.joints3d('4')
    expected = raw_tree.universal(truth) if targets == 'univ_annot3' else truth
    stored = examples(built, 'train')[15:]
    np.testing.assert_allclose(
        1000 * np.array([one['joints3d'] for one in stored]), expected, atol=0.01
    )
    for name in ('joints2d_truth', 'joints2d_detected'):
        actual = np.array([one[name] for one in stored])
        np.testing.assert_allclose(actual, sequence.joints2d('4'), atol=1e-3)
    np.testing.assert_allclose(stored[0]['intrinsics'], sequence.intrinsics('4'), rtol=1e-6)
    assert tuple(stored[0]['image_size']) == (192, 192)


def test_the_box_is_two_metres_around_the_true_pelvis(built):
    sequence = TrainSequence('S1')
    fx = sequence.intrinsics('0')[0]
    for frame, one in enumerate(examples(built, 'train')[:5]):
        depth = sequence.joints3d('0')[frame, MPI_INF_3DHP17.root, 2]
        x, y, width, height = one['box']
        assert width == pytest.approx(2000 / depth * fx - 1, rel=1e-4)  # between pixel centres
        pelvis = sequence.joints2d('0')[frame, MPI_INF_3DHP17.root]
        assert x + width / 2 == pytest.approx(pelvis[0], abs=1e-3)
        assert y + height / 2 > pelvis[1]  # 100 mm lower


def test_pictures_and_joints_are_of_the_same_frame(built):
    for split in ('train', 'test'):
        for one in examples(built, split):
            neck = crops.apply_affine(one['affine'], one['joints2d_truth'])[raw_tree.NECK]
            x, y = neck.round().astype(int)
            red, green, blue = one['image'][y, x].astype(int)
            assert min(red - green, red - blue) > 100, (split, texts(one, 'sequence'), one['frame'])


def test_videos_and_extracted_frames_give_equal_labels_and_close_pixels(source, built, tmp_path):
    TrainSequence('S1', as_frames='imageSequence/video_{camera}', first=0).write(tmp_path)
    other = build(tmp_path, tmp_path / 'data', subjects=('S1',))
    for one, two in zip(examples(built, 'train')[:10], examples(other, 'train'), strict=True):
        for name in one:
            if name != 'image':
                np.testing.assert_array_equal(one[name], two[name])
        difference = np.abs(one['image'].astype(int) - two['image'])
        assert difference.mean() < 4


def test_published_intrinsics_where_there_is_no_calibration(tmp_path):
    sequence = TrainSequence(calibrated=False, size=2048, frames=2, cameras=('8',))
    focal = np.array([1500.172, 1500.837, 1017.387, 1043.032])
    TrainSequence.intrinsics, original = lambda *_: focal, TrainSequence.intrinsics
    try:
        sequence.write(tmp_path)
    finally:
        TrainSequence.intrinsics = original
    built = build(tmp_path, tmp_path / 'data', subjects=('S1',), cameras=('8',))
    np.testing.assert_allclose(examples(built, 'train')[1]['intrinsics'], focal, rtol=1e-6)


def test_a_subset_takes_what_it_names(source, tmp_path):
    built = build(source, tmp_path, subjects=('S2',), cameras=('4',), frame_stride=2)
    assert list(built.info.splits) == ['train']
    stored = [
        (*texts(one, 'subject', 'camera'), int(one['frame'])) for one in examples(built, 'train')
    ]
    assert stored == [('S2', '4', 0), ('S2', '4', 2), ('S2', '4', 4)]
    assert built.builder_config.name == '64x48-quality95_444-S2-Seq1-camera4-stride2'


def test_a_built_dataset_is_read_without_its_source(source, built):
    assert (
        datasets.open_or_build(config('', pathlib.Path(built.data_dir).parents[2]), build=False)
        .info.splits['train']
        .num_examples
        == 20
    )


def test_a_name_of_the_whole_dataset_and_of_its_parts():
    assert mpi_inf_3dhp.Settings().name == '256x192-quality95_444'
    assert mpi_inf_3dhp.Settings(targets='annot3').name == '256x192-quality95_444-annot3'
    assert mpi_inf_3dhp.Settings(cameras=('4', '0')).name == '256x192-quality95_444-camera0+4'


@pytest.mark.parametrize(
    ('fields', 'sentence'),
    [
        ({'subjects': ('S9',)}, "subjects is 'S9'"),
        ({'targets': 'annot2'}, "targets is 'annot2'"),
        ({'frame_stride': 0}, 'frame_stride is 0'),
        ({'camera': ('0',)}, "no field 'camera' for mpi_inf_3dhp; the nearest is 'cameras'"),
    ],
)
def test_senseless_fields_are_named(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        building.from_fields(mpi_inf_3dhp.Settings, fields, 'mpi_inf_3dhp')


def test_no_more_frames_than_the_published_number(source, monkeypatch):
    monkeypatch.setitem(published.FRAME_LIMITS, ('S1', 'Seq1'), 3)
    settings = mpi_inf_3dhp.Settings(subjects=('S1',), sequences=('Seq1',), cameras=('0',))
    (clip,) = tree.survey(source, settings).clips['train']
    assert clip.frames.tolist() == [0, 1, 2]


def test_the_same_labels_give_the_same_pickle(source):
    """So that an interrupted build knows its finished parts again, with other processes too."""
    pickles = []
    for processes in (1, 3):
        settings = mpi_inf_3dhp.Settings(subjects=('TS1',), processes=processes)
        pickles.append(pickle.dumps(tree.survey(source, settings).clips['test'][0]))
    assert pickles[0] == pickles[1]


def test_a_video_shorter_than_its_labels_is_no_dead_end(tmp_path, capsys):
    sequence = TrainSequence('S1', cameras=('0', '4'), frames=3)
    folder = sequence.write(tmp_path)
    longer = dataclasses.replace(sequence, frames=5)
    scipy.io.savemat(folder / 'annot.mat', longer.arrays())
    fields = {'subjects': ('S1',), 'missing': 'skip'}
    with pytest.raises(ValueError, match='ends after 3 frames and the labels need 5'):
        build(tmp_path, tmp_path / 'data', subjects=('S1',))
    built = build(tmp_path, tmp_path / 'data', **fields)
    stored = [(*texts(one, 'camera'), int(one['frame'])) for one in examples(built, 'train')]
    assert stored == [(camera, frame) for camera in ('0', '4') for frame in range(3)]
    assert 'left out: ' in (said := capsys.readouterr().err)
    assert 'ends after 3 frames' in said
    assert built.builder_config.name.endswith('-without_missing_frames')


def test_a_video_whose_header_counts_too_many_frames_is_no_dead_end(tmp_path, monkeypatch):
    TrainSequence('S1', cameras=('0',), frames=3).write(tmp_path)
    settings = mpi_inf_3dhp.Settings(
        subjects=('S1',), sequences=('Seq1',), cameras=('0',), missing='skip', **SMALL
    )
    (clip,) = tree.survey(tmp_path, settings).clips['train']
    longer = dataclasses.replace(
        clip,
        frames=np.arange(4),
        actions=(*clip.actions, ''),
        **{n: np.concatenate([getattr(clip, n)] * 2)[:4] for n in ('joints2d', 'joints3d', 'root')},
    )
    assert [record.frame for record in longer.records()] == [0, 1, 2]
    strict = dataclasses.replace(longer, may_lack=False)
    with pytest.raises(ValueError, match=r'frame 3 of the video .* does not decode'):
        list(strict.records())


def test_a_frame_that_was_not_extracted_is_left_out_singly(tmp_path):
    sequence = TrainSequence('S1', frames=3, cameras=('0',), as_frames='imageFrames/video_{camera}')
    folder = sequence.write(tmp_path)
    (folder / 'imageFrames/video_0/frame_000002.jpg').unlink()
    built = build(tmp_path, tmp_path / 'data', subjects=('S1',), cameras=('0',), missing='skip')
    assert [int(one['frame']) for one in examples(built, 'train')] == [0, 2]

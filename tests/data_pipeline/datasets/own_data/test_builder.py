"""Own data from images and videos: what is stored, what is refused, and the dataset's name."""

import logging

import cv2
import numpy as np
import pytest

from capf_jax.pose import crops
from capf_jax.pose.skeletons import H36M17
from data_pipeline import datasets
from data_pipeline.building import cropping
from data_pipeline.datasets import own_data
from data_pipeline.datasets.own_data import annotations, clips
from tests.data_pipeline.window_frames import padded, window_frames


def build(data):
    return datasets.open_or_build(data, build=True)


@pytest.fixture
def built(folder):
    folder.write()
    return build(folder.data())


def test_splits_hold_every_entry_once(built):
    frames = {
        split: [(example['sequence'].decode(), int(example['frame'])) for example in source]
        for split, source in built.as_data_source().items()
    }
    assert frames == {
        'train': [('stills', 0), ('stills', 1), ('stills', 2), ('walk', 0), ('walk', 4)],
        'test': [('stills', 3), ('walk', 2)],
    }


def test_windows_stay_in_a_sequence_of_one_subject(built):
    expected = padded('S0', 'stills', 'left', (0, 2)) | padded('S1', 'stills', 'left', (1,))
    expected |= padded('S0', 'walk', 'left', (0, 4))  # frame 2 is a test frame
    assert window_frames(built, 'train') == expected


def test_record_keeps_what_the_file_says(built, folder):
    example = built.as_data_source('test')[1]
    entry = folder.content['entries'][5]
    np.testing.assert_allclose(example['joints3d'] * 1000, entry['joints3d'], atol=1e-3)
    np.testing.assert_allclose(example['joints2d_detected'], entry['joints2d'], atol=1e-4)
    assert example['image_size'].tolist() == [320, 240]
    np.testing.assert_allclose(example['intrinsics'], [300, 310, 160, 120])
    assert (example['subject'], example['camera']) == (b'S1', b'left')


def test_joints_land_on_their_pixels_in_every_crop(built):
    for split, source in built.as_data_source().items():
        for example in source:
            joints = crops.apply_affine(example['affine'], example['joints2d_truth'])
            x, y = joints[0].round().astype(int)
            red, green, _ = example['image'][y, x].astype(int)
            assert red - green > 100, (split, example['frame'])


def test_box_grows_to_the_crops_shape(folder):
    folder.write()
    folder.content['entries'][0]['box'] = [20, 40, 60, 160]  # a crop of 3:4 needs a width of 120
    folder.write_annotations()
    entry = annotations.read(folder.path)[0].entries[0]
    record = clips.make_record(entry, folder.image(0), own_data.Settings(height=64, width=48))
    corner = crops.apply_affine(record.affine, np.array([[50 - 60 + 0.5, 120.0]]))
    np.testing.assert_allclose(corner, [[0, 31.5]], atol=1e-9)


def test_entry_without_a_camera_keeps_its_joints(folder):
    del folder.content['entries'][0]['camera']
    folder.path.mkdir()
    folder.write_annotations()
    entry = annotations.read(folder.path)[0].entries[0]
    record = clips.make_record(entry, folder.image(0), own_data.Settings())
    np.testing.assert_array_equal(record.joints2d_truth, record.joints2d_detected)
    assert record.camera == ''


def test_large_images_are_averaged_and_stay_in_place():
    columns, rows = np.meshgrid(np.arange(401.0), np.arange(403.0))
    image = np.stack([columns / 2, rows / 2, columns * 0], axis=-1).astype(np.uint8)
    affine = crops.box_affine(np.array([200.0, 190.0]), 300.0, (48, 64))
    small, onto = cropping._averaged(image, affine)
    assert small.shape == (67, 66, 3)
    difference = crops.crop_image(small, onto, (48, 64)).astype(int) - crops.crop_image(
        image, affine, (48, 64)
    )
    assert np.abs(difference[4:-4, 4:-4]).max() <= 1


def test_a_split_may_fill_many_files(folder, monkeypatch):
    folder.write()
    monkeypatch.setattr(own_data.Builder, 'FILE_SIZE', 2)
    data = build(folder.data())
    assert data.info.splits['train'].shard_lengths == [2, 2, 1]
    assert [int(e['frame']) for e in data.as_data_source('train')] == [0, 1, 2, 0, 4]


def test_skipped_images_may_leave_the_last_file_empty(folder, monkeypatch):
    cut_short(folder, 1)
    monkeypatch.setattr(own_data.Builder, 'FILE_SIZE', 4)
    data = folder.data()
    data.bad_image = 'skip'
    built = build(data)
    assert built.info.splits['train'].num_examples == 4
    assert [int(e['frame']) for e in built.as_data_source('train')] == [0, 2, 0, 4]


def test_bad_annotations_build_nothing(folder):
    folder.content['entries'][2]['joints3d'] = [[0, 0, 1]] * 16
    folder.write()
    (folder.path / 'images/1.png').unlink()
    with pytest.raises(annotations.AnnotationError, match='has 2 problems') as error:
        build(folder.data())
    assert [problem.where[:7] for problem in error.value.problems] == ['entry 2', 'entry 1']
    assert not list((folder.path.parent / 'data').rglob('*.array_record*'))


def cut_short(folder, *numbers):
    """Images whose headers are whole and whose pixels are not."""
    folder.write()
    for number in numbers:
        path = folder.path / f'images/{number}.png'
        path.write_bytes(path.read_bytes()[:-100])


def test_bad_images_and_other_mistakes_are_told_together(folder):
    folder.content['entries'][0]['joints3d'][0][2] = -1
    cut_short(folder, 1, 2)
    with pytest.raises(annotations.AnnotationError, match=r"2\.png does not .*'skip'") as error:
        build(folder.data())
    where = [problem.where[:7] for problem in error.value.problems]
    assert where == ['entry 0', 'entry 1', 'entry 2']


def test_all_frames_that_do_not_decode_are_told_together(folder):
    """Of a video whose header promises more than is there, which only decoding shows."""
    folder.write()
    path = folder.path / 'videos/walk.avi'
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (320, 240))
    random = np.random.default_rng(0)
    for _ in range(5):
        video.write(random.integers(0, 255, (240, 320, 3), np.uint8))
    video.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    for entry in folder.content['entries'][4:]:
        entry['video'] = 'videos/walk.avi'
    folder.write_annotations()
    with pytest.raises(annotations.AnnotationError, match=r'entry 6 .*frame 4 of .* not') as error:
        build(folder.data())
    assert {problem.where[:7] for problem in error.value.problems} >= {'entry 5', 'entry 6'}


def test_bad_image_is_skipped_and_counted(folder, caplog):
    cut_short(folder, 1)
    data = folder.data(processes=1)
    data.bad_image = 'skip'
    with caplog.at_level(logging.WARNING):
        split = build(data).info.splits['train']
    assert split.num_examples == 4
    assert 'entry 1 (images/1.png) is skipped' in caplog.text
    assert "1 of 5 entries of the split 'train' were skipped" in caplog.text


def test_a_whole_dataset_is_the_same_whether_bad_images_are_skipped(built, folder):
    data = folder.data()
    data.bad_image = 'skip'
    assert datasets.open_or_build(data, build=False).data_dir == built.data_dir


def test_a_dataset_that_lacks_images_is_used_only_where_they_may_be_skipped(folder):
    cut_short(folder, 1, 3)  # one of each split
    data = folder.data()
    data.bad_image = 'skip'
    build(data)
    data.bad_image = 'error'
    with pytest.raises(ValueError, match=r"without 2 entries whose images .*'skip'"):
        build(data)


def test_damaged_metadata_is_told_as_of_any_dataset(built, folder):
    (built.data_path / 'metadata.json').write_bytes(b'{"skipped_images": \xff')
    with pytest.raises(RuntimeError, match=r'not whole: metadata\.json is damaged'):
        build(folder.data())


def test_sequences_on_both_sides_are_told(folder, caplog):
    folder.write()
    with caplog.at_level(logging.WARNING):
        build(folder.data())
    assert "frames of 2 sequences, such as 'stills', are in both splits" in caplog.text
    caplog.clear()
    build(folder.data(test_sequences=('walk',)))
    assert 'both splits' not in caplog.text


def test_name_follows_fields_and_annotations(folder):
    folder.write()
    names = [own_data.builder_from_config(folder.data()).builder_config.name]
    names.append(
        own_data.builder_from_config(folder.data(test_subjects=['S0'])).builder_config.name
    )
    folder.content['entries'][0]['action'] = 'sitting'
    folder.write_annotations()
    names.append(own_data.builder_from_config(folder.data()).builder_config.name)
    assert len(set(names)) == 3


def test_name_does_not_hang_on_the_number_of_processes(folder):
    """Datasets that were built before it was a choice keep their name."""
    folder.write()
    names = [own_data.Settings(source=str(folder.path), processes=n).name for n in (1, 5)]
    assert names[0] == names[1]


@pytest.mark.parametrize(('size', 'sizes'), [(1, [1, 1, 1, 2]), (2, [2, 1, 2]), (9, [5])])
def test_clips_keep_the_entries_of_a_file_together(folder, size, sizes):
    folder.write()
    entries = annotations.read(folder.path)[0].entries
    train = [entry for entry in entries if entry.split == 'train']
    result = clips.clips_of(train, own_data.Settings(), may_lack=False, size=size)
    assert [clip.size for clip in result] == sizes
    assert [entry.number for clip in result for entry in clip.entries] == [0, 1, 2, 4, 6]


def test_unchanged_source_is_the_same_dataset(built, folder):
    again = datasets.open_or_build(folder.data(), build=False)
    assert again.data_dir == built.data_dir
    assert again.info.metadata['skeleton'] == H36M17.name


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'test_camera': ('left',)}, "no field 'test_camera' .* nearest is 'test_cameras'"),
        ({'test_cameras': 'left'}, 'give a tuple of names'),
        ({'jpeg_quality': 0}, 'jpeg_quality is 0; give 1 to 100'),
    ],
)
def test_bad_field_is_named(folder, fields, message):
    with pytest.raises(ValueError, match=message):
        own_data.builder_from_config(folder.data(**fields))


def test_layout_names_what_a_folder_lacks(folder, tmp_path):
    assert 'annotations.json' in own_data.layout(tmp_path)[0]
    folder.write()
    assert own_data.layout(folder.path) == []
    del folder.content['entries'][0]['split']  # the config may say it
    folder.write_annotations()
    assert own_data.layout(folder.path) == []
    folder.content['entries'][1]['image'] = 'gone.jpg'
    folder.write_annotations()
    assert 'gone.jpg' in own_data.layout(folder.path)[0]

"""Human3.6M from each kind of source files: the same people, every number where it should be."""

import shutil

import cv2
import numpy as np
import pytest
from ml_collections import ConfigDict

from capf_jax.pose import crops
from data_pipeline import build, datasets
from data_pipeline.datasets.human36m import sources
from data_pipeline.datasets.human36m.recordings import JOINTS, Key
from data_pipeline.datasets.human36m.settings import Settings
from tests.data_pipeline.datasets.human36m import raw_tree
from tests.data_pipeline.window_frames import padded, window_frames

KINDS = ('cdf', 'pickle', 'npz')
SMALL = {'height': 64, 'width': 48}


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp('pictures')
    raw_tree.write_pictures(folder)
    return folder / 'images'


@pytest.fixture(scope='module')
def folders(tmp_path_factory, pictures):
    """A folder of each kind; all have the same pictures."""
    builders = {}
    for kind in KINDS:
        builders[kind] = tmp_path_factory.mktemp(kind)
        (builders[kind] / 'images').symlink_to(pictures)
        raw_tree.write_labels(builders[kind], kind)
    return builders


def open_built(folder, data_dir, **fields):
    builder = {'source': str(folder), 'processes': 1, **raw_tree.SUBSET, **SMALL, **fields}
    data = ConfigDict({'name': 'human36m', 'dir': str(data_dir), 'builder': builder})
    return datasets.open_or_build(data, build=True)


@pytest.fixture(scope='module')
def builders(folders, tmp_path_factory):
    """Kind -> built dataset."""
    return {
        kind: open_built(folder, tmp_path_factory.mktemp('data'))
        for kind, folder in folders.items()
    }


@pytest.fixture(scope='module')
def built(builders):
    """Kind -> split -> examples."""
    return {
        kind: {split: list(builder.as_data_source(split)) for split in ('train', 'test')}
        for kind, builder in builders.items()
    }


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_is_recognised(folders, kind):
    assert sources.recognise(folders[kind], 'auto') == kind


@pytest.mark.parametrize('kind', KINDS)
def test_every_person_is_there_and_nobody_twice(built, kind):
    for split, subject in (('train', b'S1'), ('test', b'S9')):
        stored = [
            (e['subject'], e['sequence'].decode(), e['camera'].decode(), e['frame'])
            for e in built[kind][split]
        ]
        assert stored == [
            (subject, key.sequence, key.camera, frame)
            for key in raw_tree.videos()
            if key.subject == subject.decode()
            for frame in range(raw_tree.LENGTHS[key.trial])
        ]


@pytest.mark.parametrize('kind', KINDS)
def test_the_numbers_are_the_known_ones(built, kind):
    for example in [*built[kind]['train'], *built[kind]['test']]:
        sequence = example['sequence'].decode()
        key = Key(
            example['subject'].decode(),
            example['action'].decode(),
            int(sequence[-2:]),
            example['camera'].decode(),
        )
        assert key.sequence == sequence
        labels, frame = raw_tree.truth(key), example['frame']
        close = np.testing.assert_allclose
        close(1000 * example['joints3d'], labels.camera[frame, JOINTS], atol=1e-3, rtol=0)
        close(example['joints2d_truth'], labels.pixels[frame, JOINTS], atol=1e-3, rtol=0)
        close(example['joints2d_detected'], labels.detected[frame], atol=1e-3, rtol=0)


def test_windows_stay_in_a_trial_of_one_camera(builders):
    for split, subject in (('train', 'S1'), ('test', 'S9')):
        expected = {}
        for key in raw_tree.videos():
            if key.subject == subject:
                frames = range(raw_tree.LENGTHS[key.trial])
                expected |= padded(subject, key.sequence, key.camera, frames)
        assert window_frames(builders['npz'], split) == expected


@pytest.mark.parametrize('kind', ['pickle', 'npz'])
def test_all_kinds_give_the_same_records(built, kind):
    for split in ('train', 'test'):
        for one, other in zip(built['cdf'][split], built[kind][split], strict=True):
            assert one.keys() == other.keys()
            for name, value in one.items():
                if name == 'image':
                    difference = cv2.absdiff(value, other[name])
                    assert difference.max() <= 4  # rounding of a joint's last bit may move the crop
                elif isinstance(value, bytes):
                    assert value == other[name], name
                else:
                    np.testing.assert_allclose(value, other[name], atol=1e-3, rtol=0, err_msg=name)


def test_crops_show_the_joints_where_the_affine_says(built):
    for example in built['cdf']['train']:
        at = np.rint(crops.apply_affine(example['affine'], example['joints2d_truth'])).astype(int)
        inside = ((at >= 0) & (at < [48, 64])).all(axis=1)
        assert inside.sum() >= 15
        assert (example['image'][at[inside, 1], at[inside, 0]] > 128).all()


def test_the_box_is_that_of_the_root_joint(built):
    example = built['pickle']['test'][0]
    centre, width = crops.root_box(1000 * example['joints3d'][0], example['intrinsics'])
    np.testing.assert_allclose(
        example['affine'], crops.box_affine(centre, width, (48, 64)), atol=1e-4
    )
    np.testing.assert_allclose(example['box'][2], width - 1, atol=1e-3)
    np.testing.assert_allclose(example['box'][:2] + example['box'][2:] / 2, centre, atol=1e-3)


def test_a_subset_has_what_is_asked_for_and_says_so(folders, tmp_path):
    builder = open_built(
        folders['npz'],
        tmp_path,
        subjects=('S9',),
        actions=('Photo',),
        cameras=('55011271',),
        frame_stride=2,
    )
    assert list(builder.info.splits) == ['test']
    stored = [(e['action'], e['camera'], e['frame']) for e in builder.as_data_source('test')]
    assert stored == [(b'TakingPhoto', b'55011271', f) for f in (0, 2, 0, 2)]
    assert builder.builder_config.name == '64x48-quality95_444-S9-TakingPhoto-55011271-stride2'


def test_the_command_says_what_it_reads_and_how_large_it_is(folders, tmp_path, capsys):
    arguments = ['build', 'human36m', f'--source={folders["cdf"]}', f'--data_dir={tmp_path}']
    arguments += ['--size=32x24', '--quality=80', '--processes=1']
    arguments += [f'--{name}={"+".join(values)}' for name, values in raw_tree.SUBSET.items()]
    assert build.main(arguments) == 0
    output = capsys.readouterr()
    assert 'train: 28 people' in output.out
    assert 'raw CDF files and CPN detections' in output.err
    assert 'estimated size' in output.err
    assert 'human36m takes' in output.err


def test_the_whole_dataset_has_a_short_name():
    assert Settings().name == '256x192-quality95_444'


@pytest.mark.parametrize(
    ('fields', 'sentence'),
    [
        ({'subjects': ('S2',)}, r"subjects is 'S2'; .* of S1, S5"),
        ({'subjects': 'S9'}, r"subjects is 'S9'; give a tuple of names"),
        ({'actions': ('Walk',)}, r"actions is 'Walk'; the nearest is 'Walking'"),
        ({'frame_stride': 0}, 'frame_stride is 0'),
        ({'annotations': 'mat'}, "annotations is 'mat'"),
    ],
)
def test_a_senseless_choice_is_named(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**fields)


def test_a_frame_without_its_picture_is_left_out_singly(folders, pictures, tmp_path, capsys):
    key, other = raw_tree.videos()[0], raw_tree.videos()[1]
    source = tmp_path / 'source'
    shutil.copytree(folders['npz'], source, ignore=shutil.ignore_patterns('images'))
    shutil.copytree(pictures, source / 'images')
    raw_tree.picture_path(source, key, 1).unlink()
    shutil.rmtree(raw_tree.picture_path(source, other, 0).parent)
    builder = open_built(source, tmp_path / 'data', missing='skip', subjects=('S1',))
    stored = [
        (e['sequence'].decode(), e['camera'].decode(), e['frame'])
        for e in builder.as_data_source('train')
    ]
    assert stored == [
        (one.sequence, one.camera, frame)
        for one in raw_tree.videos()
        for frame in range(raw_tree.LENGTHS[one.trial])
        if one.subject == 'S1' and one != other and (one, frame) != (key, 1)
    ]
    said = capsys.readouterr().err
    assert f'left out: {source}/images/{key.video} lacks the pictures 2' in said
    assert f'left out: there are no pictures of {other.video}' in said
    assert builder.builder_config.name.endswith('-without_missing_frames')


def test_what_an_older_version_has_built_is_opened(folders, tmp_path, capsys):
    subset = {'subjects': ('S9',), 'actions': ('Walking',)}
    older = open_built(folders['npz'], tmp_path, crop_format='jpeg420', **subset)
    assert older.builder_config.name == '64x48-quality95-S9-Walking-54138969+55011271'
    data = ConfigDict(
        {'name': 'human36m', 'dir': str(tmp_path), 'builder': {**raw_tree.SUBSET, **SMALL}}
    )
    data.builder.update(subset)
    opened = datasets.open_or_build(data, build=False)
    assert opened.data_dir == older.data_dir
    assert 'which an older version has built' in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match='no folder to build it from is named'):
        build.build(data)  # The command builds what is asked for.

"""A dataset of features: made of another one, clip by clip, and read as `Reader` reads that one."""

import dataclasses

import numpy as np
import pytest

from capf_jax.pose import skeletons
from data_pipeline import features
from data_pipeline.features import PeopleFeatures
from data_pipeline.reader import Reader
from data_pipeline.stored_examples import labels
from tests.data_pipeline import tiny_people

SETTINGS = features.Settings(
    name='tiny-small', detector='small', joints2d='detected', joints=17, channels=3
)
H36M = skeletons.get('h36m17')


def extract(batch, split):
    """What person i has is i, in the mirrored copy -i."""
    assert split in ('train', 'test')
    both = np.stack([batch.index, -batch.index], axis=1)
    return PeopleFeatures(
        np.broadcast_to(both[..., None, None], (len(both), 2, 17, 3)).astype(np.float16),
        np.broadcast_to(both[..., None, None], (len(both), 2, 17, 2)).astype(np.float32),
        np.ones((len(both), 2, 17), np.float32),
    )


def builder_of(source, function=extract, **options):
    readers = {split: Reader(source, split, H36M, **options) for split in ('train', 'test')}
    return features.Builder(source, SETTINGS, features.Work(function, readers, 4, 2))


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    return tiny_people.build(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def made(source):
    builder_of(source).download_and_prepare(file_format='array_record')
    return features.open_features(source, SETTINGS)


def test_they_lie_beside_their_source(source, made):
    assert made.data_path.parents[2] == source.data_path.parents[2]
    assert {name: split.num_examples for name, split in made.info.splits.items()} == {
        'train': 10,
        'test': 7,
    }


def test_a_batch_has_the_features_of_its_people(made):
    batch, complaints = Reader(made, 'train', H36M).batch([3, 7])
    assert (batch.contexts.shape, batch.contexts.dtype) == ((2, 2, 17, 3), np.float16)
    np.testing.assert_array_equal(batch.contexts[:, :, 0, 0], [[3, -3], [7, -7]])
    np.testing.assert_array_equal(batch.context_joints[:, :, 5, 1], [[3, -3], [7, -7]])
    assert complaints == ()


def test_all_but_the_picture_is_that_of_the_source(source, made):
    one, other = (Reader(x, 'test', H36M).batch(np.arange(7))[0] for x in (source, made))
    for name in set(one._fields) - {'images', 'contexts', 'context_joints'}:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert other.images.shape == (*one.images.shape[:3], 0)
    for before, after in zip(
        vars(labels(source, 'test')).values(), vars(labels(made, 'test')).values(), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_what_was_interrupted_goes_on(tmp_path, capsys):
    source = tiny_people.build(tmp_path)
    people = []

    def stops(batch, split):
        people.extend(batch.index)
        if len(people) > 30:  # two passes to estimate the time, and the training split, came first
            raise KeyboardInterrupt
        return extract(batch, split)

    with pytest.raises(KeyboardInterrupt):
        builder_of(source, stops).download_and_prepare(file_format='array_record')
    with pytest.raises(FileNotFoundError, match=r'python -m capf_jax\.features'):
        features.open_features(source, SETTINGS)
    builder_of(source).download_and_prepare(file_format='array_record')
    assert 'going on: 10 of 17 people are finished' in capsys.readouterr().err
    assert len(Reader(features.open_features(source, SETTINGS), 'train', H36M)) == 10


@pytest.mark.parametrize(('channels', 'gigabytes'), [(32 + 64 + 128 + 256, 72), (4 * 32, 22)])
def test_human36m_takes_what_data_md_tells(channels, gigabytes):
    settings = dataclasses.replace(SETTINGS, channels=channels)
    people = 2_103_096  # of Human3.6M, as docs/data.md has it
    assert round(people * settings.bytes_of_person / 1e9) == gigabytes


def test_size_and_time_are_told_first(tmp_path, capsys):
    builder_of(tiny_people.build(tmp_path)).download_and_prepare(file_format='array_record')
    assert 'features of 17 people, two copies each: about ' in capsys.readouterr().err


def test_people_whose_picture_does_not_decode_are_left_out(tmp_path, capsys):
    source = tiny_people.build(tmp_path, cut=(2, 5))
    builder = builder_of(source, bad_image='skip')
    builder.download_and_prepare(file_format='array_record')
    batch, _ = Reader(features.open_features(source, SETTINGS), 'train', H36M).batch(range(8))
    before, _ = Reader(source, 'train', H36M, bad_image='skip').batch(range(10))
    np.testing.assert_array_equal(batch.contexts[:, 0, 0, 0], before.index[before.valid])
    assert capsys.readouterr().err.count('skipped: the image of sample') == 4


def test_features_that_are_not_finite_are_an_error(tmp_path):
    def broken(batch, split):
        made = extract(batch, split)
        return made._replace(contexts=np.full_like(made.contexts, np.inf))

    with pytest.raises(RuntimeError, match='contexts of a person are not finite'):
        builder_of(tiny_people.build(tmp_path), broken).download_and_prepare()


def test_times_are_words():
    assert [features.minutes_text(s) for s in (7, 150, 9000)] == [
        '7 seconds', '2.5 minutes', '2.5 hours',
    ]  # fmt: skip

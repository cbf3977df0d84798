"""Batches hold what the records hold, in a repeatable order, each sample exactly once."""

import multiprocessing
import subprocess
import sys

import numpy as np
import pytest

from configs import base
from data_pipeline import loader
from tests.data_pipeline import tiny_people


@pytest.fixture(scope='module')
def builder(tmp_path_factory):
    return tiny_people.build(tmp_path_factory.mktemp('data'))


@pytest.fixture
def config():
    config = base.get_config()
    config.training.batch_size = config.evaluation.batch_size = 4
    config.data.threads = 2
    return config


def _indices(batches, count):
    return np.stack([next(batches).index for _ in range(count)])


def _evaluate(builder, config, **fields):
    return list(loader.evaluation_batches(builder, config, **fields))


# --- what a batch holds


@pytest.fixture
def people(builder, config):
    """The test split as (batch of valid samples, frame of each)."""
    config.evaluation.batch_size = 7
    (batch,) = _evaluate(builder, config)
    return batch, loader.labels(builder, 'test').frame[batch.index]


def test_images_are_rgb(people):
    batch, frame = people
    expected = frame[:, None] * np.array([10, 0, 0])
    np.testing.assert_array_equal(batch.images[:, 3, 4], expected)


def test_images_are_uint8_of_the_crop(people):
    assert (people[0].images.shape, people[0].images.dtype) == ((7, 16, 12, 3), np.uint8)


def test_detected_joints_are_the_default(people):
    batch, frame = people
    np.testing.assert_array_equal(batch.joints2d[:, 2], np.stack([frame + 0.5, frame * 0 + 2.5], 1))


def test_true_joints_by_config(builder, config):
    config.data.joints2d = 'truth'
    batch = _evaluate(builder, config)[0]
    np.testing.assert_array_equal(batch.joints2d_crop, batch.joints2d_crop_truth)


def test_crop_joints_follow_the_affine(people):
    batch, _ = people
    np.testing.assert_array_equal(batch.joints2d_crop, batch.joints2d * 2 + [1, -1])


def test_true_crop_joints_stay_the_true_ones(people):
    batch, _ = people
    np.testing.assert_array_equal(batch.joints2d_crop_truth, batch.joints2d_crop - 1)


def test_poses_are_relative_to_the_root(people):
    batch, _ = people
    assert not batch.joints3d[:, 0].any()
    np.testing.assert_array_equal(batch.joints3d[:, 5], np.tile([0, 5, 0], (7, 1)))


def test_labels_belong_to_the_index(builder):
    labels = loader.labels(builder, 'test')
    assert [f'walk {frame // 4}' for frame in labels.frame] == labels.sequence.tolist()


# --- training order


def test_an_epoch_has_no_sample_twice(builder, config):
    epoch = _indices(loader.training_batches(builder, config), 2)
    assert len(np.unique(epoch)) == 8


def test_steps_per_epoch_drops_what_is_left_over(builder, config):
    assert loader.steps_per_epoch(builder, config) == 2


def test_every_epoch_has_its_own_order(builder, config):
    order = _indices(loader.training_batches(builder, config), 6).reshape(3, 8)
    assert len(np.unique(order, axis=0)) == 3


def test_order_depends_on_the_seed(builder, config):
    first = _indices(loader.training_batches(builder, config), 4)
    config.seed = 1
    assert (first != _indices(loader.training_batches(builder, config), 4)).any()


def test_same_step_gives_identical_batches(builder, config):
    plain = loader.training_batches(builder, config)
    for _ in range(3):
        next(plain)
    config.data.threads = 0  # nor does the order depend on the threads
    ahead = loader.training_batches(builder, config, start_step=3)
    for one, other in zip(next(plain), next(ahead), strict=True):
        np.testing.assert_array_equal(one, other)


def test_state_resumes_the_order(builder, config):
    batches = loader.training_batches(builder, config)
    _indices(batches, 3)
    state = batches.get_state()
    expected = _indices(batches, 3)
    again = loader.training_batches(builder, config)
    again.set_state(state)
    np.testing.assert_array_equal(_indices(again, 3), expected)


def test_processes_share_the_global_batch(builder, config):
    whole = _indices(loader.training_batches(builder, config), 3)
    shares = [
        _indices(loader.training_batches(builder, config, process_index=i, process_count=2), 3)
        for i in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(shares, axis=1), whole)


# --- evaluation


@pytest.mark.parametrize('process_count', [1, 2, 4])
def test_evaluation_counts_every_sample_once(builder, config, process_count):
    frames, sizes = [], set()
    for process in range(process_count):
        batches = _evaluate(builder, config, process_index=process, process_count=process_count)
        frames += [index for batch in batches for index in batch.index[batch.valid]]
        sizes.add((len(batches), *(len(batch.index) for batch in batches)))
    assert sorted(frames) == list(range(7))
    assert len(sizes) == 1


def test_a_share_of_padding_alone_is_not_valid(builder, config):
    config.evaluation.batch_size = 16
    (batch,) = _evaluate(builder, config, process_index=1, process_count=2)
    assert not batch.valid.any()


def test_evaluation_of_another_split(builder, config):
    assert sum(batch.valid.sum() for batch in _evaluate(builder, config, split='train[:5]')) == 5


def test_evaluation_knows_its_length(builder, config):
    assert len(loader.evaluation_batches(builder, config)) == 2


# --- bad input


@pytest.fixture(scope='module')
def damaged(tmp_path_factory):
    return tiny_people.build(tmp_path_factory.mktemp('damaged'), cut=(2, 5))


def test_bad_image_is_an_error_that_names_it(damaged, config):
    with pytest.raises(ValueError, match=r'sample \d of split .test. .*frame [25]\) is cut short'):
        _evaluate(damaged, config)


def test_evaluation_skips_bad_images_and_counts_them(damaged, config):
    config.data.bad_image = 'skip'
    batches = loader.evaluation_batches(damaged, config)
    valid = sum(batch.valid.sum() for batch in batches)
    assert (valid, len(batches.bad_images)) == (5, 2)


def test_training_replaces_bad_images_and_counts_them(damaged, config):
    config.data.bad_image = 'skip'
    batches = loader.training_batches(damaged, config)
    frame = loader.labels(damaged, 'train').frame
    frames = [frame[index] for _ in range(8) for index in next(batches).index]
    assert not {2, 5} & set(frames)
    assert len(batches.bad_images) == 2


def test_nothing_but_bad_images_is_an_error(tmp_path, config):
    builder = tiny_people.build(tmp_path, cut=tuple(range(10)))
    config.data.bad_image = 'skip'
    with pytest.raises(ValueError, match='no image of split'):
        next(loader.training_batches(builder, config))


@pytest.mark.parametrize('bad_image', ['error', 'skip'])
def test_zeros_in_a_file_are_an_error_that_names_the_dataset(tmp_path, config, bad_image):
    builder = tiny_people.build(tmp_path)
    shard = builder.info.splits['test'].filepaths[0]
    content = shard.read_bytes()
    shard.write_bytes(content[:1000] + bytes(100) + content[1100:])
    config.data.bad_image = bad_image
    with pytest.raises(RuntimeError, match=rf"{builder.data_dir} .*'test' .*; delete this folder"):
        _evaluate(builder, config)


def test_nan_joints_are_an_error_that_names_them(tmp_path, config):
    builder = tiny_people.build(tmp_path, nan=(3,))
    with pytest.raises(ValueError, match=r'joints3d of sample \d of split .*frame 3\) holds NaN'):
        _evaluate(builder, config)


def test_wrong_number_of_joints_says_both(tmp_path, config):
    builder = tiny_people.build(tmp_path, joints=16)
    with pytest.raises(ValueError, match=r"has 16 joints and skeleton 'h36m17' has 17"):
        loader.evaluation_batches(builder, config)


def test_another_joint_set_of_the_same_size_is_refused(builder, config):
    config.skeleton = 'coco17'
    with pytest.raises(ValueError, match=r"the joints of 'h36m17' and skeleton 'coco17' differs"):
        loader.evaluation_batches(builder, config)


@pytest.mark.parametrize('split', ['validation', 'nothing[:50%]', 'train[:0]'])
def test_missing_or_empty_split_lists_the_known(builder, config, split):
    with pytest.raises(ValueError, match=r"no samples in split .* it has 'train' with 10"):
        loader.evaluation_batches(builder, config, split=split)


@pytest.mark.parametrize('field', ['joints2d', 'bad_image'])
def test_unknown_choice(builder, config, field):
    config.data[field] = 'maybe'
    with pytest.raises(ValueError, match=f"config.data.{field} is 'maybe'"):
        loader.training_batches(builder, config)


def test_split_smaller_than_a_batch(builder, config):
    config.training.batch_size = 11
    with pytest.raises(ValueError, match='10 samples, fewer than a batch of 11'):
        loader.training_batches(builder, config)


def test_batch_that_does_not_divide_by_the_processes(builder, config):
    with pytest.raises(ValueError, match='does not divide into 3 processes'):
        loader.training_batches(builder, config, process_count=3)


@pytest.mark.parametrize(
    ('module', 'left_out'),
    [
        ('data_pipeline.loader', {'tensorflow'}),  # Grain imports JAX
        ('data_pipeline.datasets.synthetic.clips', {'tensorflow', 'jax'}),  # in each process
        ('data_pipeline.reader', {'tensorflow', 'jax'}),
    ],
)
def test_heavy_imports_stay_out(module, left_out):
    code = f'import sys, {module}; print(*{left_out} & set(sys.modules))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == []


def test_reading_starts_no_process(builder, config):
    before = multiprocessing.active_children()
    batches = loader.training_batches(builder, config)
    next(batches)
    assert multiprocessing.active_children() == before

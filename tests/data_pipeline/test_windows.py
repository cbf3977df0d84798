"""Windows stay inside one video, repeat its ends, and hold each frame in its place."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.pose import skeletons
from configs import base
from data_pipeline import features, loader, windows
from data_pipeline.reader import Reader
from tests.data_pipeline import test_features, tiny_people

# Of the training split of tiny_people, subjects change from frame to frame, and sequences after
# four frames: frames 0 and 2 are one video, 1 and 3 another, 4 and 6 a third.


def runs(frames, numbers=None):
    """The runs of people with these frame numbers, of one video or of these."""
    numbers = np.zeros(len(frames)) if numbers is None else numbers
    names = np.array([f'video {number}' for number in range(9)])
    videos = windows.Videos(names, np.array(numbers, np.int32), np.array(frames, np.int32))
    return windows.runs_of(videos)


def window(frames, target, size=3, **options):
    """The frame numbers of the window around the person of frame `target`, and the numbers."""
    positions = runs(frames).windows(np.array([frames.index(target)]), size, **options)
    return [frames[position] for position in positions[0]]


@pytest.fixture(scope='module')
def builder(tmp_path_factory):
    return tiny_people.build(tmp_path_factory.mktemp('windows'))


@pytest.fixture
def config():
    config = base.get_config()
    config.task = 'sequence'
    config.data.frames = 3
    config.training.batch_size = config.evaluation.batch_size = 4
    config.data.threads = 1
    return config


@pytest.mark.parametrize(
    ('target', 'expected'),
    [(0, [0, 0, 0, 1, 2]), (1, [0, 0, 1, 2, 3]), (3, [1, 2, 3, 4, 5]), (5, [3, 4, 5, 5, 5])],
)
def test_the_target_is_in_the_middle_and_the_ends_are_repeated(target, expected):
    assert window([0, 1, 2, 3, 4, 5], target, 5) == expected


def test_a_causal_window_ends_with_its_target():
    assert window([0, 1, 2, 3, 4], 3, causal=True) == [1, 2, 3]
    assert window([0, 1, 2, 3, 4], 0, causal=True) == [0, 0, 0]


def test_a_step_leaves_frames_out():
    assert window(list(range(9)), 4, step=3) == [1, 4, 7]


def test_a_video_shorter_than_the_window_is_repeated_at_both_ends():
    assert window([0, 1], 1, 7) == [0, 0, 0, 1, 1, 1, 1]


def test_frames_are_put_in_order():
    assert window([3, 0, 2, 1], 2) == [1, 2, 3]


def test_evenly_spaced_frames_are_neighbours():
    assert window([0, 5, 10, 15], 5) == [0, 5, 10]


def test_a_gap_is_not_bridged():
    frames = [0, 1, 2, 7, 8, 9]
    assert (window(frames, 2), window(frames, 7)) == ([1, 2, 2], [7, 7, 8])


def test_a_gap_in_evenly_spaced_frames_is_not_bridged():
    frames = [0, 5, 10, 20, 25, 30]
    assert (window(frames, 10), window(frames, 20)) == ([5, 10, 10], [20, 20, 25])


def test_each_video_has_its_own_spacing():
    result = runs([0, 1, 2, 0, 5, 10], [0, 0, 0, 1, 1, 1]).windows(np.array([2, 3, 4]), 3)
    assert result.tolist() == [[1, 2, 2], [3, 3, 4], [3, 4, 5]]


def test_a_frame_that_is_there_twice_is_named():
    with pytest.raises(UserError, match=r'frame 4 of video 1 twice: give'):
        runs([4, 4, 5, 4], [0, 1, 1, 1])


def test_windows_of_many_runs_keep_video_and_order():
    rng = np.random.default_rng(0)
    frames, numbers = rng.permutation(200), rng.integers(0, 6, 200)
    result = runs(frames, numbers).windows(np.arange(200), 5)
    for position, members in enumerate(result):
        assert members[2] == position
        assert (numbers[members] == numbers[position]).all()
        assert (np.diff(frames[members]) >= 0).all()


def test_windows_that_repeat_frames_and_gaps_are_counted():
    rng = np.random.default_rng(1)
    frames, numbers = np.arange(60), np.sort(rng.integers(0, 4, 60))
    kept = rng.permutation(60)[:45]  # gaps at random
    result = runs(frames[kept], numbers[kept])
    in_order = np.sort(frames[kept])
    same_video = np.diff(numbers[in_order]) == 0
    assert result.gaps == (same_video & (np.diff(in_order) > 1)).sum() > 0
    for size, step, causal in ((1, 1, False), (3, 1, False), (5, 2, True), (27, 1, False)):
        numbers_in_windows = frames[kept][result.windows(np.arange(45), size, step, causal)]
        is_whole = (np.diff(numbers_in_windows) == step).all(axis=1)
        assert result.repeating(size, step) == (~is_whole).sum()


# --- from a dataset


def test_batches_hold_the_frames_of_their_windows_in_rows(builder, config):
    batch = next(iter(loader.evaluation_batches(builder, config)))
    frames = loader.labels(builder, 'test').frame
    neighbours = {0: [0, 0, 2], 2: [0, 2, 2], 1: [1, 1, 3], 3: [1, 3, 3], 4: [4, 4, 6],
                  6: [4, 6, 6], 5: [5, 5, 5]}  # fmt: skip
    expected = np.array([neighbours[frame] for frame in frames[batch.index]]).ravel()
    np.testing.assert_array_equal(frames[batch.frames.index], expected)
    np.testing.assert_array_equal(batch.frames.images[:, 0, 0, 0], 10 * expected)
    for name in ('joints2d', 'joints3d', 'affine', 'index', 'valid'):
        rows = getattr(batch.frames, name)
        np.testing.assert_array_equal(getattr(batch, name), rows[1::3], err_msg=name)


def test_how_many_windows_repeat_frames_is_told_in_one_line(builder, config):
    words = loader.repetitions(builder, config, 'test')
    assert words.startswith("7 of 7 windows of 3 frames in split 'test'")
    assert words.endswith('(videos: 4, gaps: 0, frames of the shortest piece without a gap: 1)')
    config.data.frames = 1
    assert loader.repetitions(builder, config, 'test') == ''


def test_one_frame_is_the_people_themselves(builder, config):
    config.data.frames = 1
    batch = next(loader.training_batches(builder, config))
    np.testing.assert_array_equal(batch.frames.index, batch.index)
    np.testing.assert_array_equal(batch.frames.images, batch.images)


@pytest.mark.parametrize('process_count', [1, 2])
def test_evaluation_counts_every_target_once(builder, config, process_count):
    config.evaluation.batch_size = 4
    shares = [
        loader.evaluation_batches(
            builder, config, process_index=process, process_count=process_count
        )
        for process in range(process_count)
    ]
    targets = [index for share in shares for batch in share for index in batch.index[batch.valid]]
    assert sorted(targets) == list(range(7))


def test_training_goes_on_with_the_same_windows(builder, config):
    batches = loader.training_batches(builder, config)
    next(batches)
    state, expected = batches.get_state(), next(batches).frames.index
    again = loader.training_batches(builder, config)
    again.set_state(state)
    np.testing.assert_array_equal(next(again).frames.index, expected)


def test_a_frame_that_windows_share_is_read_once(builder):
    reads = []

    class Watched(Reader):
        def batch(self, indices):
            reads.extend(indices)
            return super().batch(indices)

    positions = np.argsort(loader.labels(builder, 'train').frame)
    runs = windows.runs_of(windows.videos_of(builder, 'train'))
    reader = windows.WindowReader(Watched(builder, 'train', skeletons.H36M17), runs, frames=3)
    reader.batch(positions[[0, 2, 1]])
    assert sorted(reads) == sorted(positions[:4])


def test_without_pictures_the_size_of_the_crops_is_left(builder, config):
    config.data.pictures = False
    batch = next(loader.training_batches(builder, config))
    assert (batch.images.shape, batch.frames.images.shape) == ((4, 16, 12, 0), (12, 16, 12, 0))


def test_training_skips_a_target_with_its_window_and_marks_bad_neighbours(tmp_path, config):
    damaged = tiny_people.build(tmp_path, cut=(2,))
    config.data.bad_image = 'skip'
    labels = loader.labels(damaged, 'train')
    batches = loader.training_batches(damaged, config)
    for batch in (next(batches) for _ in range(4)):
        assert batch.valid.all()
        frame = labels.frame[batch.frames.index]
        np.testing.assert_array_equal(batch.frames.valid, frame != 2)
        np.testing.assert_array_equal(batch.frames.index[1::3], batch.index)
    assert len(batches.bad_images) == 1


def test_labels_are_read_once_and_kept_beside_the_dataset(tmp_path):
    builder = tiny_people.build(tmp_path)
    first = windows.videos_of(builder, 'train')
    (kept,) = builder.data_path.glob('videos-*')
    builder.info.splits['train'].filepaths[0].write_bytes(b'')
    second = windows._load(kept)
    assert second is not None
    for one, other in zip(vars(first).values(), vars(second).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_kept_is_read_again_where_it_is_damaged(builder):
    first = windows.videos_of(builder, 'test')
    (kept,) = builder.data_path.glob('videos-test*')
    kept.write_bytes(b'PK')
    np.testing.assert_array_equal(windows.videos_of(builder, 'test').frames, first.frames)


def test_a_dataset_of_single_pictures_has_no_sequences(tmp_path, config):
    builder = tiny_people.build(tmp_path, train=2, test=2)
    config.training.batch_size = 2
    with pytest.raises(UserError, match=r'no sequences, .* set config\.data\.frames=1'):
        loader.training_batches(builder, config)


def test_actions_name_a_video_only_where_frames_would_be_there_twice(builder):
    assert 'action' not in windows.videos_of(builder, 'train').names[0]


def test_windows_of_stored_features_hold_those_of_their_frames(builder, config):
    work = features.Work(
        test_features.extract, {'train': Reader(builder, 'train', skeletons.H36M17)}, 4, 1
    )
    made = features.Builder(builder, test_features.SETTINGS, work)
    made.download_and_prepare(file_format='array_record')
    batch = next(loader.training_batches(made, config))
    assert batch.frames.contexts.shape == (12, 2, 17, 3)
    np.testing.assert_array_equal(batch.frames.contexts[:, 0, 0, 0], batch.frames.index)
    np.testing.assert_array_equal(batch.contexts, batch.frames.contexts[1::3])

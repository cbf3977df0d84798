"""A whole video of people made of dots, through files and streams, with interruptions."""

import dataclasses
import os

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import photograph_camera, predictor
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import CameraChoice, Predictor
from capf_jax.inference.video import (
    track_parts,
    video_people,
    video_prediction,
    video_stream,
    video_tracks,
)
from capf_jax.inference.video.smoothing import Smoothing
from capf_jax.inference.video.video_frames import CutShortError, Frame, FrameChoice
from capf_jax.inference.video.video_prediction import VideoRun
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import cameras
from tests.inference import dotted_people
from tests.inference.dotted_people import Boxes, DotEstimator
from tests.inference.video import video_samples

SIZE = (320, 240)
K = np.array([260.0, 260.0, 159.5, 119.5])
FRAMES = 8
ROOTS = np.array([[-1.3, 0.0, 6.0], [1.3, 0.1, 6.0]])
POSES = np.stack([dotted_people.pose(seed) for seed in range(2)])
RAW = Finish(Smoothing('none'), bones=False, feet=False, gaps=0.0)


class CountingFinder(Boxes):
    """Finds both people, and says how often it was asked; it may be interrupted."""

    def __init__(self, ends_at=None, error=KeyboardInterrupt):
        joints = cameras.project(POSES + ROOTS[:, None], K)
        first, last = joints.min(axis=1), joints.max(axis=1)
        super().__init__(np.concatenate([first, last - first], axis=1), [0.9, 0.8], SIZE)
        self.calls, self.ends_at, self.error = 0, ends_at, error

    def find(self, image):
        if self.calls == self.ends_at:
            raise self.error
        self.calls += 1
        return super().find(image)


@pytest.fixture(scope='module')
def pixels():
    return dotted_people.picture(POSES + ROOTS[:, None], K, SIZE)


@pytest.fixture(scope='module')
def path(tmp_path_factory, pixels):
    return video_samples.write(tmp_path_factory.mktemp('video') / 'dots.mkv', [pixels] * FRAMES)


def run_with(finder, poses=POSES, **changes):
    predictor = Predictor(
        Models.of(DotEstimator(poses)),
        CameraChoice(of_all=photograph_camera.from_intrinsics(K, SIZE)),
        lambda: finder,
    )
    return VideoRun(predictor, **({'finish': RAW} | changes))


@pytest.fixture(scope='module')
def whole(path):
    """The result of the whole video, as predicted."""
    return video_prediction.predict_file(path, run_with(CountingFinder()))


def test_a_video_becomes_tracks(whole):
    result = whole
    tracks = result.tracks
    assert (tracks.ids.tolist(), result.failure) == ([0, 1], '')
    assert tracks.valid.all()
    assert tracks.frames.tolist() == list(range(FRAMES))
    assert (tracks.fps, tracks.image_size, tracks.source) == (10.0, SIZE, 'dots.mkv')
    expected = cameras.project(POSES + ROOTS[:, None], K)
    assert np.median(np.abs(tracks.joints2d - expected[:, None])) < 1
    assert {'decode', 'find', 'lift', 'place', 'store', 'finish'} <= result.seconds.keys()


@pytest.mark.parametrize('finish', [RAW, Finish(axes='y_up')])
def test_the_root_of_tracks_is_their_root_joint_wherever_the_lifter_puts_it(path, finish):
    run = run_with(CountingFinder(), POSES + np.array([0.05, -0.02, 0.03]), finish=finish)
    tracks = video_prediction.predict_file(path, run).tracks
    joint = dotted_people.SKELETON.root
    np.testing.assert_allclose(tracks.joints3d[:, :, joint], tracks.root, atol=1e-9)


def test_stride_and_range_choose_frames(path):
    run = run_with(CountingFinder(), choice=FrameChoice(0.15, 0.7, 3))
    assert video_prediction.predict_file(path, run).tracks.frames.tolist() == [2, 5]


def test_an_interrupted_run_goes_on(path, whole, tmp_path):
    parts = tmp_path / 'parts'
    with pytest.raises(KeyboardInterrupt):
        video_prediction.predict_file(path, run_with(CountingFinder(5)), parts)
    assert len(list(track_parts.read(parts))) == 5
    finder = CountingFinder()
    tracks = video_prediction.predict_file(path, run_with(finder), parts).tracks
    assert finder.calls == FRAMES - 5
    np.testing.assert_array_equal(tracks.joints3d, whole.tracks.joints3d)
    np.testing.assert_array_equal(tracks.ids, whole.tracks.ids)


def test_a_video_that_was_written_anew_begins_anew(path, pixels, tmp_path):
    copy = video_samples.write(tmp_path / 'dots.mkv', [pixels] * 4)
    with pytest.raises(KeyboardInterrupt):
        video_prediction.predict_file(copy, run_with(CountingFinder(2)), tmp_path / 'parts')
    os.utime(copy, (1, 1))
    finder = CountingFinder()
    video_prediction.predict_file(copy, run_with(finder), tmp_path / 'parts')
    assert finder.calls == 4


def test_people_of_several_frames_are_lifted_in_one_batch(pixels):
    finder = CountingFinder()
    run = run_with(finder)
    frames = [
        Frame(n, n / 10, dotted_people.picture(POSES + ROOTS[:, None], K, SIZE)) for n in (0, 1)
    ]
    video = video_prediction.video_models(run.predictor, frames[0], 'dots.mkv')
    estimator = run.predictor.models.lifter
    single = [next(iter(video_people.people_of([one], video))) for one in frames]
    estimator.crops.clear()
    both = list(video_people.people_of(frames, video, at_once=2))
    assert len(estimator.crops[-1]) == 4
    for one, other in zip(single, both, strict=True):
        np.testing.assert_allclose(one.people.pose, other.people.pose)
        np.testing.assert_allclose(one.people.root, other.people.root)


def test_a_video_that_is_cut_short_gives_what_there_is(pixels, tmp_path):
    frames = [np.roll(pixels, n, axis=1) for n in range(20)]
    noisy = [frame + np.random.default_rng(n).integers(0, 5, frame.shape, np.uint8)
             for n, frame in enumerate(frames)]  # fmt: skip
    whole = video_samples.write(tmp_path / 'whole.mkv', noisy)
    cut = tmp_path / 'cut.mkv'
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    result = video_prediction.predict_file(cut, run_with(CountingFinder()))
    assert 'cut.mkv is cut short after' in result.failure
    assert 3 < len(result.tracks.times) < 9


def test_nobody_in_a_video_is_an_empty_result(tmp_path):
    black = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    path = video_samples.write(tmp_path / 'black.mkv', [black] * 3)
    nobody = Boxes(np.zeros((0, 4)), [], SIZE)
    tracks = video_prediction.predict_file(
        path, run_with(nobody, finish=Finish(axes='z_up'))
    ).tracks
    assert (len(tracks), len(tracks.times), tracks.axes) == (0, 3, 'z_up')


def test_finishing_smooths_and_stands_upright(whole):
    tracks = whole.tracks
    random = np.random.default_rng(0)
    shaken = dataclasses.replace(
        tracks, joints3d=tracks.joints3d + random.normal(0, 0.03, tracks.joints3d.shape)
    )
    slow = Smoothing('butterworth', 1.0)
    smooth = video_tracks.finished(shaken, Finish(slow, axes='y_up', feet=False))
    assert smooth.axes == 'y_up'
    assert smooth.camera.position is not None

    def shake(one):
        pose = one.joints3d - one.root[:, :, None]
        return np.abs(np.diff(pose, axis=1)).mean()

    assert shake(smooth) < 0.3 * shake(shaken)


def test_the_calibration_tells_what_is_up(path):
    up = -cameras.upright_rotation(20, 5)[1]
    run = run_with(CountingFinder(), finish=dataclasses.replace(RAW, axes='z_up'))
    of_all = dataclasses.replace(run.predictor.cameras.of_all, up=up)
    told = dataclasses.replace(run.predictor, cameras=CameraChoice(of_all=of_all))
    run = dataclasses.replace(run, predictor=told)
    tracks = video_prediction.predict_file(path, run).tracks
    np.testing.assert_allclose(tracks.camera.rotation[:, 2], up, atol=1e-9)


def test_as_many_people_as_the_finder_can_find_are_told(path):
    finder = CountingFinder()
    finder.most_people = 2
    note = video_prediction.predict_file(path, run_with(finder)).note
    assert note.startswith('dots.mkv: 2 people were found, the most that this finder gives')


def frames_of(pixels, number, error=None):
    def frames(source):
        for n in range(number):
            yield Frame(n, n / 10, pixels)
        if error is not None:
            raise error

    return frames


def test_a_stream_gives_people_with_numbers_and_its_delay(pixels, capsys):
    predictor = run_with(CountingFinder()).predictor
    lives = list(
        video_stream.stream('camera:0', predictor, Smoothing('one_euro'), frames_of(pixels, 5))
    )
    assert [live.people.ids.tolist() for live in lives] == [[0, 1]] * 5
    assert all(live.delay > 0 for live in lives)
    assert 'delay from picture to pose: ' in capsys.readouterr().err


def test_a_stream_ends_with_the_camera(pixels, capsys):
    predictor = run_with(CountingFinder()).predictor
    error = CutShortError('camera 0 gives no more pictures after 2 frames')
    stream = video_stream.stream(
        'camera:0', predictor, Smoothing('one_euro'), frames_of(pixels, 2, error)
    )
    lives = []
    with pytest.raises(CutShortError, match='after 2 frames'):
        lives.extend(stream)
    assert '(2 frames)' in capsys.readouterr().err


def test_a_stream_cannot_wait_for_later_frames(pixels):
    predictor = run_with(CountingFinder()).predictor
    with pytest.raises(UserError, match="'butterworth' smooths with later frames"):
        video_stream.stream('camera:0', predictor, Smoothing('butterworth'))


@pytest.mark.parametrize(
    ('source', 'words'),
    [
        (0, '0 is no source of a stream; write camera:0'),
        (['a.mp4'], 'a stream is of one camera.* not of a list'),
        ('camera:x', "'camera:x' names no camera"),
    ],
)
def test_what_is_no_source_of_a_stream_is_told_at_once(source, words):
    with pytest.raises(UserError, match=words):
        video_stream.stream(source, run_with(CountingFinder()).predictor, Smoothing('one_euro'))


def test_a_full_disk_keeps_no_temporary_parts(path, monkeypatch):
    def full(self, frame):
        raise track_parts.DiskFullError('the same command goes on')

    monkeypatch.setattr(track_parts.PartsWriter, 'append', full)
    with pytest.raises(track_parts.DiskFullError, match=r'at dots\.mkv, of which nothing is kept'):
        video_prediction.predict_file(path, run_with(CountingFinder()))


def test_python_shows_a_bar_where_it_is_asked_to(path, capsys):
    run = run_with(CountingFinder())
    for shows_progress in (False, True):
        predictor.predict(
            run.predictor.models.lifter,
            path,
            camera=run.predictor.cameras,
            finder=CountingFinder(),
            shows_progress=shows_progress,
        )
        assert ('8/8' in capsys.readouterr().err) == shows_progress


def test_no_video_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no video'):
        video_prediction.predict_file(tmp_path / 'none.mp4', run_with(CountingFinder()))

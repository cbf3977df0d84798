"""A live source lifted by a sequence lifter: each person's poses are those of its whole windows."""

import dataclasses

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import aiming, predictor
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.video import video_people, video_prediction, video_stream
from capf_jax.inference.video.smoothing import Smoothing
from capf_jax.inference.video.video_frames import CutShortError, Frame
from capf_jax.inference.video.video_prediction import VideoRun
from capf_jax.inference.video.video_tracks import Finish
from capf_jax.pose import cameras, viewing_ray
from capf_jax.pose.normalise import normalise_by_image
from tests import tiny
from tests.inference import dotted_people
from tests.inference.dotted_people import Boxes, DotEstimator
from tests.inference.sequence_files import written
from tests.inference.video import video_samples

SIZE = (320, 240)
K = np.array([260.0, 260.0, 159.5, 119.5])
LENGTH = 8
HIDDEN = 4  # the frame in which nobody finds the second person
RUNS = [(0, range(LENGTH)), (1, range(HIDDEN)), (1, range(HIDDEN + 1, LENGTH))]
POSES = np.stack([dotted_people.pose(seed) for seed in range(2)])
ROOTS = np.array([[-1.3, 0.0, 6.0], [1.3, 0.1, 6.0]])
DOTS = DotEstimator(POSES)


def people_at(t):
    """The joints of both people, who move and turn their arms, in the camera's frame."""
    return (
        POSES * (1 + 0.05 * np.sin(t + np.arange(17))[:, None]) + ROOTS[:, None] + [0.06 * t, 0, 0]
    )


# Joints [LENGTH, 2, 17, 3] and pictures of every frame.
PEOPLE = np.stack([people_at(t) for t in range(LENGTH)])
PICTURES = [dotted_people.picture(people, K, SIZE) for people in PEOPLE]


class Finder:
    """Finds both people frame by frame, but for the one who is hidden."""

    def __init__(self):
        self.calls = 0

    def find(self, image):
        joints = cameras.project(PEOPLE[self.calls], K)
        number = 1 if self.calls == HIDDEN else 2
        self.calls += 1
        first, last = joints.min(axis=1), joints.max(axis=1)
        boxes = np.concatenate([first, last - first], axis=1)[:number]
        return Boxes(boxes, [0.9, 0.8][:number], SIZE).find(image)


@pytest.fixture(
    scope='module', params=['camera', pytest.param('viewing_ray', marks=pytest.mark.slow)]
)
def own_detector(request, tmp_path_factory):
    """A CA-PF-S whose detector finds the joints: as published, or as a camera likes it best."""
    if request.param == 'camera':
        config = tiny.windowed(tiny.config(), projection_channels=4)
    else:
        config = tiny.windowed(tiny.config(), frame='viewing_ray', joints2d='detector')
        config.model.lifter.update(ablation_step=3, deformable=True)
    path = tmp_path_factory.mktemp('own') / f'{request.param}.safetensors'
    # One size of batch is one program to compile.
    return dataclasses.replace(written(path, config, tiny.windows()), largest_batch=1)


@pytest.fixture(scope='module')
def poseformer(tmp_path_factory):
    config = tiny.windowed(tiny.config(), sequence_lifter='poseformer')
    config.data.causal, config.data.frame_step = True, 2
    return written(tmp_path_factory.mktemp('p') / 'causal.safetensors', config, tiny.windows())


def predictor_of(estimator, detector=None, **options):
    """Random detectors are sure of nothing."""
    return predictor.of_arguments(
        estimator, K, detector=detector, finder=Finder(), least_confidence=-np.inf,
        has_videos=True, **options,
    )  # fmt: skip


def in_whole_windows(estimator, detector, offsets, flip_test):
    """What `lift_sequence` gives of each run's windows, relative to its own pelvis.

    Returns {(person, frame): pose along 'camera'}.
    """
    run = predictor_of(estimator, detector)
    video = video_prediction.video_models(run, Frame(0, 0.0, PICTURES[0]), '')
    views, joints2d, crops, in_crops = {}, {}, {}, {}
    for t, pixels in enumerate(PICTURES):
        aimed, _ = video_people.aim(pixels, video)
        for n, view in enumerate(aimed.views):
            one = view.crop(pixels)
            joints = view.to_crop(aimed.joints2d[n])
            if detector is None:  # the joints that are found on the very crop
                joints = estimator.joints(one[None])[0][0]
            by_image = normalise_by_image(view.to_photograph(joints)[None], np.array([SIZE]))[0]
            views[n, t], joints2d[n, t], crops[n, t], in_crops[n, t] = view, by_image, one, joints
    poses = {}
    for n, frames in RUNS:
        for t in frames:
            window = np.clip(t + np.array(offsets), frames[0], frames[-1])
            arrays = [joints2d, crops, in_crops] if estimator.detector else [joints2d]
            batch = (np.stack([each[n, w] for w in window])[None] for each in arrays)
            pose = estimator.lift_sequence(*batch, flip_test=flip_test)
            pose = viewing_ray.to_camera(pose, views[n, t].rotation[None])[0]
            poses[n, t] = pose - pose[0]
    return poses


def assert_equal(lives, expected):
    assert [live.frame.number for live in lives] == list(range(LENGTH))
    assert [live.people.time.tolist() for live in lives] == [
        [live.frame.time] * len(live.people) for live in lives
    ]
    given = {
        (int(one), live.frame.number): pose
        for live in lives
        for one, pose in zip(live.people.ids, live.people.pose, strict=True)
    }
    assert given.keys() == expected.keys()
    keys = sorted(expected)
    poses = np.stack([expected[key] for key in keys])
    assert np.ptp(poses[:LENGTH], axis=0).max() > 0.003  # over the frames of one person
    np.testing.assert_allclose(np.stack([given[key] for key in keys]), poses, atol=2e-5)


def test_poses_are_those_of_whole_windows_and_come_with_their_frames(own_detector):
    asked = []

    def frames(source):
        for t, pixels in enumerate(PICTURES):
            asked.append(t)
            yield Frame(t, t / 10, pixels)

    run = predictor_of(own_detector)
    lives, last_asked = [], []
    for live in video_stream.stream('camera:0', run, Smoothing('none'), frames):
        lives.append(live)
        last_asked.append(asked[-1])
    # The middle frame of three waits for the one behind it.
    assert last_asked == [*range(1, LENGTH), LENGTH - 1]
    assert_equal(lives, in_whole_windows(own_detector, None, [-1, 0, 1], flip_test=True))


def test_a_causal_poseformer_lifts_the_joints_of_another_file(poseformer, tmp_path):
    path = video_samples.write(tmp_path / 'dots.mkv', PICTURES)
    lives = list(
        poseformer.stream(
            path, K, detector=DOTS, finder=Finder(), flip_test=False, smoothing='none'
        )
    )
    assert_equal(lives, in_whole_windows(poseformer, DOTS, [-4, -2, 0], flip_test=False))
    joints2d = cameras.project(PEOPLE, K)
    assert np.median(np.abs(lives[0].people.joints2d - joints2d[0])) < 1
    assert lives[0].people.valid.all()


def test_the_detector_runs_once_a_person(own_detector, monkeypatch):
    """But for the crop's place, which a finder that knows no joints does not tell."""
    run = predictor_of(own_detector)
    video = video_prediction.video_models(run, Frame(0, 0.0, PICTURES[0]), '')
    aimed, _ = video_people.aim(PICTURES[0], video)
    monkeypatch.setattr(video_people, 'aim', lambda *_: (aimed, np.ones((2, 4))))
    crops = []
    real = aiming.crops_of
    monkeypatch.setattr(aiming, 'crops_of', lambda *args: crops.append(real(*args)) or crops[-1])
    monkeypatch.setattr(type(own_detector), 'joints', None)  # it is not asked

    def frames(_):
        return (Frame(t, t / 10, PICTURES[0]) for t in range(3))

    assert len(list(video_stream.stream('', run, Smoothing('none'), frames))) == 3
    assert [len(each) for each in crops] == [2, 2, 2]


def test_an_interrupted_video_goes_on_in_the_middle_of_windows(poseformer, tmp_path):
    path = video_samples.write(tmp_path / 'dots.mkv', PICTURES)
    raw = Finish(Smoothing('none'), bones=False, feet=False, gaps=0.0)

    class Numbered(Finder):
        """Goes on at the frame that is asked for first."""

        def __init__(self, calls, ends_at=LENGTH):
            self.calls, self.ends_at = calls, ends_at

        def find(self, image):
            if self.calls == self.ends_at:
                raise KeyboardInterrupt
            return super().find(image)

    def tracks_of(finder, parts):
        run = predictor_of(poseformer, DOTS, flip_test=False)
        run = dataclasses.replace(run, finder=lambda: finder)
        return video_prediction.predict_file(path, VideoRun(run, finish=raw), parts).tracks

    whole = tracks_of(Numbered(0), tmp_path / 'whole')
    assert whole.valid[0].all()
    with pytest.raises(KeyboardInterrupt):
        tracks_of(Numbered(0, ends_at=6), tmp_path / 'parts')
    again = tracks_of(Numbered(2), tmp_path / 'parts')  # 6 frames are stored, windows reach over 5
    np.testing.assert_allclose(again.joints3d, whole.joints3d, atol=1e-6)


def test_a_source_that_is_cut_short_gives_the_frames_before(own_detector):
    def frames(source):
        for t, pixels in enumerate(PICTURES[:3]):
            yield Frame(t, t / 10, pixels)
        raise CutShortError('the camera is gone')

    lives = []
    stream = video_stream.stream('', predictor_of(own_detector), Smoothing('none'), frames)
    with pytest.raises(CutShortError, match='the camera is gone'):
        lives.extend(stream)
    assert [live.frame.number for live in lives] == [0, 1, 2]
    assert np.isfinite(lives[-1].people.pose).all()


def one_frame(source):
    yield Frame(0, 0.0, PICTURES[0])


def test_what_a_sequence_file_cannot_do_is_told(poseformer):
    with pytest.raises(UserError, match='this one lifts the frames of a video or of a camera'):
        Models.of(poseformer)
    with pytest.raises(UserError, match='finds no 2D joints; give the weights of a detector'):
        next(video_stream.stream('', predictor_of(poseformer), Smoothing('none'), one_frame))

"""Scores of weight files on real samples, tried on people of dots whose poses are known."""

import types

import cv2
import numpy as np
import pytest

from benchmarks import photographs, real_samples, sample_boxes, sample_errors
from benchmarks.photographs import Way
from benchmarks.sample_boxes import Boxes
from benchmarks.sample_errors import Prediction
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import cameras, viewing_ray
from capf_jax.pose.skeletons import H36M17, MPI_INF_3DHP17
from tests.inference import dotted_people
from tests.inference.dotted_people import DotEstimator

SIZE = (640, 480)
K = np.array([600.0, 600.0, 319.5, 239.5])
ROOT = np.array([0.5, 0.1, 5.0])  # metres
SET = 'h36m-mmpose'


@pytest.fixture(scope='module')
def joints():
    """[17, 3], metres, camera frame."""
    return dotted_people.pose(0) + ROOT


@pytest.fixture(scope='module')
def samples(joints, tmp_path_factory):
    """A set of one person of dots, as `real_samples` reads it."""
    folder = tmp_path_factory.mktemp('samples')
    (folder / SET / 'images').mkdir(parents=True)
    pixels = dotted_people.picture(joints[None], K, SIZE)
    cv2.imwrite(str(folder / SET / 'images' / 'dots.png'), pixels[..., ::-1])
    np.savez(
        folder / SET / 'sample.npz',
        image=np.array(['dots.png']),
        camera=np.array(['camera']),
        K=viewing_ray.matrix(K)[None],
        image_hw=np.array([SIZE[::-1]]),
        joints_2d_gt=cameras.project(joints, K)[None],
        joints_3d_cam_mm=1000 * joints[None],
    )
    return real_samples.read(folder, SET)


@pytest.fixture(scope='module')
def models(joints):
    """Networks that see the true pose in the frame of the crop's camera."""
    places = cameras.project(joints, K)
    turn = viewing_ray.rotation_towards((places.min(0) + places.max(0)) / 2, K)
    pose = viewing_ray.to_viewing_ray(joints - joints[:1], turn)
    return Models.of(DotEstimator(pose[None]))


class Finder:
    """Finds people in these boxes of a picture of SIZE, in a copy of any size."""

    def __init__(self, *boxes):
        self.boxes = np.array(boxes, np.float64).reshape(-1, 4)

    def find(self, image):
        """Boxes and scores."""
        scale = max(image.shape) / max(SIZE)
        first = (self.boxes[:, :2] + 0.5) * scale - 0.5
        boxes = np.concatenate([first, self.boxes[:, 2:] * scale], axis=1)
        return types.SimpleNamespace(boxes=boxes, scores=np.linspace(0.9, 0.5, len(boxes)))


def predict(samples, models, boxes):
    ways = [Way('found', models, False), Way('true', models, True)]
    return photographs.predict(samples, ways, boxes, True, dotted_people.pose(1) * 1000)


@pytest.mark.parametrize('way', [0, 1])
def test_a_lifter_that_is_right_has_no_error(samples, models, way):
    _, predictions = predict(samples, models, Boxes(None))
    *errors, share, people = sample_errors.numbers(predictions[way], samples)
    assert max(errors) < 12  # mm: hidden dots move the middle of the crop
    assert share < 1.0
    assert people == 1


def test_mean_pose_is_turned_to_the_ray_of_the_person(samples, models, joints):
    means, _ = predict(samples, models, Boxes(None))
    pose = means[0].pose
    places = cameras.project(joints, K)
    turn = viewing_ray.rotation_towards((places.min(0) + places.max(0)) / 2, K)
    np.testing.assert_allclose(pose @ turn.T, dotted_people.pose(1) * 1000, atol=1e-6)


def test_mean_pose_stands_upright():
    pose = photographs.mean_pose(30)
    height = pose[:, 1]
    assert height[H36M17.index('head')] < -350  # y points down
    assert height[H36M17.index('left_ankle')] > 350
    np.testing.assert_array_equal(pose[0], 0)


def test_found_person_is_the_one_that_overlaps(samples, models):
    pixels = next(real_samples.pictures(samples))
    truth = sample_boxes.true_box(samples[0].joints2d)
    near = truth + np.array([5, -5, 8, 0])
    finder = Finder([0, 0, 60, 60], near)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(Boxes(finder).of(pixels, samples[0].joints2d, rng), near)


@pytest.mark.parametrize('boxes', [(), ([0, 0, 60, 60],)])
def test_a_person_who_is_not_found_is_not_scored(samples, models, boxes):
    _, predictions = predict(samples, models, Boxes(Finder(*boxes)))
    assert predictions[0] == [None]
    assert predictions[1] != [None]  # The true joints need no box.
    assert sample_errors.numbers(predictions[0], samples)[-1] == 0


def test_wrong_boxes_are_off_by_the_share():
    box = np.array([100.0, 50.0, 40.0, 80.0])
    rng = np.random.default_rng(0)
    boxes = np.stack([sample_boxes.wrong_box(box, 0.1, rng) for _ in range(50)])
    middle = boxes[:, :2] + boxes[:, 2:] / 2
    np.testing.assert_allclose(np.linalg.norm(middle - [120, 90], axis=1), 8)
    assert set(np.round(boxes[:, 2])) == {36, 44}
    np.testing.assert_allclose(boxes[:, 3], 2 * boxes[:, 2])


def test_overlap_is_intersection_over_union():
    box = np.array([0.0, 0.0, 10.0, 10.0])
    assert sample_boxes.overlap(box, box) == 1
    assert sample_boxes.overlap(box, box + np.array([5, 0, 0, 0])) == pytest.approx(50 / 150)
    assert sample_boxes.overlap(box, box + np.array([20, 0, 0, 0])) == 0


def test_numbers_are_millimetres_and_percent(samples):
    sample = samples[0]
    truth = sample.joints3d - sample.joints3d[0]
    moved = truth + np.array([0, 0, 30])
    moved[0] = 0
    longer = np.ptp(sample.joints2d, axis=0).max()
    prediction = Prediction(moved, sample.joints2d + np.array([0.02 * longer, 0]))
    mpjpe, _, pa, share, _ = sample_errors.numbers([prediction], samples)
    assert mpjpe == pytest.approx(30 * 16 / 17)
    assert 0 < pa < mpjpe
    assert share == pytest.approx(2)


def test_details_say_along_which_axis(samples):
    sample = samples[0]
    moved = sample.joints3d - sample.joints3d[0] + [1, -2, 2]
    rows = sample_errors.details([None, Prediction(moved, sample.joints2d)], [*samples, *samples])
    assert [row[0] for row in rows] == [*H36M17.joints, 'mean']
    np.testing.assert_allclose(rows[5][1:], [3, 1, 2, 2])


def test_several_files_get_their_mean(samples, models):
    ways = [Way('a', models, False), Way('b', models, False), Way('a true', models, True)]
    truth = samples[0].joints3d - samples[0].joints3d[0]
    predictions = [[Prediction(truth * s, samples[0].joints2d)] for s in (1.0, 1.2, 1.0)]
    means = [Prediction(truth * 0, samples[0].joints2d)]
    rows = photographs.table(SET, samples, ways, means, predictions)
    by_label = {row[0]: row[1:] for row in rows}
    assert by_label["mean of 2 files, detector's joints"][0] == pytest.approx(by_label['b'][0] / 2)
    assert not any('true' in label and 'mean of' in label for label in by_label)
    assert sum('quoted' in label for label in by_label) == 2


def test_joints_of_another_skeleton_are_refused(samples, joints):
    estimator = DotEstimator(joints[None])
    estimator.skeleton = MPI_INF_3DHP17
    with pytest.raises(ValueError, match='mpi_inf_3dhp17'):
        photographs._order(estimator.skeleton)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--box_error=2'], 'box_error'),
        (['--every=0'], 'every'),
        (['--set=h36m'], 'set'),
        (['--joints=noisy'], 'joints'),
    ],
)
def test_senseless_arguments_are_one_sentence(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        photographs.main(['photographs', str(tmp_path), '--weights=a.safetensors', *arguments])

"""The stages from a photograph to its people, on people of dots whose poses are known."""

import dataclasses

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import given_joints, photograph_camera, photographs, predictor, sources
from capf_jax.inference.calibration_files import Calibration
from capf_jax.inference.camera_choice import CameraChoice
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import cameras, stature, viewing_ray
from tests.inference import dotted_people
from tests.inference.dotted_people import Boxes, DotEstimator, DoubtfulEstimator

SIZE = (1280, 720)
K = np.array([900.0, 900.0, 639.5, 359.5])
CAMERA = photograph_camera.from_intrinsics(K, SIZE)
DEPTH = 5.0
# The same camera with a lens that moves the people of the tests by tens of pixels.
CALIBRATION = f"""[cam]
name = "cam"
size = {list(SIZE)}
matrix = {viewing_ray.matrix(K).tolist()}
distortions = [-0.2, 0.05, 0.001, 0.0]
"""
LIFTED_ASIDE = np.array([0.05, -0.02, 0.03])  # metres from the origin to a lifter's root joint


def people_at(*places):
    """Poses [N, 17, 3], roots [N, 3] of people seen at these pixels, DEPTH metres away."""
    poses = np.stack([dotted_people.pose(seed) for seed in range(len(places))])
    rays = viewing_ray.unproject(np.array(places, np.float64), K)
    return poses, rays * DEPTH


def finder(poses, roots, scores=None):
    """What finds these people by the boxes of their joints."""
    joints = cameras.project(poses + roots[:, None], K)
    first, last = joints.min(axis=1), joints.max(axis=1)
    scores = np.linspace(0.9, 0.5, len(poses)) if scores is None else scores
    return Boxes(np.concatenate([first, last - first], axis=1), scores, SIZE)


def run(poses, roots, *, frame='viewing_ray', camera=CAMERA, **changes):
    """The people of a picture of these ones; the lifter says the pose in its own frame."""
    pixels = dotted_people.picture(
        poses + roots[:, None], camera.camera.intrinsics, SIZE, camera.camera.distortion
    )
    if frame == 'viewing_ray':
        # The lifter sees its crop alone, in which every person stands on the axis; so do the poses
        # that it gives.
        lifted = [_in_ray_frame(*each) for each in zip(poses, roots, strict=True)]
    else:
        lifted = poses
    models = Models.of(DotEstimator(lifted, frame))
    arguments = {'finder': finder(poses, roots), 'source': 'dots.png', **changes}
    return photographs.people_of(pixels, models, camera, **arguments)


def _in_ray_frame(pose, root):
    """A pose in the frame of the ray through the middle of the person's joints."""
    joints = cameras.project(pose + root, K)
    middle = (joints.min(axis=0) + joints.max(axis=0)) / 2
    return viewing_ray.to_viewing_ray(pose, viewing_ray.rotation_towards(middle, K))


@pytest.mark.parametrize('frame', ['viewing_ray', 'camera'])
def test_people_are_where_they_stand(frame):
    poses, roots = people_at((640, 360), (250, 300), (1050, 420))
    people = run(poses, roots, frame=frame)
    assert people.valid.all()
    np.testing.assert_allclose(people.pose, poses, atol=0.01)
    np.testing.assert_allclose(people.root, roots, atol=0.05)
    joints = cameras.project(poses + roots[:, None], K)
    assert np.median(np.abs(people.joints2d - joints)) < 0.5  # some dots hide others


def test_a_pose_is_relative_to_its_root_joint_wherever_the_lifter_puts_it():
    poses, roots = people_at((640, 360), (250, 300))
    centre, moved = run(poses, roots), run(poses + LIFTED_ASIDE, roots - LIFTED_ASIDE)
    np.testing.assert_array_equal(moved.pose[:, dotted_people.SKELETON.root], 0)
    np.testing.assert_allclose(moved.pose, centre.pose, atol=1e-9)
    np.testing.assert_allclose(moved.root, centre.root, atol=1e-6)


def test_a_person_at_the_border_is_no_worse_than_one_in_the_middle():
    errors = []
    for place in [(640, 360), (1130, 360), (190, 300)]:
        poses, roots = people_at(place)
        people = run(poses, roots)
        errors.append(np.abs(people.joints3d - poses - roots[:, None]).mean())
    assert max(errors[1:]) < 1.5 * errors[0] + 0.005


def test_the_crop_is_aimed_by_the_joints_whatever_the_box():
    poses, roots = people_at((700, 380))
    joints = cameras.project(poses[0] + roots[0], K)
    first, last = joints.min(axis=0) - 30, joints.max(axis=0) + 90
    people = run(poses, roots, finder=None, boxes=[[*first, *(last - first)]])
    np.testing.assert_allclose(people.pose, poses, atol=0.02)
    np.testing.assert_allclose(people.boxes, [[*first, *(last - first)]])


@pytest.fixture(scope='module')
def through_a_lens(tmp_path_factory):
    """Two people, the camera of a calibration file with distortion, and what is predicted by it."""
    path = tmp_path_factory.mktemp('calibration') / 'Calib.toml'
    path.write_text(CALIBRATION)
    camera = Calibration.read(path).camera(SIZE)
    poses, roots = people_at((300, 250), (1000, 480))
    return poses, roots, camera, run(poses, roots, camera=camera)


def test_a_lens_is_undone_before_anything_else(through_a_lens):
    poses, roots, camera, people = through_a_lens
    straight = run(poses, roots)  # the same people, by a lens without distortion
    np.testing.assert_allclose(people.pose, straight.pose, atol=0.01)
    np.testing.assert_allclose(people.root, straight.root, atol=0.06)
    # Who takes the lens for straight puts them somewhere else.
    pixels = dotted_people.picture(poses + roots[:, None], K, SIZE, camera.camera.distortion)
    models = Models.of(DotEstimator(poses, 'camera'))
    ignored = photographs.people_of(pixels, models, CAMERA, boxes=straight.boxes)
    assert np.linalg.norm(ignored.root - straight.root, axis=-1).min() > 0.1


def test_2d_joints_are_told_as_the_lens_shows_them(through_a_lens):
    poses, roots, camera, people = through_a_lens
    shown = cameras.project(poses + roots[:, None], K, camera.camera.distortion)
    np.testing.assert_allclose(people.joints2d, shown, atol=1.5)
    straight = cameras.project(poses + roots[:, None], K)
    assert np.abs(shown - straight).max() > 5


def test_given_joints_are_lifted_as_they_are():
    poses, roots = people_at((640, 360), (300, 300))
    joints = cameras.project(poses + roots[:, None], K) + 1.0
    given = given_joints.given(joints, skeleton='h36m17')
    people = run(poses, roots, finder=None, joints=given)
    np.testing.assert_allclose(people.joints2d, joints)
    np.testing.assert_array_equal(people.confidence, 1)
    np.testing.assert_allclose(people.root, roots, atol=0.1)


def test_everyone_is_as_tall_as_the_user_says():
    poses, roots = people_at((640, 360))
    people = run(poses, roots, height=1.5)
    skeleton = dotted_people.SKELETON
    np.testing.assert_allclose(stature.standing_height(people.pose, skeleton), 1.5)
    factor = 1.5 / stature.standing_height(poses, skeleton)
    np.testing.assert_allclose(people.root, roots * factor[:, None], atol=0.05)


@pytest.mark.parametrize(('most', 'is_told'), [(2, True), (3, False), (None, False)])
def test_as_many_people_as_the_finder_can_find_are_told(caplog, most, is_told):
    poses, roots = people_at((250, 360), (1050, 360))
    pixels = dotted_people.picture(poses + roots[:, None], K, SIZE)
    limited = finder(poses, roots)
    limited.most_people = most
    of_pictures = predictor.Predictor(
        Models.of(DotEstimator(poses)), CameraChoice(of_all=CAMERA), lambda: limited
    )
    assert len(of_pictures.people(sources.of_array(pixels), 'pictures/crowd.jpg')) == 2
    words = 'crowd.jpg: 2 people were found, the most that this finder gives: if there are more'
    assert [message[: len(words)] for message in caplog.messages] == [words] * is_told


def test_nobody_is_an_empty_result():
    people = run(np.zeros((0, 17, 3)), np.zeros((0, 3)))
    assert len(people) == 0
    assert people.pose.shape == (0, 17, 3)


def test_one_person_found_twice_is_one():
    poses, roots = people_at((640, 360), (250, 300))
    once = finder(poses, roots)
    twice = np.concatenate([once.boxes + np.array([5, 5, 10, 10]), once.boxes])
    people = run(poses, roots, finder=Boxes(twice, [0.8, 0.4, 0.9, 0.5], SIZE))
    assert len(people) == 2
    np.testing.assert_allclose(people.root, roots, atol=0.1)


def test_one_person_whose_joints_are_known_only_on_the_lifted_crops_is_one():
    poses, roots = people_at((640, 360))
    pixels = dotted_people.picture(poses + roots[:, None], K, SIZE)
    once = finder(poses, roots)
    twice = Boxes(np.concatenate([once.boxes, once.boxes]), [0.9, 0.8], SIZE)
    models = Models.of(DoubtfulEstimator(poses))
    people = photographs.people_of(pixels, models, CAMERA, finder=twice, source='dots.png')
    assert len(people) == 1


def test_unsure_and_tiny_people_are_left_out():
    poses, roots = people_at((640, 360), (250, 300))
    assert len(run(poses, roots, finder=finder(poses, roots, [0.9, 0.05]))) == 1
    assert len(run(poses, roots, least_confidence=0.95)) == 0
    far = np.array([[0, 0, 400.0]])
    assert len(run(poses[:1], far)) == 0


def test_a_given_box_without_a_person_is_not_valid():
    poses, roots = people_at((640, 360))
    people = run(poses, roots, finder=None, boxes=[[0, 0, 100, 200]])
    assert not people.valid.any()


@pytest.mark.parametrize(
    ('box', 'sentence'),
    [
        ([1300, 10, 50, 50], 'outside of the picture of 1280x720'),
        ([-60, 10, 50, 50], 'outside'),
        ([10, 10, 0, 50], 'is empty'),
        ([10, 10, np.nan, 50], 'is empty'),
        ([10, 10, 5, 10], 'too small'),
        ([-5, -5, 1e9, 1e9], 'far larger than the picture of 1280x720'),
    ],
)
def test_boxes_that_show_nobody_are_refused(box, sentence):
    poses, roots = people_at((640, 360))
    with pytest.raises(UserError, match=sentence):
        run(poses, roots, boxes=[box])


def test_a_height_that_is_none_is_refused():
    poses, roots = people_at((640, 360))
    with pytest.raises(UserError, match=r'such as 1\.75'):
        run(poses, roots, height=-1)


def test_options_of_videos_are_refused_for_pictures():
    estimator = DotEstimator([dotted_people.pose()])
    pixels = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(UserError, match='axes: an option of videos alone'):
        predictor.predict(estimator, pixels, axes='y_up')
    with pytest.raises(UserError, match="'flip_tst'; the nearest is 'flip_test' of source, boxes"):
        predictor.predict(estimator, pixels, flip_tst=False)


def test_a_file_without_a_lifter_is_refused():
    estimator = DotEstimator([])
    estimator.lifter = None
    with pytest.raises(UserError, match='lifts no photograph'):
        Models.of(estimator)


def test_a_lifter_without_a_detector_needs_one_or_joints():
    estimator = DotEstimator([dotted_people.pose()], 'camera')
    estimator.detector = None
    models = Models.of(estimator)
    pixels = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(UserError, match='--detector_weights'):
        photographs.people_of(pixels, models, CAMERA, boxes=[[0, 0, 50, 50]])


def test_a_detector_without_heatmaps_is_refused():
    other = DotEstimator([])
    entry = dataclasses.replace(other.detector.entry, heatmaps=None)
    other.detector.entry = entry
    with pytest.raises(UserError, match='finds no 2D joints'):
        Models.of(DotEstimator([]), other)

"""Which conversion of 2D joints a prediction takes, and which ones do not fit its networks."""

import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import aiming, given_joints, photograph_camera
from capf_jax.inference.photograph_models import Models
from capf_jax.inference.predictor import Predictor
from capf_jax.inference.video import part_settings
from capf_jax.inference.video.video_frames import FrameChoice
from capf_jax.pose import joint_conversions
from tests import tiny
from tests.inference import dotted_people
from tests.inference.dotted_people import DotEstimator
from tests.inference.sequence_files import written
from tests.inference.test_lift_crops import config as config
from tests.inference.test_lift_crops import estimator as estimator
from tests.inference.test_lift_crops import variables as variables

DOTS = DotEstimator(dotted_people.pose()[None])  # It finds Human3.6M's joints.
CAMERA = photograph_camera.from_field_of_view(55, (320, 240))


def given(skeleton, count):
    """One person's joints at random places."""
    places = np.random.default_rng(0).uniform(50, 200, (1, count, 2))
    return given_joints.given(places, skeleton=skeleton)


def test_the_rule_converts_what_the_detector_finds(estimator):
    _, conversion = Models.of(estimator, rule='gast').check_detector()
    assert conversion.rule == 'gast'


def test_without_a_name_the_rule_is_that_of_the_weights(estimator):
    _, conversion = Models.of(estimator).check_detector()
    assert conversion.rule == 'motionbert'


@pytest.mark.parametrize(('skeleton', 'rule'), [('coco17', 'motionbert'), ('body_25', 'openpose')])
def test_without_a_name_given_joints_are_converted_so_too(
    estimator,
    skeleton,
    rule,
):
    assert Models.of(estimator).conversion_of(skeleton).rule == rule


@pytest.mark.parametrize('rule', ['fitted', 'gast'])
def test_the_rule_converts_given_joints(rule):
    joints = given('coco17', 17)
    aimed = aiming.aim_at_joints(joints, CAMERA, Models.of(DOTS, rule=rule))
    expected = joint_conversions.get('coco17', 'h36m17', rule).joints(joints.joints)
    np.testing.assert_allclose(aimed.joints2d, expected)


def test_a_rule_may_be_one_for_given_joints_alone(estimator):
    models = Models.of(estimator, rule='openpose')
    assert models.conversion_of('body_25').rule == 'openpose'
    with pytest.raises(UserError, match=r"conversion 'openpose' does not .* give fitted or motion"):
        models.check_detector()


def test_an_unknown_rule_names_the_nearest():
    with pytest.raises(UserError, match="conversion is 'gasp'; the nearest is 'gast' of fitted, "):
        Models.of(DOTS, rule='gasp')
    with pytest.raises(UserError, match='conversion is 3; the nearest is '):
        Models.of(DOTS, rule=3)  # as a user of Python may write


def test_a_detector_of_the_lifters_joints_needs_no_rule():
    with pytest.raises(UserError, match="takes as they are: leave the conversion 'gast' out"):
        Models.of(DOTS, rule='gast').check_detector()


def test_given_joints_of_the_lifter_need_no_rule():
    with pytest.raises(UserError, match="the given 2D joints are those of 'h36m17', which dots"):
        Models.of(DOTS, rule='gast').conversion_of('h36m17')


def test_a_lifter_of_sequences_has_a_rule_too(tmp_path):
    windowed = tiny.windowed(tiny.config(), sequence_lifter='poseformer')
    lifter = written(tmp_path / 'sequences.safetensors', windowed, tiny.windows())
    models = Models.of(lifter, rule='gast', has_videos=True)
    assert models.conversion_of('coco17').rule == 'gast'


def test_parts_of_a_video_belong_to_their_rule(tmp_path):
    parts = [
        part_settings.of(tmp_path / 'a.mp4', Predictor(Models.of(DOTS, rule=rule)), FrameChoice())
        for rule in ('', 'gast')
    ]
    assert parts[0] != parts[1]

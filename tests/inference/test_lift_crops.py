"""`Estimator.lift_crops`: poses of the viewing-ray frame from crops alone."""

import jax
import numpy as np
import pytest

import capf_jax
from capf_jax.inference.photograph_models import Models
from capf_jax.pose import skeletons
from capf_jax.pose.flip import flip_batch, flip_joints, flip_pose
from tests import tiny
from tests.inference.test_estimator import filled, save


@pytest.fixture(scope='module')
def config():
    """A lifter of the viewing-ray frame on a detector of COCO's joints."""
    config = tiny.config()
    config.model.hrnet.skeleton = 'coco17'
    config.model.update(frame='viewing_ray', joints2d='detector', joint_conversion='motionbert')
    return config


@pytest.fixture(scope='module')
def variables(config):
    return filled(tiny.ca_pf(config).init, tiny.batch(1))


@pytest.fixture(scope='module')
def estimator(config, variables, tmp_path_factory):
    path = tmp_path_factory.mktemp('weights') / 'lifter.safetensors'
    return capf_jax.Estimator.load(save(path, 'ca_pf', variables, config), largest_batch=4)


def test_the_file_says_its_frame(estimator):
    assert estimator.frame == 'viewing_ray'


def test_crops_give_the_pose_of_the_model_by_the_detectors_joints(estimator, config, variables):
    model, batch = tiny.ca_pf(config), tiny.batch(4)
    apply = jax.jit(lambda batch: model.apply(variables, batch))
    plain, outputs = apply(batch)
    mirrored, _ = apply(flip_batch(batch, np.ones(4, bool), skeletons.H36M17))
    pose, joints, confidence = estimator.lift_crops(batch.images)
    expected = (plain + flip_pose(mirrored, skeletons.H36M17)) / 2
    np.testing.assert_allclose(pose, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(joints, outputs['detector_joints'], atol=1e-3)
    assert confidence.shape == (4, tiny.JOINTS)


def test_joints_from_outside_take_the_place_of_the_detectors(estimator):
    batch = tiny.batch(3)
    pose, joints, confidence = estimator.lift_crops(
        batch.images, batch.joints2d_crop, flip_test=False
    )
    np.testing.assert_array_equal(joints, batch.joints2d_crop)
    np.testing.assert_array_equal(confidence, np.ones((3, tiny.JOINTS)))
    own, _, _ = estimator.lift_crops(batch.images, flip_test=False)
    assert not np.allclose(pose, own, atol=1e-3)


def test_another_rule_is_one_of_the_lifter_too(estimator):
    models = Models.of(estimator, rule='gast')
    assert models.conversion.rule == models.lifter.lifter.whole.conversion.rule == 'gast'
    assert models.lifts_own_joints
    assert Models.of(estimator).lifter.lifter.whole.conversion.rule == 'motionbert'


def test_the_flip_test_of_a_mirrored_crop_is_the_mirrored_pose(estimator):
    batch = tiny.batch(2)
    mirrored = flip_joints(batch.joints2d_crop, tiny.WIDTH - 1, skeletons.H36M17)
    pose, _, _ = estimator.lift_crops(batch.images, batch.joints2d_crop)
    other, _, _ = estimator.lift_crops(batch.images[:, :, ::-1], mirrored)
    np.testing.assert_allclose(flip_pose(other, skeletons.H36M17), pose, atol=1e-5)


def test_joints_normalised_by_the_image_are_refused(estimator):
    batch = tiny.batch(1)
    with pytest.raises(ValueError, match='use lift_crops'):
        estimator.lift(batch.images, batch.joints2d / 1000, batch.joints2d_crop)


def test_a_file_of_before_the_frame_is_of_the_cameras(config, variables, tmp_path):
    model = config.model.to_dict()
    for field in ('frame', 'joints2d', 'joint_conversion'):
        del model[field]
    path = save(tmp_path / 'old.safetensors', 'ca_pf', variables, config, model=model)
    old = capf_jax.Estimator.load(path)
    assert old.frame == 'camera'
    with pytest.raises(ValueError, match='frame of the camera'):
        old.lift_crops(tiny.batch(1).images)


def test_a_file_that_was_trained_on_other_joints_needs_them(config, variables, tmp_path):
    model = config.model.to_dict() | {'joints2d': 'dataset'}
    path = save(tmp_path / 'other.safetensors', 'ca_pf', variables, config, model=model)
    with pytest.raises(ValueError, match='give joints2d_crop'):
        capf_jax.Estimator.load(path).lift_crops(tiny.batch(1).images)


@pytest.mark.parametrize(
    ('field', 'value', 'nearest'),
    [('frame', 'viewing_rey', 'viewing_ray'), ('joints2d', 'detect', 'detector'),
     ('joint_conversion', 'gasp', 'gast')],
)  # fmt: skip
def test_an_unknown_choice_names_the_nearest(config, variables, tmp_path, field, value, nearest):
    model = config.model.to_dict() | {field: value}
    path = save(tmp_path / 'wrong.safetensors', 'ca_pf', variables, config, model=model)
    with pytest.raises(ValueError, match=f"'{value}'; the nearest is '{nearest}'"):
        capf_jax.Estimator.load(path)

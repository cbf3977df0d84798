"""The joined model: what reaches the lifter, and what stays frozen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.pose.affine import to_image
from capf_jax.pose.crops import apply_affine
from tests import tiny


def model_of(**lifter):
    config = tiny.config()
    config.model.lifter.update(lifter)
    return tiny.ca_pf(config)


@pytest.fixture(scope='module')
def context():
    """Step 1 with its variables, jitted application and a batch."""
    model, batch = model_of(), tiny.batch(2)
    variables = tiny.variables(model, batch)
    return model, variables, jax.jit(lambda v, b: model.apply(v, b)), batch


def test_pose_and_intermediates_have_their_shapes(context):
    _, variables, apply, batch = context
    pose, intermediates = apply(variables, batch)
    assert pose.shape == (2, tiny.JOINTS, 3)
    assert intermediates['heatmaps'].shape == (2, tiny.HEIGHT // 4, tiny.WIDTH // 4, tiny.JOINTS)
    assert intermediates['detector_joints'].shape == (2, tiny.JOINTS, 2)
    assert 'embedded' in intermediates


def test_pose_depends_on_the_image(context):
    _, variables, apply, batch = context
    other = batch._replace(images=255 - batch.images)
    assert not np.array_equal(apply(variables, batch)[0], apply(variables, other)[0])


def test_no_gradient_reaches_the_detector(context):
    model, variables, _, batch = context
    gradients = jax.jit(jax.grad(lambda v: jnp.square(model.apply(v, batch)[0]).sum()))(variables)
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(gradients['detector']))
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradients['lifter']))


def test_coordinates_alone_need_no_detector():
    model, batch = model_of(ablation_step=0), tiny.batch(2)
    variables = tiny.variables(model, batch)
    assert model.detector is None
    assert variables['detector'] == {}
    assert model.apply(variables, batch)[0].shape == (2, tiny.JOINTS, 3)


def test_control_sees_the_detectors_joints_and_no_features():
    model, batch = model_of(ablation_step=0, detector_joints=True), tiny.batch(2)
    variables = tiny.variables(model, batch)
    assert variables['lifter']['params']['joint_embedding']['kernel'].shape[0] == 4
    pose, intermediates = jax.jit(model.apply)(variables, batch)
    assert pose.shape == (2, tiny.JOINTS, 3)
    assert 'detector_joints' in intermediates


def test_joints_come_back_from_the_crop():
    random = np.random.default_rng(0)
    affine = random.normal(size=(3, 2, 3)).astype(np.float32) + np.eye(2, 3, dtype=np.float32)
    joints = random.uniform(0, 1000, (3, 5, 2)).astype(np.float32)
    back = to_image(apply_affine(affine, joints), affine)
    np.testing.assert_allclose(back, joints, rtol=1e-3)


@pytest.fixture(scope='module')
def by_detector():
    """A model of the viewing-ray frame on a detector of COCO's joints, as `context`."""
    config = tiny.config()
    config.model.hrnet.skeleton = 'coco17'
    config.model.update(frame='viewing_ray', joints2d='detector', joint_conversion='motionbert')
    model, batch = tiny.ca_pf(config), tiny.batch(2)
    variables = tiny.variables(model, batch)
    return model, variables, jax.jit(lambda v, b: model.apply(v, b)), batch


def test_the_detectors_joints_take_the_place_of_the_batchs(by_detector):
    _, variables, apply, batch = by_detector
    pose, outputs = apply(variables, batch)
    elsewhere = batch._replace(joints2d=batch.joints2d + 9, joints2d_crop=batch.joints2d_crop + 9)
    np.testing.assert_array_equal(pose, apply(variables, elsewhere)[0])
    heatmaps = outputs['heatmaps']
    assert heatmaps.shape[-1] == 17  # COCO's
    assert outputs['detector_joints'].shape == (2, tiny.JOINTS, 2)


def test_nothing_of_the_image_or_the_camera_goes_into_the_viewing_ray_frame(by_detector):
    _, variables, apply, batch = by_detector
    other = batch._replace(image_size=batch.image_size / 3, affine=2 * batch.affine)
    np.testing.assert_array_equal(apply(variables, batch)[0], apply(variables, other)[0])


def test_crops_alone_give_the_same_as_a_batch(by_detector):
    model, variables, apply, batch = by_detector
    pose, outputs = apply(variables, batch)
    alone, joints, confidence = jax.jit(model.lift_crops)(variables, batch.images)
    np.testing.assert_allclose(alone, pose, atol=1e-5)
    np.testing.assert_allclose(joints, outputs['detector_joints'], atol=1e-4)
    assert confidence.shape == (2, tiny.JOINTS)


def test_in_the_camera_frame_the_detectors_joints_are_normalised_by_the_image():
    config = tiny.config()
    config.model.lifter.ablation_step = 0
    config.model.joints2d = 'detector'
    model, batch = tiny.ca_pf(config), tiny.batch(2)
    variables = tiny.variables(model, batch)
    elsewhere = batch._replace(affine=batch.affine + np.float32([[0, 0, 40], [0, 0, 0]]))
    apply = jax.jit(model.apply)
    assert not np.allclose(apply(variables, batch)[0], apply(variables, elsewhere)[0], atol=1e-4)

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
    variables = model.init(jax.random.key(0), batch)
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
    variables = model.init(jax.random.key(0), batch)
    assert model.detector is None
    assert variables['detector'] == {}
    assert model.apply(variables, batch)[0].shape == (2, tiny.JOINTS, 3)


def test_control_sees_the_detectors_joints_and_no_features():
    model, batch = model_of(ablation_step=0, detector_joints=True), tiny.batch(2)
    variables = model.init(jax.random.key(0), batch)
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

"""The joined model: what reaches the lifter, and what stays frozen."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference.weight_files import save_weights
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors.heatmaps import to_image
from capf_jax.pose import skeletons
from capf_jax.pose.crops import apply_affine
from tests import tiny


def model_of(**lifter):
    config = tiny.config()
    config.model.lifter.update(lifter)
    return ContextAwarePoseFormer.from_config(config)


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


def test_detector_comes_from_its_file(tmp_path, context):
    detector = context[1]['detector']
    save_weights(tmp_path / 'detector.safetensors', detector, {})
    config = tiny.config()
    config.model.lifter.update(ablation_step=0, detector_joints=True)  # compiles fastest
    config.model.detector_weights = str(tmp_path / 'detector.safetensors')
    model = ContextAwarePoseFormer.from_config(config)
    loaded = model.init(jax.random.key(1), tiny.batch(2))['detector']
    jax.tree.map(np.testing.assert_array_equal, loaded, detector)


def test_file_of_another_detector_is_an_error(tmp_path, context):
    _, variables, _, batch = context
    save_weights(tmp_path / 'detector.safetensors', variables['detector'], {})
    config = tiny.config()
    config.model.hrnet.width = 8
    config.model.detector_weights = str(tmp_path / 'detector.safetensors')
    model = ContextAwarePoseFormer.from_config(config)
    with pytest.raises(ValueError, match='holds the weights of another detector'):
        model.init(jax.random.key(0), batch)


def test_file_of_a_detector_of_other_joints_is_an_error(tmp_path, context):
    _, variables, _, batch = context
    path = tmp_path / 'detector.safetensors'
    save_weights(path, variables['detector'], {'skeleton': 'coco17'})
    config = tiny.config()
    config.model.detector_weights = str(path)
    model = ContextAwarePoseFormer.from_config(config)
    with pytest.raises(ValueError, match=r"'coco17'.* says 'h36m17': set model\.detector_skeleton"):
        model.init(jax.random.key(0), batch)


def test_file_of_a_detector_of_another_name_is_named(tmp_path, context):
    _, variables, _, batch = context
    path = tmp_path / 'detector.safetensors'
    metadata = {'skeleton': 'h36m17', 'model': {'detector': 'hrnet'}}
    save_weights(path, variables['detector'], metadata)
    config = tiny.config()
    config.model.update(detector='vitpose_s', detector_weights=str(path))
    model = ContextAwarePoseFormer.from_config(config)
    with pytest.raises(ValueError, match=r"weights of 'hrnet', .* is 'vitpose_s': set model"):
        model.init(jax.random.key(0), batch)


@pytest.mark.parametrize(
    ('name', 'detector', 'joints'),
    [
        ('synthetic', None, 'h36m17_surface'),
        ('synthetic', 'vitpose_b', 'coco17'),
        ('synthetic', 'cpn50', 'coco17'),
        ('own_data', 'hrnet_w48', 'coco17'),
        ('human36m_hrnet32', None, 'coco17'),
        ('human36m_hrnet32', 'hrnet', 'h36m17'),
    ],
)
def test_naming_a_detector_is_enough(name, detector, joints):
    config = importlib.import_module(f'configs.{name}').get_config()
    config.model.detector = detector or config.model.detector
    model = ContextAwarePoseFormer.from_config(config)
    assert model.detector_skeleton == joints
    assert model.detector.num_joints == len(skeletons.get(joints))


def test_unknown_detector_is_an_error():
    config = tiny.config()
    config.model.detector = 'hrnet_w23'
    with pytest.raises(ValueError, match=r"'hrnet_w23'.* nearest is 'hrnet_w32'"):
        ContextAwarePoseFormer.from_config(config)

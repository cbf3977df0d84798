"""A robust lifter gets a second reading of its joints; the paper's lifter is as it was."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference import model_settings
from capf_jax.models.deformable import FIRST_REACH, DeformableBlock
from capf_jax.models.second_reading import MEANS, NEAR, UNIT, second_reading
from capf_jax.pose import skeletons
from capf_jax.pose.normalise import normalise_by_image
from configs import human36m_hrnet32, human36m_hrnet32_robust, synthetic_robust
from tests import tiny

ROBUST = ('confidence', 'wander', 'reading')


def model_of(**lifter):
    config = tiny.config()
    config.model.lifter.update(lifter)
    return tiny.ca_pf(config)


def test_a_joint_that_the_detector_confirms_is_not_doubted():
    joints = jnp.array([[[0.0, 0.0], [0.3, 0.0]]])
    found = jnp.array([[[0.0, 0.0], [0.0, 0.0]]])
    reading = second_reading(joints, found, jnp.ones((1, 2)))
    np.testing.assert_allclose(reading.agreement[0], [1, np.exp(-((0.3 / NEAR) ** 2) / 2)])
    np.testing.assert_allclose(reading.doubt[0], [0, 1], atol=1e-6)
    np.testing.assert_allclose(reading.offsets[0, 1], [-0.3 / UNIT, 0], rtol=1e-6)


def names_of(variables):
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {jax.tree_util.keystr(path) for path, _ in leaves}


def test_reading_and_confidence_widen_the_joint_token_and_reach_is_added():
    plain, robust = model_of(ablation_step=3), model_of(ablation_step=3, robust=ROBUST)
    before, after = (
        jax.eval_shape(model.init, jax.random.key(0), tiny.batch(1)) for model in (plain, robust)
    )
    kernels = [v['lifter']['params']['joint_embedding']['kernel'].shape for v in (before, after)]
    assert [shape[0] for shape in kernels] == [2, 6]
    added = names_of(after) - names_of(before)
    assert names_of(before) < names_of(after)
    assert all(name.endswith("['reach']") for name in added)


def test_every_way_to_a_pose_depends_on_where_the_detector_finds_the_joints():
    # Coordinates alone, which compile least; the detector runs for the reading.
    model, batch = model_of(ablation_step=0, robust=('confidence', 'reading')), tiny.batch(2)
    variables = tiny.variables(model, batch)
    by_image = normalise_by_image(batch.joints2d, batch.image_size)
    apply = jax.jit(
        lambda variables: (
            model.apply(variables, batch)[0],
            model.lift_joints(variables, batch.images, by_image, batch.joints2d_crop),
        )
    )
    params = variables['lifter']['params']
    embedding = params['joint_embedding']
    deaf = {**embedding, 'kernel': embedding['kernel'] * (np.arange(6) < 2)[:, None]}
    other = {**variables, 'lifter': {'params': {**params, 'joint_embedding': deaf}}}
    poses, lifted = apply(variables)
    assert not np.allclose(poses, apply(other)[0], atol=1e-5)
    np.testing.assert_allclose(lifted, poses, atol=1e-6)


def test_a_lifter_of_windows_reads_the_heatmaps_of_every_frame():
    config = tiny.windowed(tiny.config(), frames=2)
    config.model.lifter.update(ablation_step=0, robust=('noise', 'confidence', 'reading'))
    joint_set = skeletons.get(config.skeleton)
    model = model_settings.context_aware_pose_former(config.model, joint_set, frames=2)
    batch = tiny.batch(2)
    variables = tiny.variables(model, batch)
    by_image = normalise_by_image(batch.joints2d, batch.image_size)

    def both_ways(variables):
        inputs, _, _ = model.crop_inputs(variables, batch.images, batch.joints2d_crop, by_image)
        lifted, _ = model.lifter.apply(variables['lifter'], *inputs)
        return model.apply(variables, batch)[0], lifted, inputs

    pose, lifted, inputs = jax.jit(both_ways)(variables)
    assert pose.shape == (1, tiny.JOINTS, 3)
    assert inputs.joints2d.shape == (2, tiny.JOINTS, 6)
    assert np.ptp(inputs.doubt) > 0
    np.testing.assert_allclose(lifted, pose, atol=1e-6)


def test_points_of_doubtful_joints_lie_farther_off():
    block = DeformableBlock(2, 2, 2, wander=True)
    contexts, joints = jnp.ones((1, 2, 1, 4)), jnp.ones((1, 2, 1, 4))
    maps, doubt = [jnp.ones((1, 2, 2, 3))], jnp.array([[0.0, 1.0]])
    run = jax.jit(
        lambda key: block.init_with_output(
            key, contexts, joints, jnp.zeros((1, 2, 2)), maps, doubt=doubt
        )
    )
    (_, points, _), _ = run(jax.random.key(0))
    np.testing.assert_allclose(points[0, 1], (1 + FIRST_REACH) * points[0, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'lifter.robust': ('wander',)}, 'no deformable extraction'),
        ({'lifter.robust': ('reading',), 'joints2d': 'detector'}, 'set robust to'),
        ({'lifter.robust': ('reading',), 'detector_head': False}, 'without heatmaps'),
    ],
)
def test_means_that_do_not_fit_the_model_are_one_sentence(changes, words):
    config = tiny.config()
    config.model.update_from_flattened_dict(changes)
    with pytest.raises(ValueError, match=words):
        tiny.ca_pf(config)


def test_published_configurations_stay_the_papers():
    config = human36m_hrnet32.get_config()
    assert config.model.lifter.robust == ()
    lifter = model_settings.lifter(config.model, skeletons.H36M17)
    assert (lifter.joint_numbers, lifter.robust) == (2, ())


def test_weights_of_before_the_field_are_the_papers():
    config = tiny.config()
    with config.unlocked():
        del config.model.lifter.robust
    assert model_settings.lifter(config.model, skeletons.H36M17).robust == ()


def test_robust_configurations_turn_on_the_means_that_fit_their_step():
    assert synthetic_robust.get_config().model.lifter.robust == MEANS
    assert 'wander' not in synthetic_robust.get_config('step=2').model.lifter.robust
    config = human36m_hrnet32_robust.get_config('means=noise+reading,seed=3')
    assert (config.model.lifter.robust, config.seed) == (('noise', 'reading'), 3)

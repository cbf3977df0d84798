"""The lifter gives the published numbers, sizes and costs, and its options do what they say."""

import pathlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference import model_settings
from capf_jax.models import cost
from capf_jax.models.deformable import compass
from capf_jax.models.lifter import Lifter
from capf_jax.models.transformer import DropPath
from capf_jax.pose import skeletons
from configs import base
from converters import engine, lifter_names
from tests.goldens import manifests, recipe

GOLDENS = pathlib.Path(__file__).resolve().parents[1] / 'goldens'
HRNET_32 = (32, 64, 128, 256)
HRNET_48 = (48, 96, 192, 384)
CPN = (256, 256, 256, 256)


def _inputs(batch, channels):
    """joints2d, joints2d_crop, NHWC maps of the parity recipe; CPN's maps all have stride 4."""
    joints2d, pixels = recipe.keypoints(batch)
    crop = pixels / np.array([96, 128], np.float32) - 1
    if channels == CPN:
        maps = [recipe.feature_maps(batch, [256], seed=i, strides=(4,))[0] for i in range(4)]
    else:
        maps = recipe.feature_maps(batch, channels)
    return joints2d, crop, [one_map.transpose(0, 2, 3, 1) for one_map in maps]


def _shapes(lifter, channels=HRNET_32, batch=1):
    """Shapes of the inputs, for tests that compute nothing: joints2d, joints2d_crop, maps."""
    joints = jax.ShapeDtypeStruct((batch, lifter.num_joints, 2), jnp.float32)
    if channels == CPN:
        sizes = [(64, 48)] * 4
    else:
        sizes = [(64 >> level, 48 >> level) for level in range(4)]
    maps = [
        jax.ShapeDtypeStruct((batch, *size, c), jnp.float32)
        for size, c in zip(sizes, channels, strict=True)
    ]
    width = 4 if lifter.detector_joints else 2
    return jax.ShapeDtypeStruct((batch, lifter.num_joints, width), jnp.float32), joints, maps


def _expected(lifter, channels=HRNET_32):
    return jax.eval_shape(lifter.init, jax.random.key(0), *_shapes(lifter, channels))


def _parameters(lifter, channels=HRNET_32):
    return sum(leaf.size for leaf in jax.tree.leaves(_expected(lifter, channels)))


def _variables(lifter, manifest, channels):
    shapes = manifests.read(f'lifter_{manifest}')
    rules = lifter_names.lifter_rules(lifter)
    expected = _expected(lifter, channels)
    return engine.to_flax(recipe.state_dict(shapes), rules, expected, manifest)


@pytest.mark.parity
@pytest.mark.parametrize(
    ('name', 'channels'), [('hrnet_32', HRNET_32), ('hrnet_48', HRNET_48), ('cpn', CPN)]
)
def test_published_weights_give_the_published_pose(name, channels):
    lifter = Lifter()
    variables = _variables(lifter, name, channels)
    with jax.default_matmul_precision('highest'):
        pose, _ = jax.jit(lifter.apply)(variables, *_inputs(2, channels))
    golden = np.load(GOLDENS / f'lifter_{name}.npz')
    for precision in ('pose3d', 'pose3d_float64'):
        # 5e-6 m: float32 rounding, ten times what PyTorch's own float32 differs from float64.
        np.testing.assert_allclose(pose, golden[precision], rtol=0, atol=5e-6)


def test_mpi_inf_3dhp_lifter_takes_its_published_keys():
    lifter = Lifter(deformable=False, channels=64)
    variables = _variables(lifter, '3dhp_hrnet_32', HRNET_32)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == _parameters(lifter)


@pytest.mark.parametrize(
    ('channels', 'count'), [(HRNET_32, 14_094_147), (HRNET_48, 14_155_587), (CPN, 14_233_411)]
)
def test_parameter_count(channels, count):
    assert _parameters(Lifter(), channels) == count


@pytest.mark.parametrize(('step', 'mega'), [(0, 446.0), (1, 448.0), (2, 537.3), (3, 609.9)])
def test_dense_flops_are_those_of_the_papers_table_3(step, mega):
    lifter = Lifter(ablation_step=step)
    assert cost.cost(lifter, *_shapes(lifter)).flops == pytest.approx(mega * 1e6, rel=0.01)


@pytest.mark.parametrize(
    'fields',
    [
        {'ablation_step': 0},
        {'ablation_step': 1},
        {'levels': (1, 3)},
        {'num_joints': 12, 'channels': 32, 'heads': 4, 'layers': 2},
        {'deformable_heads': 2, 'sampling_points': 6},
        {'detector_joints': True},
    ],
    ids=str,
)
def test_every_variation_gives_a_pose_and_intermediates_of_the_documented_shapes(fields):
    lifter = Lifter(**fields)
    inputs = _shapes(lifter, batch=3)
    pose, intermediates = jax.eval_shape(lifter.apply, _expected(lifter), *inputs)
    joints, levels, width = lifter.num_joints, len(lifter.levels), lifter.channels
    heads, points = lifter.deformable_heads, lifter.sampling_points
    tokens = (3, levels + 1, joints, width)
    expected = {'joints': (3, joints, (levels + 1) * width)}
    if lifter.ablation_step == 0:
        expected |= {'embedded': expected['joints']}
    else:
        expected |= {'embedded': tokens}
    if lifter.ablation_step >= 2:
        expected |= {'fused': tokens}
    if lifter.ablation_step >= 3:
        sampled = (3, levels, joints, heads, points)
        expected |= {
            'context': tokens,
            'sampling_points': ((*sampled, 2),) * lifter.layers,
            'attention_weights': (sampled,) * lifter.layers,
        }
    assert pose.shape == (3, joints, 3)
    assert jax.tree.map(lambda leaf: leaf.shape, intermediates) == expected


def test_coordinates_alone_need_no_maps():
    lifter = Lifter(ablation_step=0, channels=8, layers=1)
    joints = jnp.zeros((2, 17, 2))
    variables = jax.jit(lifter.init)(jax.random.key(0), joints, joints, ())
    assert jax.jit(lifter.apply)(variables, joints, joints, ())[0].shape == (2, 17, 3)


def test_dropped_levels_are_not_read():
    lifter = Lifter(levels=(2,), channels=8, layers=1)
    joints2d, crop, maps = _inputs(1, HRNET_32)
    variables = jax.jit(lifter.init)(jax.random.key(0), joints2d, crop, maps)
    pose, _ = jax.jit(lifter.apply)(variables, joints2d, crop, maps)
    others = [np.full_like(one_map, np.nan) for one_map in maps]
    others[2] = maps[2]
    np.testing.assert_array_equal(jax.jit(lifter.apply)(variables, joints2d, crop, others)[0], pose)


def test_first_sampling_points_are_a_compass_around_the_joint_with_even_weights():
    lifter = Lifter(channels=8, layers=1)
    joints2d, crop, maps = _inputs(1, HRNET_32)
    variables = jax.jit(lifter.init)(jax.random.key(0), joints2d, crop, maps)
    _, intermediates = jax.jit(lifter.apply)(variables, joints2d, crop, maps)
    directions = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    offsets = 0.01 * directions[:, None] * np.arange(1, 5)[:, None]  # [M, K, 2]
    expected = crop[0, :, None, None] + np.tanh(offsets)
    for level in range(4):
        points = intermediates['sampling_points'][0][0, level]
        np.testing.assert_allclose(points, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(intermediates['attention_weights'][0], 0.25, rtol=1e-6)


def test_compass_of_eight_heads_reaches_the_square_around_the_joint():
    biases = np.asarray(compass(8, 2)).reshape(8, 2, 2)
    np.testing.assert_allclose(biases[1], [[0.01, 0.01], [0.02, 0.02]], rtol=1e-6)
    np.testing.assert_allclose(np.abs(biases).max(axis=-1), [[0.01, 0.02]] * 8, rtol=1e-6)


def test_drop_path_acts_only_while_training_and_follows_its_random_stream():
    lifter = Lifter(ablation_step=2, channels=8, layers=2, drop_path=0.5)
    inputs = _inputs(4, HRNET_32)
    variables = jax.jit(lifter.init)(jax.random.key(0), *inputs)

    @jax.jit
    def train(seed):
        rngs = {'drop_path': jax.random.key(seed)}
        return lifter.apply(variables, *inputs, train=True, rngs=rngs)[0]

    np.testing.assert_array_equal(train(1), train(1))
    assert not np.allclose(train(1), train(2))
    plain = jax.jit(lifter.apply)(variables, *inputs)[0]
    still = lifter.clone(drop_path=0.0).apply(variables, *inputs, train=True)[0]
    np.testing.assert_allclose(plain, still, rtol=0, atol=1e-6)


def test_drop_path_draws_for_each_joint_in_fusion_blocks_alone():
    lifter = Lifter(channels=8, layers=2, drop_path=0.5, heads=2, deformable_heads=2)
    shapes = []

    def look(method, args, kwargs, context):
        result = method(*args, **kwargs)
        if isinstance(context.module, DropPath) and context.method_name == 'factors':
            shapes.append(result.shape)
        return result

    def train(variables, *inputs):
        return lifter.apply(variables, *inputs, train=True, rngs={'drop_path': jax.random.key(0)})

    with nn.intercept_methods(look):
        jax.eval_shape(train, _expected(lifter), *_shapes(lifter, batch=3))
    # The second block of each module draws for both of its branches: context, fusion, joints.
    assert shapes == [(3,), (3,), (3, 17), (3, 17), (3,), (3,)]


def test_the_base_config_describes_the_papers_lifter():
    lifter = model_settings.lifter(base.get_config().model, skeletons.H36M17)
    assert _parameters(lifter) == 14_094_147


def test_a_missing_level_is_named():
    lifter = Lifter(levels=(0, 4))
    with pytest.raises(ValueError, match=r'\(0, 4\).*4 maps'):
        jax.jit(lifter.init)(jax.random.key(0), *_inputs(1, HRNET_32))


def test_the_wrong_number_of_joints_is_named():
    joints2d, crop, maps = _inputs(1, HRNET_32)
    with pytest.raises(ValueError, match=r'\(1, 17, 2\).*16 joints'):
        Lifter(num_joints=16).init(jax.random.key(0), joints2d, crop, maps)


def test_a_step_that_does_not_exist_is_refused():
    lifter = Lifter(ablation_step=4)
    with pytest.raises(ValueError, match='ablation_step is 4; it must be 0, 1, 2 or 3'):
        jax.eval_shape(lifter.init, jax.random.key(0), *_shapes(lifter))

"""HRNet: parity from block to published network, its names, shapes and training behaviour."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.inference import own_detectors
from capf_jax.models.detectors.convolutions import BasicBlock
from capf_jax.models.detectors.hrnet import Fusion, HRNet
from capf_jax.models.detectors.initial import random_variables
from configs import base
from converters.engine import to_flax, torch_shapes
from converters.hrnet_names import MMPOSE_HEAD, MMPOSE_PREFIX, hrnet_rules
from tests.goldens import manifests, recipe
from tests.models.detectors import published

# W48 differs from W32 in width alone, and runs with the slow tests.
WIDTHS = (32, pytest.param(48, marks=pytest.mark.slow))
SMALL = HRNet(num_joints=5, width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 2), blocks=1)


def detection(width, prefix):
    """What a published HRNet gives for the recipe's two images; weights depend on the prefix."""
    model = HRNet(num_joints=17, width=width)
    variables = published.recipe_variables(hrnet_rules(model, prefix), published.shapes_of(model))
    return published.detection(f'hrnet_w{width}', variables)


@pytest.fixture(scope='module')
def small_variables():
    return random_variables(SMALL, jax.random.key(0))


@pytest.fixture(scope='module')
def small_published():
    """(Detection, outputs of every fusion) of the small network with the recipe's weights."""
    return published.small_network(
        SMALL,
        hrnet_rules(SMALL),
        lambda module, method: isinstance(module, Fusion) and method == '__call__',
    )


def recipe_variables_of(module, inside, *inputs):
    """The recipe's variables for a module alone, that of the small network's path `inside`."""
    rules = [
        dataclasses.replace(rule, path=(rule.path[0], *rule.path[1 + len(inside) :]))
        for rule in hrnet_rules(SMALL)
        if rule.path is not None and rule.path[1 : 1 + len(inside)] == inside
    ]
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs), jax.random.key(0))
    return published.recipe_variables(rules, shapes)


@pytest.mark.parity
def test_basic_block_equals_pytorch():
    block, inputs = BasicBlock(), (recipe.weight('x', (1, 6, 8, 5)), False)
    inside = ('stage2_module0_branches', 'branch0_block0')
    variables = recipe_variables_of(block, inside, *inputs)
    with jax.default_matmul_precision('highest'):
        published.assert_like_block('basic_block', block.apply(variables, *inputs))


@pytest.mark.parity
def test_fusion_of_three_branches_equals_pytorch():
    shapes = [(1, 8, 12, 3), (1, 4, 6, 5), (1, 2, 3, 4)]
    branches = [recipe.weight(f'branch{i}', shape) for i, shape in enumerate(shapes)]
    fusion = Fusion(outputs=3)
    variables = recipe_variables_of(fusion, ('stage3_module0_fusion',), branches, False)
    with jax.default_matmul_precision('highest'):
        fused = jax.jit(lambda *arguments: fusion.apply(*arguments, False))(variables, branches)
    for i, branch in enumerate(fused):
        published.assert_like_block(f'fusion/branch{i}', branch)


@pytest.mark.parity
@pytest.mark.parametrize('stage', [2, 3])
def test_stages_of_a_small_network_equal_pytorch(small_published, stage):
    (branches,) = small_published[1][f'stage{stage}_module0_fusion']['__call__']
    assert len(branches) == stage
    for i, branch in enumerate(branches):
        published.assert_like_small_network(f'hrnet/stage{stage}/branch{i}', branch)


@pytest.mark.parity
@pytest.mark.parametrize('level', range(4))
def test_maps_of_a_small_network_equal_pytorch(small_published, level):
    published.assert_like_small_network(f'hrnet/map{level}', small_published[0].maps[level])


@pytest.mark.parity
def test_heatmaps_of_a_small_network_equal_pytorch(small_published):
    published.assert_like_small_network('hrnet/heatmaps', small_published[0].heatmaps)


@pytest.mark.parity
@pytest.mark.parametrize('width', WIDTHS)
def test_heatmaps_equal_the_published(width):
    published.assert_like_golden(f'hrnet_w{width}', 'heatmaps', detection(width, '').heatmaps)


@pytest.mark.parity
@pytest.mark.parametrize('width', WIDTHS)
def test_maps_equal_the_published(width):
    maps = detection(width, 'backbone.').maps
    assert len(maps) == 4
    for level, feature_map in enumerate(maps):
        published.assert_like_golden(f'hrnet_w{width}', f'map{level}', feature_map)


@pytest.mark.parametrize(('width', 'parameters'), [(32, 28_536_113), (48, 63_595_745)])
def test_number_of_parameters(width, parameters):
    params = published.shapes_of(HRNet(num_joints=17, width=width))['params']
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


def test_table_names_every_key_and_shape_of_the_official_file():
    model = HRNet(num_joints=17)
    shapes = torch_shapes(hrnet_rules(model), published.shapes_of(model))
    assert shapes == manifests.read('hrnet_w32_coco')


def test_table_of_mmpose_names_the_same_layers():
    model = HRNet(num_joints=17)
    rules = hrnet_rules(model, MMPOSE_PREFIX, head=MMPOSE_HEAD)
    keys = {rule.key for rule in rules}
    assert {'backbone.stage4.2.branches.0.0.conv1.weight', 'keypoint_head.final_layer.bias'} <= keys
    assert {rule.path for rule in rules} == {rule.path for rule in hrnet_rules(model)}


def test_table_of_the_classifier_drops_what_makes_no_maps():
    model = HRNet(num_joints=17, heatmaps=None)
    rules = hrnet_rules(model, heatmaps=False, classifier=True)
    dropped = {rule.key for rule in rules if rule.path is None}
    for key in ('classifier.weight', 'final_layer.0.bias', 'incre_modules.3.0.downsample.1.bias',
                'downsamp_modules.2.0.bias', 'stage4.2.fuse_layers.3.0.2.0.weight'):  # fmt: skip
        assert key in dropped
    state = {key: np.zeros(1) for key in dropped}
    shapes = torch_shapes(rules, published.shapes_of(model))
    state |= {key: np.zeros(shape) for key, shape in shapes.items()}
    variables = to_flax(state, rules, published.shapes_of(model), 'HRNet-W32 of ImageNet')
    assert 'head' not in variables['params']


def test_small_network_gives_maps_of_four_strides():
    images = jax.ShapeDtypeStruct((2, 128, 96, 3), jnp.float32)
    variables = published.shapes_of(SMALL)
    detection = jax.eval_shape(SMALL.apply, variables, images)
    assert [feature_map.shape for feature_map in detection.maps] == [
        (2, 32, 24, 4),
        (2, 16, 12, 8),
        (2, 8, 6, 16),
        (2, 4, 3, 32),
    ]
    assert detection.heatmaps.shape == (2, 32, 24, 5)


def test_coarse_maps_do_not_depend_on_later_modules(small_variables):
    changed = jax.tree_util.tree_map_with_path(
        lambda path, leaf: 2 * leaf if 'stage4_module1' in jax.tree_util.keystr(path) else leaf,
        small_variables,
    )
    run = jax.jit(lambda variables: SMALL.apply(variables, jnp.ones((1, 32, 32, 3))).maps)
    before, after = run(small_variables), run(changed)
    for level in (1, 2, 3):
        np.testing.assert_array_equal(before[level], after[level])
    assert not np.array_equal(before[0], after[0])


def test_training_moves_every_statistic(small_variables):
    images = jax.random.normal(jax.random.key(1), (2, 32, 32, 3))
    _, moved = jax.jit(
        lambda variables: SMALL.apply(variables, images, train=True, mutable=['batch_stats'])
    )(small_variables)
    before, after = (jax.tree.leaves(v['batch_stats']) for v in (small_variables, moved))
    assert not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_crop_of_a_wrong_size_is_an_error():
    with pytest.raises(ValueError, match='multiples of 32, not 100x96'):
        SMALL.init(jax.random.key(0), jnp.ones((1, 100, 96, 3)))


def test_modules_need_three_numbers():
    settings = base.get_config().model.hrnet
    settings.modules = (1, 4)
    with pytest.raises(ValueError, match='three numbers'):
        own_detectors.own_hrnet(17, settings=settings)

"""Files are told apart by their keys and shapes alone; every published manifest is whole."""

import dataclasses

import jax
import numpy as np
import pytest

from capf_jax.models.published_sizes import ca_pf_name
from converters import engine, recognise, tables
from tests.goldens import manifests

PUBLISHED = {
    'hrnet_w32_coco': 'hrnet_w32',
    'hrnet_w48_coco': 'hrnet_w48',
    'cpn50_coco': 'cpn50',
    'simplebaseline_res50_coco': 'simplebaseline_resnet50',
    'vitpose_b_coco': 'vitpose_b',
    'ca_pf_hrnet_32': 'ca_pf_hrnet_32',
    'ca_pf_hrnet_48': 'ca_pf_hrnet_48',
    'ca_pf_cpn': 'ca_pf_cpn',
    'ca_pf_3dhp_hrnet_32': 'ca_pf_3dhp_hrnet_32',
    'ca_pf_3dhp_hrnet_48': 'ca_pf_3dhp_hrnet_48',
    'poseformer_9f': 'poseformer',
    'poseformer_81f': 'poseformer',
}


def zeros(shapes):
    """A state dict that takes no memory."""
    return {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}


def torch_shapes(model, expected):
    """PyTorch shapes of a model's keys, from its table and the Flax module's shapes."""
    tree = jax.tree.map(lambda leaf: np.broadcast_to(np.float32(0), leaf.shape), expected)
    state = engine.to_torch(tree, model.rules)
    return {key: array.shape for key, array in state.items()}


@pytest.mark.parametrize(('manifest', 'name'), PUBLISHED.items())
def test_every_published_file_is_recognised_and_its_table_names_every_key(manifest, name):
    shapes = manifests.read(manifest)
    model, likeness = recognise.recognise(shapes)
    assert (model.name, likeness) == (name, 1)
    exported = {r.key for r in model.rules if r.path is not None or r.shape is not None}
    assert exported == shapes.keys()


@pytest.mark.parametrize('manifest', ['ca_pf_cpn', 'ca_pf_3dhp_hrnet_32'])
def test_exported_shapes_are_those_of_the_manifest(manifest):
    shapes = manifests.read(manifest)
    model, _ = recognise.recognise(shapes)
    expected = model.expected()
    assert torch_shapes(model, expected) == shapes
    engine.to_flax(zeros(shapes), model.rules, expected, manifest)


def test_the_3dhp_models_are_of_their_own_joints_without_deformable_extraction_and_head():
    model, _ = recognise.recognise(manifests.read('ca_pf_3dhp_hrnet_48'))
    lifter = model.settings['lifter']
    assert model.skeleton == 'mpi_inf_3dhp17'
    assert (lifter['channels'], lifter['deformable']) == (96, False)
    assert (model.settings['detector'], model.detector.heatmaps) == ('hrnet_w48', None)


@pytest.mark.parametrize('frames', [9, 81])
def test_poseformer_has_the_files_number_of_frames(frames):
    model, _ = recognise.recognise(manifests.read(f'poseformer_{frames}f'))
    assert model.poseformer.frames == frames


@pytest.mark.parametrize('size', ['s', 'l', 'h'])
def test_vitpose_sizes_are_told_apart(size):
    module = tables.detector(f'vitpose_{size}').detector
    shapes = {
        f'backbone.blocks.{k}.attn.proj.weight': (module.dimension,) * 2
        for k in range(module.depth)
    }
    shapes['backbone.pos_embed'] = (1, 193, module.dimension)
    assert recognise.recognise(shapes)[0].name == f'vitpose_{size}'


def test_an_imagenet_resnet_is_recognised_with_its_classifier_and_old_counters():
    model = tables.detector('resnet50_imagenet')
    shapes = dict.fromkeys((rule.key for rule in model.rules), ())
    shapes = {
        key: shape for key, shape in shapes.items() if not key.endswith('num_batches_tracked')
    }
    nearest, likeness = recognise.recognise(shapes)
    assert (nearest.name, likeness) == ('resnet50_imagenet', 1)


@pytest.mark.parametrize('width', [32, 48])
@pytest.mark.parametrize(('kind', 'naming'), [('_imagenet', 'official'), ('', 'mmpose')])
def test_hrnets_of_classifiers_and_of_mmpose_are_recognised(width, kind, naming):
    model = tables.detector(f'hrnet_w{width}{kind}', naming)
    shapes = dict.fromkeys((rule.key for rule in model.rules), ())
    prefix = 'backbone.' if naming == 'mmpose' else ''
    shapes[f'{prefix}stage3.0.branches.0.0.conv1.weight'] = (width, width, 3, 3)
    nearest, likeness = recognise.recognise(shapes)
    assert (nearest.name, nearest.naming, likeness) == (model.name, naming, 1)


OWN = {
    'hrnet': {'width': 4, 'stem_channels': 4, 'bottlenecks': 1, 'modules': (1, 1, 2), 'blocks': 1},
    'lifter': {'channels': 8, 'layers': 1, 'levels': (0, 3), 'mlp_ratio': 3, 'sampling_points': 2},
}


def test_a_model_of_your_own_size_is_read_off_its_shapes():
    settings = tables.settings('hrnet', OWN['hrnet'], OWN['lifter'])
    model = tables.Model('ca_pf', 'ca_pf', 'h36m17', settings, head=False)
    nearest, likeness = recognise.recognise(torch_shapes(model, model.expected()))
    assert likeness == 1
    assert dataclasses.asdict(nearest) == dataclasses.asdict(model)


@pytest.mark.parametrize(
    ('fields', 'name'),
    [
        ({}, 'ca_pf_hrnet_32'),
        ({'levels': (0, 1, 2, 3), 'drop_path': 0.0}, 'ca_pf_hrnet_32'),
        ({'levels': (0, 1)}, 'ca_pf'),
        ({'channels': 64}, 'ca_pf'),
        ({'ablation_step': 2}, 'ca_pf'),
    ],
    ids=str,
)
def test_only_the_published_size_has_its_name(fields, name):
    lifter = tables.settings('hrnet_w32', lifter=fields)['lifter']
    assert ca_pf_name('hrnet_w32', 'h36m17', lifter) == name


@pytest.mark.parametrize(
    'shapes',
    [
        {'Spatial_patch_to_embedding.weight': (0, 2), 'Spatial_norm.weight': (0,)},
        {'volume_net.coord_embed.weight': (0, 2), 'volume_net.res_blocks.0.mlp.fc1.weight': (1, 0)},
        {'volume_net.context_blocks.0.attention_weights.weight': (0, 0)},
        {'stage2.0.branches.0.99999999.conv1.weight': (2,), 'conv1.weight': ()},
    ],
    ids=['poseformer', 'lifter', 'deformable', 'number'],
)
def test_shapes_that_no_model_has_are_recognised_as_something(shapes):
    model, likeness = recognise.recognise(shapes)
    assert likeness < 1
    with pytest.raises(ValueError, match='cannot be converted'):
        engine.to_flax(zeros(shapes), model.rules, {}, 'it')


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match=r"--model is 'hrnet_w23'; the nearest is 'hrnet_w32' of "):
        recognise.check_name('hrnet_w23')

"""The names that other projects give to the same networks lead to the same weights.

The names were looked up in MMPose 1 (`HeatmapHead`, mmpretrain's `VisionTransformer`), in Hugging
Face's transformers (`modeling_vitpose.py`, `modeling_vitpose_backbone.py`), in the code of ViTPose
(`vit_moe.py`, `model_split.py`) and in mmpretrain (`HRFuseScales`). Here every file is made of the
official one by replacing words, which is no part of the converters.
"""

import re

import numpy as np
import pytest

from capf_jax.models.detectors.vitpose import ViTPose
from converters import engine, namings, recognise, tables
from converters.simplebaseline_names import simplebaseline_rules
from converters.vitpose_names import vitpose_rules
from tests.converters.test_recognise import OWN, zeros
from tests.goldens import manifests, recipe
from tests.models.detectors import published

DIMENSION = 8
SMALL = ViTPose(num_joints=3, dimension=DIMENSION, depth=2, heads=2, channels=4)
EXPERT_ROWS = 2


def _replaced(state, words):
    """The state dict with the words in its keys replaced, the first that fit first."""
    renamed = {}
    for key, array in state.items():
        for old, new in words:
            key = re.sub(old, new, key)
        renamed[key] = array
    return renamed


def mmpose_1(state):
    """ViTPose in MMPose 1: its position embedding has no row of a class token."""
    words = [
        (r'patch_embed\.proj', 'patch_embed.projection'),
        (r'last_norm', 'ln1'),
        (r'\.norm([12])\.', r'.ln\1.'),
        (r'backbone\.blocks', 'backbone.layers'),
        (r'mlp\.fc1', 'ffn.layers.0.0'),
        (r'mlp\.fc2', 'ffn.layers.1'),
        (r'keypoint_head', 'head'),
    ]
    state = _replaced(state, words)
    position = state['backbone.pos_embed']
    return state | {'backbone.pos_embed': position[:, 1:] + position[:, :1]}


def mmpose_1_with_class_token(state):
    """The file that MMPose 1 publishes: it has the row, and MMPose cuts it off."""
    state = mmpose_1(state)
    position = state['backbone.pos_embed']
    row = np.full_like(position[:, :1], 7)
    return state | {
        'backbone.pos_embed': np.concatenate([row, position], 1),
        'backbone.cls_token': row,
    }


def transformers(state):
    """ViTPose in Hugging Face's transformers: query, key and value are three layers."""
    words = [
        (r'backbone\.pos_embed', 'backbone.embeddings.position_embeddings'),
        (r'patch_embed\.proj', 'embeddings.patch_embeddings.projection'),
        (r'last_norm', 'layernorm'),
        (r'\.norm1\.', '.layernorm_before.'),
        (r'\.norm2\.', '.layernorm_after.'),
        (r'attn\.proj', 'attention.output.dense'),
        (r'backbone\.blocks', 'backbone.encoder.layer'),
        (r'keypoint_head', 'head'),
        (r'head\.deconv_layers\.0', 'head.deconv1'),
        (r'head\.deconv_layers\.1', 'head.batchnorm1'),
        (r'head\.deconv_layers\.3', 'head.deconv2'),
        (r'head\.deconv_layers\.4', 'head.batchnorm2'),
        (r'head\.final_layer', 'head.conv'),
    ]
    parts = {}
    for key, array in _replaced(state, words).items():
        if '.attn.qkv.' not in key:
            parts[key] = array
            continue
        for name, rows in zip(('query', 'key', 'value'), np.split(array, 3), strict=True):
            parts[key.replace('attn.qkv', f'attention.attention.{name}')] = rows
    return parts


def vitpose_plus(state, rows=EXPERT_ROWS):
    """ViTPose+ as it was trained: every data set has rows of its own of each block's last layer.

    COCO's are the first.
    """
    state = dict(state)
    for key in [key for key in state if '.mlp.fc2.' in key]:
        array = state[key]
        state[key] = array[:-rows]
        for expert in range(6):
            name = key.replace('fc2', f'experts.{expert}')
            state[name] = array[-rows:] + expert
    return state | _other_heads(state)


def vitpose_plus_split(state, rows=EXPERT_ROWS):
    """ViTPose+ after its `model_split.py`: COCO's model is whole, and the rest is still there."""
    return {**vitpose_plus(state, rows), **state}


def _other_heads(state):
    heads = [key for key in state if key.startswith('keypoint_head.')]
    return {
        key.replace('keypoint_head', f'associate_keypoint_heads.{i}'): state[key]
        for key in heads
        for i in range(5)
    }


RENAMED = {
    'mmpose_1': (mmpose_1, {'naming': namings.MMPOSE_1, 'has_first_row': False}),
    'mmpose_1_class_token': (mmpose_1_with_class_token, {'naming': namings.MMPOSE_1}),
    'transformers': (transformers, {'naming': namings.TRANSFORMERS}),
    'plus': (vitpose_plus, {'expert_rows': EXPERT_ROWS}),
    'plus_split': (vitpose_plus_split, {}),
    'plus_transformers': (
        lambda state: transformers(vitpose_plus(state)),
        {'naming': namings.TRANSFORMERS, 'expert_rows': EXPERT_ROWS},
    ),
}


def _small(rules):
    shapes = published.shapes_of(SMALL, (1, 64, 48, 3))
    return shapes, recipe.state_dict(engine.torch_shapes(rules, shapes))


@pytest.mark.parametrize('name', RENAMED)
def test_a_vitpose_of_other_names_gives_the_same_heatmaps(name):
    rename, arguments = RENAMED[name]
    shapes, state = _small(vitpose_rules(SMALL))
    rules = vitpose_rules(SMALL, **arguments)
    known = {rule.key for rule in rules}
    renamed = {key: array for key, array in rename(state).items() if key in known}
    theirs = engine.to_flax(renamed, rules, shapes, name)
    official = engine.to_flax(state, vitpose_rules(SMALL), shapes, 'official')
    images = recipe.weight('images', (1, 64, 48, 3))
    one, other = (SMALL.apply(v, images).heatmaps for v in (theirs, official))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(other).max())


@pytest.mark.parametrize('name', ['mmpose_1', 'transformers', 'plus_transformers'])
def test_a_vitpose_goes_back_to_its_own_names(name):
    rename, arguments = RENAMED[name]
    shapes, state = _small(vitpose_rules(SMALL))
    rules = vitpose_rules(SMALL, **arguments)
    known = {rule.key for rule in rules if rule.path is not None}
    renamed = {key: array for key, array in rename(state).items() if key in known}
    back = engine.to_torch(engine.to_flax(renamed, rules, shapes, name), rules)
    for key, array in renamed.items():
        np.testing.assert_array_equal(back[key], array, err_msg=key)


EXPECTED = tables.detector('vitpose_b').expected()


@pytest.mark.parametrize('name', RENAMED)
def test_a_vitpose_of_other_names_is_recognised(name):
    rename, arguments = RENAMED[name]
    state = rename(zeros(manifests.read('vitpose_b_coco')))
    model, likeness = recognise.recognise({key: array.shape for key, array in state.items()})
    assert (model.name, likeness) == ('vitpose_b', 1)
    assert model.naming == arguments.get('naming', namings.OFFICIAL)
    assert not any(engine.differences(state, model.rules, EXPECTED).values())
    held = engine.dropped(state, model.rules)
    spare = [key for key in state if 'associate' in key or 'experts.5' in key]
    assert set(spare) <= {key for keys in held.values() for key in keys}


@pytest.mark.parametrize(('height', 'width'), [(384, 288), (256, 256)])
@pytest.mark.parametrize('rename', [lambda s: s, mmpose_1, transformers])
def test_the_position_embedding_of_a_vitpose_tells_the_size_of_its_crops(rename, height, width):
    shapes = manifests.read('vitpose_b_coco')
    shapes['backbone.pos_embed'] = (1, 1 + height * width // 256, 768)
    state = rename(zeros(shapes))
    model, likeness = recognise.recognise({key: array.shape for key, array in state.items()})
    assert (likeness, model.crop) == (1, (height, width))


@pytest.mark.parametrize(
    ('manifest', 'name'),
    [
        ('hrnet_w32_coco', 'hrnet_w32'),
        ('hrnet_w48_coco', 'hrnet_w48'),
        ('simplebaseline_res50_coco', 'simplebaseline_resnet50'),
    ],
)
@pytest.mark.parametrize(
    ('head', 'naming'), [('keypoint_head', namings.MMPOSE), ('head', namings.MMPOSE_1)]
)
def test_mmposes_names_of_convolutional_networks_are_known(manifest, name, head, naming):
    shapes = {
        f'{head if key.startswith(("final_layer", "deconv_layers")) else "backbone"}.{key}': shape
        for key, shape in manifests.read(manifest).items()
    }
    model, likeness = recognise.recognise(shapes)
    assert (model.name, model.naming, likeness) == (name, naming, 1)
    assert {rule.key for rule in model.rules} == shapes.keys()


@pytest.mark.parametrize('naming', [namings.MMPOSE, namings.MMPOSE_1])
def test_an_hrnet_of_your_own_size_may_have_mmposes_names(naming):
    model = tables.detector('hrnet', naming, {**OWN['hrnet'], 'heatmaps': 'gaussian'})
    shapes = engine.torch_shapes(model.rules, model.expected())
    nearest, likeness = recognise.recognise(shapes)
    assert (nearest.name, nearest.naming, likeness) == ('hrnet', naming, 1)
    assert nearest.settings['hrnet']['width'] == OWN['hrnet']['width']


@pytest.mark.parametrize('naming', [namings.MMPOSE, namings.MMPOSE_1])
def test_a_simplebaseline_of_mmposes_names_is_the_same(naming):
    model = tables.detector('simplebaseline_resnet50').detector
    official = [(rule.path, rule.layout) for rule in simplebaseline_rules(model)]
    theirs = simplebaseline_rules(model, naming=naming)
    assert [(rule.path, rule.layout) for rule in theirs] == official


HEADS = {
    'torchvision': {'fc.weight': (1000, 2048), 'fc.bias': (1000,)},
    'timm': {'classifier.weight': (1000, 2048), 'classifier.bias': (1000,)},
    'keras': {'predictions.weight': (21843, 2048), 'predictions.bias': (21843,)},
    'layers': {
        'head.0.weight': (512, 2048), 'head.0.bias': (512,), 'head.1.running_mean': (512,),
        'head.3.weight': (10, 512), 'head.3.bias': (10,),
    },
    'convolution': {'last_conv.weight': (1000, 2048, 1, 1), 'last_conv.bias': (1000,)},
    'mmpretrain': {'head.fc.weight': (1000, 2048), 'head.fc.bias': (1000,)},
    'neck': {'neck.final_layer.conv.weight': (2048, 1024, 1, 1), 'head.fc.weight': (1000, 2048)},
    'none': {},
}  # fmt: skip


# What is left of a file of a pose network without its heatmap head.
WITHOUT_HEAD = {
    'resnet50_imagenet': {
        key: shape
        for key, shape in manifests.read('simplebaseline_res50_coco').items()
        if not key.startswith(('deconv_layers', 'final_layer'))
    },
    'hrnet_w32_imagenet': {
        key: shape
        for key, shape in manifests.read('hrnet_w32_coco').items()
        if not key.startswith('final_layer')
    },
}


@pytest.mark.parametrize('spelling', HEADS)
@pytest.mark.parametrize('prefix', ['', 'backbone.'])
@pytest.mark.parametrize('name', WITHOUT_HEAD)
def test_classifiers_heads_of_any_spelling_are_dropped(name, prefix, spelling):
    naming = namings.MMPOSE if prefix else namings.OFFICIAL
    shapes = {f'{prefix}{key}': shape for key, shape in WITHOUT_HEAD[name].items()}
    shapes |= HEADS[spelling]
    nearest, likeness = recognise.recognise(shapes)
    assert (nearest.name, nearest.naming, likeness) == (name, naming, 1)
    dropped = {key for keys in engine.dropped(shapes, nearest.rules).values() for key in keys}
    assert HEADS[spelling].keys() <= dropped


def test_what_is_no_classifier_is_not_dropped():
    shapes = WITHOUT_HEAD['resnet50_imagenet'] | {'deconv_layers.0.weight': (2048, 256, 4, 4)}
    assert recognise.recognise(shapes)[1] < 1

"""CA-PF-S there and back: recognised by its shapes, whatever the parts over time are called."""

import numpy as np
import pytest

from capf_jax.inference import weight_files
from converters import conversion, engine, recognise, tables
from converters.export import export
from converters.inspect import inspect
from converters.temporal_names import NAMES, TemporalNames

LIFTER = {'channels': 8, 'layers': 1, 'deformable': False}


def model_of(names=NAMES, **settings):
    fields = tables.settings('hrnet_w32', lifter=LIFTER, temporal_layers=2, **settings)
    return tables.Model('ca_pf_s', 'ca_pf_s', 'h36m17', fields, frames=3, temporal_names=names)


def state_of(model):
    """PyTorch keys and random arrays of a model."""
    random, expected = np.random.default_rng(0), model.expected()
    shapes = engine.torch_shapes(model.rules, expected)
    return {key: random.normal(size=shape).astype('f') for key, shape in shapes.items()}


@pytest.mark.parametrize(
    ('names', 'settings', 'context'),
    [
        (NAMES, {'projection_channels': 8}, 8),
        (TemporalNames('over_time', 'frames'), {'temporal_position': True}, 256),
    ],
    ids=['projected', 'raw'],
)
def test_a_file_is_recognised_whatever_its_new_parts_are_called(names, settings, context):
    model = model_of(names, **settings)
    state = state_of(model)
    shapes = {key: array.shape for key, array in state.items()}
    assert shapes['feat_embed.3.weight'] == (8, context)
    assert shapes[f'{names.mean}.weight'] == (1, 3, 1)
    other, likeness = recognise.recognise(shapes)
    assert (other.kind, other.frames, other.temporal_names) == ('ca_pf_s', 3, names)
    assert likeness == 1
    variables = engine.to_flax(state, other.rules, other.expected(), 'CA-PF-S')
    back = engine.to_torch(variables, other.rules)
    assert back.keys() == state.keys()
    for key, array in state.items():
        np.testing.assert_array_equal(back[key], array)


def test_converting_inspecting_and_exporting_a_file(tmp_path):
    torch = pytest.importorskip('torch')
    state = state_of(model_of(projection_channels=8))
    source, target, again = (tmp_path / n for n in ('s.pth', 's.safetensors', 'again.pth'))
    torch.save({'model': {k: torch.from_numpy(v) for k, v in state.items()}}, source)
    assert 'is ca_pf_s, ' in conversion.convert(source, target)
    metadata = weight_files.load_weights(target)[1]
    assert (metadata['kind'], metadata['frames'], metadata['unit']) == ('ca_pf_s', 3, 'm')
    assert 'input: 2D joints and context vectors of 3 frames' in inspect(target)
    export(target, again)
    saved = torch.load(again, weights_only=True)['model']
    assert saved.keys() == state.keys()
    for key, array in state.items():
        np.testing.assert_array_equal(saved[key].numpy(), array)

"""The two commands, on small models: what they write, say, and refuse."""

import hashlib
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
import torch

from capf_jax.inference import weight_files
from converters import engine, recognise, tables
from converters.conversion import convert, identify
from converters.convert import main
from converters.export import export
from converters.reading import Source
from tests.converters.test_recognise import OWN
from tests.goldens import manifests, recipe

ROOT = pathlib.Path(__file__).resolve().parents[2]


def small_state():
    """Keys and arrays of a PoseFormer of three frames, one layer and four channels."""
    fields = {'frames': 3, 'layers': 1, 'channels': 8, 'num_joints': 17, 'mlp_ratio': 2}
    model = tables.Model('poseformer', 'poseformer', 'h36m17', fields)
    return _random(model)


def small_ca_pf():
    """Keys and arrays of a CA-PF on an HRNet, both as small as can be."""
    settings = tables.settings('hrnet', OWN['hrnet'], OWN['lifter'])
    return _random(tables.Model('ca_pf', 'ca_pf', 'h36m17', settings, head=False))


def _random(model):
    tree = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), model.expected())
    blank = engine.to_torch(tree, model.rules)
    return recipe.state_dict({key: array.shape for key, array in blank.items()})


def saved(path, state, **around):
    content = {key: torch.from_numpy(np.array(array)) for key, array in state.items()}
    torch.save({**around, 'model': content} if around else content, path)
    return path


@pytest.fixture(scope='module')
def ca_pf_state():
    return small_ca_pf()


def test_the_commands_convert_and_export(tmp_path):
    state = small_state()
    source = saved(tmp_path / 'a.pth', state, epoch=3)
    target, back = tmp_path / 'b.safetensors', tmp_path / 'c.pth'

    def run(command, *arguments):
        done = subprocess.run(
            [sys.executable, '-m', f'converters.{command}', *map(str, arguments)],
            capture_output=True, text=True, cwd=ROOT,
            env={**os.environ, 'JAX_PLATFORMS': 'none'},  # files need no device, and its memory
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    summary = run('convert', source, target)
    assert 'is poseformer, ' in summary
    assert "taken out of 'model'" in summary
    assert 'dropped, beside the state dict: 1 (epoch)' in summary
    assert 'as a bare state dict' in run('export', target, back, '--bare')
    exported = torch.load(back, weights_only=True)
    assert exported.keys() == state.keys()
    for key, array in exported.items():
        np.testing.assert_array_equal(array, state[key], err_msg=key)


def test_the_target_describes_itself(tmp_path):
    source = saved(tmp_path / 'a.pth', small_state())
    convert(source, tmp_path / 'b.safetensors')
    variables, metadata = weight_files.load_weights(tmp_path / 'b.safetensors')
    assert (metadata['kind'], metadata['name']) == ('poseformer', 'poseformer')
    assert metadata['skeleton'] == 'h36m17'
    assert metadata['model']['frames'] == 3
    assert metadata['source']['file'] == 'a.pth'
    assert metadata['source']['sha256'] == hashlib.sha256(source.read_bytes()).hexdigest()
    model = tables.Model('poseformer', 'poseformer', 'h36m17', metadata['model'])
    shapes = jax.tree.map(np.shape, variables)
    assert shapes == jax.tree.map(np.shape, dict(model.expected()))


def test_convert_export_convert_gives_the_same_bits(tmp_path, ca_pf_state):
    first, back, second = (tmp_path / name for name in ('a.safetensors', 'b.pth', 'c.safetensors'))
    convert(saved(tmp_path / 'a.pth', ca_pf_state, lr=0.1), first)
    export(first, back)
    exported = torch.load(back, weights_only=True)['model']
    assert exported.keys() == ca_pf_state.keys()
    for key, array in exported.items():
        assert array.numpy().dtype == ca_pf_state[key].dtype
        np.testing.assert_array_equal(array, ca_pf_state[key], err_msg=key)
    convert(back, second)
    one, other = weight_files.load_weights(first)[0], weight_files.load_weights(second)[0]
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_stays_what_it_is_both_ways(tmp_path, ca_pf_state, dtype):
    state = {
        key: torch.from_numpy(np.array(array)).to(dtype) if array.ndim else torch.tensor(array)
        for key, array in ca_pf_state.items()
    }
    torch.save(state, tmp_path / 'half.pth')
    convert(tmp_path / 'half.pth', tmp_path / 'half.safetensors')
    convert(saved(tmp_path / 'single.pth', ca_pf_state), tmp_path / 'single.safetensors')
    half, single = ((tmp_path / f'{name}.safetensors').stat() for name in ('half', 'single'))
    assert half.st_size < 0.6 * single.st_size
    export(tmp_path / 'half.safetensors', tmp_path / 'back.pth', form='bare')
    back = torch.load(tmp_path / 'back.pth', weights_only=True)
    torch.testing.assert_close(back, state, rtol=0, atol=0)  # types, too


def test_double_precision_is_rounded_and_said_so(tmp_path):
    state = {key: array.astype(np.float64) for key, array in small_state().items()}
    summary = convert(saved(tmp_path / 'a.pth', state), tmp_path / 'b.safetensors')
    assert 'rounded from float64 to float32' in summary
    variables, _ = weight_files.load_weights(tmp_path / 'b.safetensors')
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}


def test_wrapped_gives_the_sources_wrappers_back(tmp_path, ca_pf_state):
    parallel = {f'module.{key}': array for key, array in ca_pf_state.items()}
    convert(saved(tmp_path / 'a.pth', parallel, lr=0.1), tmp_path / 'b.safetensors')
    export(tmp_path / 'b.safetensors', tmp_path / 'c.pth', form='source')
    exported = torch.load(tmp_path / 'c.pth', weights_only=True)
    assert exported.keys() == {'model'}
    assert exported['model'].keys() == parallel.keys()


def test_the_head_of_a_detector_trained_here_stays_out_of_a_ca_pf(tmp_path, ca_pf_state):
    convert(saved(tmp_path / 'a.pth', ca_pf_state), tmp_path / 'a.safetensors')
    variables, metadata = weight_files.load_weights(tmp_path / 'a.safetensors')
    variables['detector']['params']['head'] = {'kernel': np.zeros((1, 1, 4, 17))}
    weight_files.save_weights(tmp_path / 'b.safetensors', variables, metadata)
    summary = export(tmp_path / 'b.safetensors', tmp_path / 'b.pth', form='bare')
    assert "left out: the detector's heatmap head" in summary
    assert torch.load(tmp_path / 'b.pth', weights_only=True).keys() == ca_pf_state.keys()


def test_weights_that_only_published_code_needs_come_back(tmp_path, monkeypatch):
    model = tables.Model('poseformer', 'poseformer', 'h36m17', {'frames': 3, 'layers': 1})
    rules = (*model.rules, engine.Rule('train.weight', None, shape=(2,)))
    monkeypatch.setattr(tables, 'poseformer_rules', lambda _: rules)
    state = small_state() | {'train.weight': np.array([1, 2], np.float32)}
    summary = convert(saved(tmp_path / 'a.pth', state), tmp_path / 'b.safetensors')
    assert 'train.weight' in summary
    assert 'unused' not in weight_files.load_weights(tmp_path / 'b.safetensors')[0]
    export(tmp_path / 'b.safetensors', tmp_path / 'c.pth', form='bare')
    back = torch.load(tmp_path / 'c.pth', weights_only=True)
    np.testing.assert_array_equal(back['train.weight'], [1, 2])


def test_a_file_that_does_not_fit_is_listed_against_the_nearest_and_nothing_is_written(tmp_path):
    state = small_state()
    del state['head.1.bias']
    state['extra'] = np.zeros(3)
    state['weighted_mean.bias'] = np.zeros(2)
    with pytest.raises(ValueError, match='as poseformer, the nearest known model') as error:
        convert(saved(tmp_path / 'a.pth', state), tmp_path / 'b.safetensors')
    assert [line.strip() for line in str(error.value).splitlines()[1:]] == [
        'missing: head.1.bias',
        'unexpected: extra',
        'shape: weighted_mean.bias is (2,), it should be (1,)',
        'It seems to be poseformer with the official names (94% of the keys are the same). It '
        'lacks 1 of the tensors: give the whole file, not a part of it or another version of the '
        'network.',
    ]
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']


def test_another_model_than_asked_for_is_named(tmp_path, monkeypatch):
    shapes = manifests.read('hrnet_w48_coco')
    source = saved(tmp_path / 'a.pth', {'x': np.zeros(1)})
    known = recognise.recognise(shapes)
    monkeypatch.setattr(recognise, 'recognise', lambda _: known)
    with pytest.raises(ValueError, match=r'is a hrnet_w48 file; you asked for hrnet_w32'):
        convert(source, tmp_path / 'b.safetensors', 'hrnet_w32')


@pytest.mark.parametrize(
    ('write', 'target', 'message'),
    [
        (lambda p: saved(p, {'x': np.zeros(1)}), 'b.safetensors', 'no known model.*keys such as x'),
        (lambda p: saved(p, {'x': np.zeros(1)}), 'b.pth', r'ends in \.safetensors'),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_told(tmp_path, write, target, message):
    write(tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        main(['convert', str(tmp_path / 'a.pth'), str(tmp_path / target)])


def test_a_known_model_of_other_joints_is_named(tmp_path):
    keys = manifests.read('hrnet_w32_coco')
    keys |= {'final_layer.weight': (16, 32, 1, 1), 'final_layer.bias': (16,)}
    opened = Source(tmp_path / 'mpii.pth', '', {key: np.empty(s, bool) for key, s in keys.items()})
    message = (
        r'mpii\.pth is a hrnet_w32 file for 16 joints, and coco17 has 17: no skeleton .* as many'
    )
    with pytest.raises(ValueError, match=message):
        identify(opened)


def test_the_target_is_not_the_source(tmp_path):
    with pytest.raises(ValueError, match='is the source itself'):
        convert(tmp_path / 'a.safetensors', tmp_path / 'x' / '..' / 'a.safetensors')


def test_pytorch_files_are_not_called_safetensors(tmp_path):
    with pytest.raises(ValueError, match=r"what is written is PyTorch's format"):
        export(tmp_path / 'a.safetensors', tmp_path / 'a.safetensors')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'kind': 'cake'}, 'does not say its kind'),
        ({'model': {}}, 'does not describe its ca_pf completely'),
        ({'model': {'lifter': {'channels': 16}}}, r'tensors differ, first lifter/params/'),
    ],
    ids=['kind', 'incomplete', 'other tensors'],
)
def test_a_file_that_describes_something_else_is_not_exported(
    tmp_path, ca_pf_state, changes, message
):
    convert(saved(tmp_path / 'a.pth', ca_pf_state), tmp_path / 'a.safetensors')
    variables, metadata = weight_files.load_weights(tmp_path / 'a.safetensors')
    if changes.get('model'):
        lifter = metadata['model']['lifter'] | changes['model']['lifter']
        changes = {'model': metadata['model'] | {'lifter': lifter}}
    weight_files.save_weights(tmp_path / 'b.safetensors', variables, metadata | changes)
    with pytest.raises(ValueError, match=message):
        export(tmp_path / 'b.safetensors', tmp_path / 'b.pth')
    assert not (tmp_path / 'b.pth').exists()


def test_a_converted_file_is_not_converted_again(tmp_path):
    convert(saved(tmp_path / 'a.pth', small_state()), tmp_path / 'b.safetensors')
    with pytest.raises(ValueError, match='already converted: it holds poseformer'):
        convert(tmp_path / 'b.safetensors', tmp_path / 'c.safetensors')


def test_a_file_that_does_not_say_what_it_is_is_not_exported(tmp_path):
    weight_files.save_weights(tmp_path / 'a.safetensors', {'params': {'w': np.zeros(1)}}, {})
    with pytest.raises(ValueError, match=r'does not say its kind, name, skeleton, model'):
        export(tmp_path / 'a.safetensors', tmp_path / 'b.pth')

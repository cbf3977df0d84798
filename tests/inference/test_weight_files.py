"""Weight files come back as they were saved, or are refused in one sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax import Estimator
from capf_jax.errors import UserError
from capf_jax.inference import weight_files
from tests.memory_store import put

TREE = {
    'params': {'stem': {'kernel': np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)}},
    'batch_stats': {'stem': {'var': np.array([1e-7, 1e6], np.float32)}},
}


def test_what_is_saved_is_loaded(tmp_path):
    tree = {'params': {'a': jnp.arange(3.0), 'b': {'c': np.arange(4).reshape(2, 2).T}}}
    weight_files.save_weights(
        tmp_path / 'w.safetensors', tree, {'config': {'x': (1, 2)}, 'name': 'n'}
    )
    loaded, metadata = weight_files.load_weights(tmp_path / 'w.safetensors')
    np.testing.assert_array_equal(loaded['params']['a'], np.arange(3, dtype=np.float32))
    np.testing.assert_array_equal(loaded['params']['b']['c'], tree['params']['b']['c'])
    assert metadata == {'config': {'x': [1, 2]}, 'name': 'n'}


@pytest.mark.parametrize('stored', ['float16', 'bfloat16'])
def test_half_precision_is_loaded_as_single(tmp_path, stored):
    half = jnp.linspace(-1, 1, 6).astype(stored)
    weight_files.save_weights(tmp_path / 'w.safetensors', {'params': {'a': half}}, {})
    loaded = weight_files.load_weights(tmp_path / 'w.safetensors')[0]['params']['a']
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, np.asarray(half, np.float32))


def test_float16_halves_the_parameters_and_spares_the_statistics(tmp_path):
    weight_files.save_weights(tmp_path / 'w.safetensors', TREE, {}, dtype='float16')
    loaded, _ = weight_files.load_weights(tmp_path / 'w.safetensors')
    kernel = TREE['params']['stem']['kernel']
    assert loaded['params']['stem']['kernel'].dtype == np.float32
    np.testing.assert_array_equal(
        loaded['params']['stem']['kernel'], kernel.astype(np.float16).astype(np.float32)
    )
    np.testing.assert_array_equal(
        loaded['batch_stats']['stem']['var'], TREE['batch_stats']['stem']['var']
    )


def test_a_full_disk_leaves_the_older_file_whole(tmp_path, monkeypatch):
    path = tmp_path / 'w.safetensors'
    weight_files.save_weights(path, TREE, {'step': 1})

    def full(tensors, filename, metadata):
        filename.write_bytes(b'half')
        raise weight_files.SafetensorError('I/O error: No space left on device')

    monkeypatch.setattr(weight_files, 'save_file', full)
    with pytest.raises(OSError, match=r'could not be written to .*No space left.*; make room'):
        weight_files.save_weights(path, TREE, {'step': 2})
    assert weight_files.load_weights(path)[1] == {'step': 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ['w.safetensors']


def test_others_may_read_the_file_as_any_other(tmp_path):
    (tmp_path / 'any').touch()
    weight_files.save_weights(tmp_path / 'w.safetensors', TREE, {})
    assert (tmp_path / 'w.safetensors').stat().st_mode == (tmp_path / 'any').stat().st_mode


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no weight file at .*absent\.safetensors'):
        weight_files.load_weights(tmp_path / 'absent.safetensors')


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / 'w.safetensors').write_bytes(b'nonsense')
    with pytest.raises(ValueError, match='not a whole safetensors file'):
        weight_files.load_weights(tmp_path / 'w.safetensors')


@pytest.fixture
def beside(tmp_path):
    """A weight file whose detector is in a file of its own, and that file."""
    detector, lifter = tmp_path / 'detector.safetensors', tmp_path / 'lifter.safetensors'
    sizes = {'lifter': 3, 'detector': 3000}
    whole = {n: {'params': {'kernel': np.ones(k, np.float32)}} for n, k in sizes.items()}
    weight_files.save_weights(detector, whole['detector'], {'kind': 'detector'})
    parts = weight_files.with_detector_beside(whole, {'kind': 'ca_pf'}, str(detector))
    weight_files.save_weights(lifter, *parts)
    return lifter, detector, whole


def test_a_detector_beside_its_lifter_is_read_from_its_own_file(beside):
    lifter, detector, whole = beside
    assert lifter.stat().st_size < detector.stat().st_size
    assert jax.tree.all(jax.tree.map(np.array_equal, weight_files.load_weights(lifter)[0], whole))


def test_a_lifter_whose_detector_is_another_file_now_is_refused(beside):
    lifter, detector, whole = beside
    weight_files.save_weights(detector, whole['lifter'], {'kind': 'other'})
    with pytest.raises(UserError, match='is not the detector that'):
        weight_files.load_weights(lifter)


def test_a_lifter_whose_detector_is_gone_says_where_it_belongs(beside):
    lifter, detector, _ = beside
    detector.unlink()
    with pytest.raises(FileNotFoundError, match=r'needs the detector of detector\.safetensors'):
        weight_files.load_weights(lifter)


def test_weights_in_a_store_are_read_once_with_the_detector_beside_them(beside, memory_store):
    lifter, detector, whole = beside
    for path in (lifter, detector):
        put(f'gs://bucket/run/{path.name}', path.read_bytes())
    loaded, _ = weight_files.load_weights('gs://bucket/run/lifter.safetensors')
    assert jax.tree.all(jax.tree.map(np.array_equal, loaded, whole))
    assert memory_store.asked.count('lifter.safetensors') == 1
    again = weight_files.with_detector_beside(whole, {}, 'gs://bucket/run/detector.safetensors')
    assert again[1][weight_files.BESIDE]['file'] == 'detector.safetensors'
    weight_files.save_weights('gs://bucket/new/w.safetensors', TREE, {'step': 1})
    assert weight_files.load_weights('gs://bucket/new/w.safetensors')[1] == {'step': 1}
    with pytest.raises(FileNotFoundError, match='no weight file at gs://bucket/none: train one'):
        weight_files.load_weights('gs://bucket/none')


def test_a_weight_file_cannot_name_a_detector_of_another_folder(beside, tmp_path):
    lifter, detector, whole = beside
    metadata = {'kind': 'ca_pf', weight_files.BESIDE: {'file': f'../{detector.name}', 'sha256': ''}}
    weight_files.save_weights(lifter, {'lifter': whole['lifter']}, metadata)
    with pytest.raises(UserError, match='does not say which file its detector is in'):
        weight_files.load_weights(lifter)


def test_nan_and_infinity_are_said(tmp_path):
    weights = {'params': {'a': np.array([1, np.inf], np.float32), 'b': np.ones(2, np.float32)}}
    weight_files.save_weights(tmp_path / 'w.safetensors', weights, {})
    with pytest.warns(UserWarning, match=r'holds NaN or infinity in 1 tensors, first params/a'):
        weight_files.load_weights(tmp_path / 'w.safetensors')


@pytest.mark.parametrize(
    ('tensors', 'message'),
    [
        ({'a': np.ones(1), 'a/b': np.ones(1)}, "a tensor called 'a' and others inside it"),
        ({'a\x1b[31m': np.ones(1)}, r"a tensor called 'a\\x1b\[31m', which is no name"),
    ],
)
def test_names_that_are_no_tree_are_refused(tmp_path, tensors, message):
    weight_files.save_file(tensors, tmp_path / 'w.safetensors')
    with pytest.raises(ValueError, match=message):
        weight_files.load_weights(tmp_path / 'w.safetensors')


@pytest.mark.parametrize('text', ['[' * 100_000, '9' * 5000], ids=['deep', 'long'])
def test_metadata_that_is_no_json_stays_text(tmp_path, text):
    tensors = {'a': np.ones(1, np.float32)}
    weight_files.save_file(tensors, tmp_path / 'w.safetensors', metadata={'kind': text})
    assert weight_files.load_weights(tmp_path / 'w.safetensors')[1] == {'kind': text}


@pytest.mark.parametrize(
    ('metadata', 'message'),
    [
        ({'kind': ['detector']}, r"kind is \['detector'\]; it must be a text"),
        ({'kind': 'poseformer', 'model': {'layers': 10**6, 'frames': 3}},
         'model.layers is 1000000; it must be at most'),
        ({'kind': 'poseformer', 'model': {'layers': 60, 'frames': 3}},
         'says that it has 60 layers, but it holds only 1 tensors'),
        ({'kind': 'detector', 'model': {'detector': 'hrnet', 'hrnet': {'modules': [1, 4, 10**9]}}},
         'modules is .* it must be three whole numbers'),
        ({'kind': 'detector', 'model': {'detector': 'hrnet', 'hrnet': {'modules': [1, 4, 30]}}},
         'says that it has 30 modules'),
    ],
    ids=['list', 'layers', 'too few for the layers', 'modules', 'too few for the modules'],
)  # fmt: skip
def test_a_file_that_lies_about_its_model_is_refused_at_once(tmp_path, metadata, message):
    metadata = {'skeleton': 'h36m17', 'model': {}, **metadata}
    weight_files.save_weights(tmp_path / 'w.safetensors', {'a': np.ones(1, np.float32)}, metadata)
    with pytest.raises(ValueError, match=message):
        Estimator.load(tmp_path / 'w.safetensors')

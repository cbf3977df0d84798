"""Only arrays and plain containers come out of a pickle, and nothing is called on the way."""

import io
import os
import pickle
import subprocess

import numpy as np
import pytest

from capf_jax.errors import UserError
from data_pipeline import building, safe_pickle


class Malicious:
    """What an attacker writes: opening it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


CONTENT = [
    {
        'image': 'a.jpg',
        'joints': np.arange(6, dtype=np.float32).reshape(2, 3),
        'scale': np.float64(2.5),
        'nested': ({'x': [1, 2.0, None, True]}, b'bytes'),
        'objects': np.array([np.zeros(2), 'text'], dtype=object),
    }
]


def assert_equal(actual, expected):
    assert type(actual) is type(expected)
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype
        for one, other in zip(actual.ravel(), expected.ravel(), strict=True):
            np.testing.assert_array_equal(one, other)
    elif isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key, value in expected.items():
            assert_equal(actual[key], value)
    elif isinstance(expected, list | tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_equal(one, other)
    else:
        assert actual == expected


@pytest.mark.parametrize('protocol', range(2, 6))
def test_arrays_and_containers_come_out(tmp_path, protocol):
    path = tmp_path / 'labels.pkl'
    path.write_bytes(pickle.dumps(CONTENT, protocol=protocol))
    assert_equal(safe_pickle.load(path), CONTENT)


def test_a_pickle_of_numpy_1_comes_out(tmp_path):
    """Numpy 1 called its inner module otherwise."""
    content = pickle.dumps(np.arange(3), protocol=2).replace(b'numpy._core', b'numpy.core')
    path = tmp_path / 'labels.pkl'
    path.write_bytes(content)
    np.testing.assert_array_equal(safe_pickle.load(path), np.arange(3))


def test_npz_with_objects_comes_out(tmp_path):
    path = tmp_path / 'labels.npz'
    np.savez_compressed(path, positions={'S1': [np.ones(2)]}, plain=np.eye(2))
    actual = safe_pickle.load_npz(path)
    assert_equal(actual['positions'], {'S1': [np.ones(2)]})
    np.testing.assert_array_equal(actual['plain'], np.eye(2))


@pytest.mark.parametrize('wrapped', [False, True])
def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, wrapped):
    target = tmp_path / 'target'
    content = [{'joints': Malicious(target)}] if wrapped else Malicious(target)
    path = tmp_path / 'labels.pkl'
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match=r'would call (io|_io|builtins)\.open .*not opened'):
        safe_pickle.load(path)
    assert not target.exists()


def test_a_malicious_npz_is_refused_and_does_nothing(tmp_path):
    target = tmp_path / 'target'
    path = tmp_path / 'labels.npz'
    array = np.empty((), object)
    array[()] = Malicious(target)
    np.savez(path, positions_2d=array)
    with pytest.raises(ValueError, match=r'labels\.npz, positions_2d\.npy would call'):
        safe_pickle.load_npz(path)
    assert not target.exists()


def test_an_encoding_that_does_more_is_refused(tmp_path):
    path = tmp_path / 'labels.pkl'
    path.write_bytes(b'c_codecs\nencode\n(Vtext\nVrot13\ntR.')
    with pytest.raises(ValueError, match='rot13'):
        safe_pickle.load(path)


@pytest.mark.parametrize('content', [b'', b'no pickle', pickle.dumps(CONTENT)[:-30]])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / 'labels.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'labels\.pkl is no pickle of arrays, or is cut short'):
        safe_pickle.load(path)


def test_a_damaged_npz_is_named(tmp_path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(100))
    path = tmp_path / 'labels.npz'
    path.write_bytes(buffer.getvalue()[:200])
    with pytest.raises(ValueError, match=r'labels\.npz is no \.npz file, or is cut short'):
        safe_pickle.load_npz(path)


def test_an_npz_with_damaged_bytes_is_named(tmp_path):
    path = tmp_path / 'labels.npz'
    np.savez_compressed(path, a=np.arange(1000))
    content = bytearray(path.read_bytes())
    name, extra = np.frombuffer(content[26:30], '<u2')  # of the zip's first header: their lengths
    content[30 + name + extra] = 0xFF  # no kind of block that Deflate knows
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'labels\.npz is no \.npz file, or is cut short'):
        safe_pickle.load_npz(path)


def test_a_clip_comes_back_and_no_other_class(tmp_path):
    from tests.data_pipeline.building import toy

    path = tmp_path / 'one.clip'
    clip = toy.ToyClip(1, 2, building.SourceSettings(source='toys', processes=1))
    path.write_bytes(pickle.dumps(clip))
    assert safe_pickle.load_clip(path) == clip
    for other in (subprocess.Popen, os.system, eval):
        path.write_bytes(pickle.dumps(other))
        with pytest.raises(UserError, match='would call'):
            safe_pickle.load_clip(path)

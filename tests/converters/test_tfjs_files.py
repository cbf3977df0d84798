"""Graph models of TensorFlow.js are read exactly, and what is wrong with a file is said."""

import io
import json
import tarfile

import numpy as np
import pytest

from capf_jax.errors import UserError
from converters import reading, tfjs_files

KERNEL = np.array([[1.5, -2.0], [1 / 3, 65504.0]], np.float16)
BIAS = np.array([0.1, 0.2], np.float32)
AXIS = np.array(-1, np.int32)
HALF = {'dtype': 'float16', 'original_dtype': 'float32'}


def graph(**changes):
    """The JSON of a graph with a kernel in half precision, a bias and an integer."""
    return {
        'format': 'graph-model',
        'modelTopology': {
            'node': [{'name': name, 'op': 'Const'} for name in ('a/kernel', 'a/bias', 'axis')]
            + [{'name': 'a', 'op': 'MatMul'}]
        },
        'weightsManifest': [
            {
                'paths': ['tiny.bin'],
                'weights': [
                    {
                        'name': 'a/kernel',
                        'shape': [2, 2],
                        'dtype': 'float32',
                        'quantization': HALF,
                    },
                    {'name': 'a/bias', 'shape': [2], 'dtype': 'float32'},
                    {'name': 'axis', 'shape': [], 'dtype': 'int32'},
                ],
            }
        ],
        **changes,
    }


NUMBERS = KERNEL.tobytes() + BIAS.tobytes() + AXIS.tobytes()


def written(folder, content=None, numbers=NUMBERS):
    path = folder / 'tiny.json'
    path.write_text(json.dumps(graph() if content is None else content))
    (folder / 'tiny.bin').write_bytes(numbers)
    return path


def package(folder, entries):
    path = folder / 'package.tgz'
    with tarfile.open(path, 'w:gz') as file:
        for name, content in entries.items():
            member = tarfile.TarInfo(f'package/models/{name}')
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def test_arrays_have_the_bits_of_the_file(tmp_path):
    state = reading.read(written(tmp_path)).state
    assert list(state) == ['a/kernel', 'a/bias', 'axis']
    for name, expected in zip(state, (KERNEL, BIAS, AXIS), strict=True):
        assert state[name].dtype == expected.dtype
        np.testing.assert_array_equal(state[name], expected)


def test_a_package_gives_what_its_files_give(tmp_path):
    beside = tfjs_files.read(written(tmp_path))
    entries = {'tiny.json': json.dumps(graph()).encode(), 'tiny.bin': NUMBERS, 'other.json': b'{}'}
    inside = tfjs_files.read_package(package(tmp_path, entries), 'tiny.json')
    assert inside.hashes == beside.hashes
    np.testing.assert_array_equal(inside.state['a/kernel'], KERNEL)


def manifest(**changes):
    """A graph whose first array has another description, or whose files have other names."""
    content = graph()
    group = content['weightsManifest'][0]
    group['paths'] = changes.pop('paths', group['paths'])
    group['weights'][0] |= changes
    return content


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'format': 'layers-model'}, "its format is 'layers-model'"),
        ({'weightsManifest': []}, 'its format is None'),
        (graph(weightsManifest=None), 'not a whole graph model'),
        (graph(modelTopology={}), 'not a whole graph model'),
        (graph(weightsManifest=[]), '3 constants are in the graph or in the manifest alone'),
        (manifest(name='a/bias'), 'names a/bias twice'),
        (manifest(name='b/kernel'), 'first a/kernel'),
        (manifest(shape=[2, -2]), r'the shape \[2, -2\]'),
        (manifest(shape='22'), "the shape '22'"),
        (manifest(shape=[1] * 9), 'the shape'),
        (manifest(shape=[2, True]), 'the shape'),
        (manifest(shape=[10**9, 10**9]), 'more numbers than its files hold, first a/kernel'),
        (manifest(shape=[2, 1]), 'describes 16 bytes, and its files hold 20'),
        (manifest(quantization={'dtype': 'uint8', 'scale': 1}), 'float32 quantised to uint8'),
        (manifest(dtype='string', quantization=None), 'as string'),
        (manifest(paths=['../tiny.bin']), r"asks for the file '\.\./tiny\.bin'"),
        (manifest(paths=['/etc/passwd']), "asks for the file '/etc/passwd'"),
        (manifest(paths=[7]), 'asks for the file 7'),
        (manifest(paths=['none.bin']), 'needs none.bin in the same folder'),
    ],
)
def test_what_is_wrong_with_a_graph_is_said(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        reading.read(written(tmp_path, content))


@pytest.mark.parametrize('text', ['{"format": "graph-model", ', '{' + '"a":{' * 100_000])
def test_json_that_is_not_whole_or_too_deep_is_refused(tmp_path, text):
    path = written(tmp_path)
    path.write_text(text)
    with pytest.raises(UserError, match='no whole JSON file'):
        reading.read(path)


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    with pytest.raises(UserError, match='more numbers than its files hold, first axis'):
        reading.read(written(tmp_path, numbers=NUMBERS[:-1]))


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tfjs_files, 'LARGEST_BINARY', 10)
    with pytest.raises(UserError, match='has 20 bytes, which is more than'):
        reading.read(written(tmp_path))


def test_a_package_without_the_model_or_its_numbers_is_refused(tmp_path):
    path = package(tmp_path, {'tiny.json': json.dumps(graph()).encode()})
    with pytest.raises(UserError, match=r'holds 0 files other\.json'):
        tfjs_files.read_package(path, 'other.json')
    with pytest.raises(UserError, match=r'lacks tiny\.bin'):
        tfjs_files.read_package(path, 'tiny.json')


def test_a_package_that_is_cut_short_is_refused(tmp_path):
    content = np.random.default_rng(0).bytes(100_000)
    path = package(tmp_path, {'tiny.json': json.dumps(graph()).encode(), 'other.bin': content})
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(UserError, match='cut short or damaged'):
        tfjs_files.read_package(path, 'tiny.json')


def test_a_link_in_a_package_is_not_followed(tmp_path):
    path = package(tmp_path, {'tiny.json': json.dumps(graph()).encode()})
    with tarfile.open(path, 'w:gz') as file:
        link = tarfile.TarInfo('package/models/tiny.json')
        link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
        file.addfile(link)
    with pytest.raises(UserError, match='holds 0 files'):
        tfjs_files.read_package(path, 'tiny.json')


def test_a_package_needs_the_name_of_a_model(tmp_path):
    with pytest.raises(UserError, match='an npm package of several models: say which by --model'):
        reading.read(package(tmp_path, {}))

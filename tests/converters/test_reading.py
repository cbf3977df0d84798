"""Published files are opened in every format, and none of them can run code."""

import argparse
import builtins
import collections
import hashlib
import os
import pathlib
import pickle
import subprocess
import sys
import tarfile
import types
import zipfile

import ml_collections
import numpy as np
import pytest
import torch
from etils import epath
from safetensors.torch import save_file

from converters import reading

STATE = {'stem.weight': torch.arange(6.0).reshape(2, 3), 'stem.bias': torch.tensor([1.0, -1.0])}
FORMATS = pytest.mark.parametrize('as_zip', [True, False], ids=['zip', 'old'])


def saved(path, content, as_zip=True):
    torch.save(content, path, _use_new_zipfile_serialization=as_zip)
    return path


def assert_is_state(source):
    assert source.state.keys() == STATE.keys()
    for key, array in source.state.items():
        np.testing.assert_array_equal(array, STATE[key].numpy())


@FORMATS
@pytest.mark.parametrize('suffix', ['.pth', '.pth.tar', '.bin', '.pt'])
def test_pytorch_files_of_both_formats_are_read(tmp_path, as_zip, suffix):
    path = saved(tmp_path / f'weights{suffix}', STATE, as_zip)
    source = reading.read(path)
    assert_is_state(source)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (source.wrappers, source.prefix, source.beside) == ((), '', ())


def test_safetensors_files_are_read_without_torch(tmp_path, monkeypatch):
    save_file(STATE, tmp_path / 'weights.safetensors')
    monkeypatch.setitem(sys.modules, 'torch', None)
    assert_is_state(reading.read(tmp_path / 'weights.safetensors'))


def test_content_decides_the_format_not_the_name(tmp_path):
    save_file(STATE, tmp_path / 'weights.bin')
    assert_is_state(reading.read(tmp_path / 'weights.bin'))
    assert_is_state(reading.read(saved(tmp_path / 'weights.safetensors', STATE)))


@FORMATS
@pytest.mark.parametrize(
    ('wrap', 'wrappers', 'prefix', 'beside'),
    [
        (lambda s: {'state_dict': s, 'epoch': 3}, ('state_dict',), '', ('epoch',)),
        (lambda s: {'model': s, 'lr': 0.1, 'optimizer': {'state': {0: s}}},
         ('model',), '', ('lr', 'optimizer')),
        (lambda s: {'model_pos': s, 'random_state': None}, ('model_pos',), '', ('random_state',)),
        (lambda s: {'network': s}, ('network',), '', ()),
        (lambda s: {'checkpoint': {'model': s}}, ('checkpoint', 'model'), '', ()),
        (lambda s: {f'module.{key}': value for key, value in s.items()}, (), 'module.', ()),
        (lambda s: {'state_dict': {f'module.{key}': value for key, value in s.items()}},
         ('state_dict',), 'module.', ()),
        (lambda s: {**s, 'version': 2}, (), '', ('version',)),
    ],
    ids=['state_dict', 'model', 'model_pos', 'network', 'nested', 'module', 'both', 'mixed'],
)  # fmt: skip
def test_what_is_around_the_weights_is_taken_off_and_told(
    tmp_path, as_zip, wrap, wrappers, prefix, beside
):
    source = reading.read(saved(tmp_path / 'weights.pth', wrap(STATE), as_zip))
    assert_is_state(source)
    assert (source.wrappers, source.prefix, source.beside) == (wrappers, prefix, beside)


@FORMATS
@pytest.mark.parametrize(
    'beside',
    [
        np.float64(0.5),
        np.arange(3.0),
        argparse.Namespace(lr=0.1, sizes=[1, 2]),
        ml_collections.ConfigDict({'lr': 0.1}),
        pathlib.PurePath('x').parent,
        torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))]).state_dict(),
        np.random.RandomState(0),  # in PoseFormer's published files
        collections.defaultdict(list, a=[1]),
    ],
    ids=['scalar', 'array', 'namespace', 'config', 'path', 'optimizer', 'random', 'default'],
)
def test_harmless_things_beside_the_weights_do_not_stop_it(tmp_path, as_zip, beside):
    content = {'model': STATE, 'beside': beside}
    assert_is_state(reading.read(saved(tmp_path / 'weights.pth', content, as_zip)))


@FORMATS
def test_random_state_of_old_numpy_beside_the_weights_does_not_stop_it(tmp_path, as_zip):
    old = Payload(getattr(np.random, '__RandomState_ctor'))
    old.call += (np.random.RandomState(0).get_state(),)
    content = {'model_pos': STATE, 'random_state': old}
    assert_is_state(reading.read(saved(tmp_path / 'weights.pth', content, as_zip)))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_it_is(tmp_path, dtype):
    halves = {key: value.to(dtype) for key, value in STATE.items()}
    source = reading.read(saved(tmp_path / 'weights.pth', halves))
    assert_is_state(source)
    assert {str(array.dtype) for array in source.state.values()} == {str(dtype).split('.')[1]}


class Payload:
    """Pickles into a call of `function` with the arguments."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def payloads(marker):
    """Ways in which a pickle makes a file at `marker`, were it unpickled."""
    return {
        'os.system': Payload(os.system, f'touch {marker}'),
        'exec': Payload(builtins.exec, f'open({str(marker)!r}, "w").close()'),
        'subprocess': Payload(subprocess.check_call, ['touch', str(marker)]),
        'pathlib': Payload(pathlib.Path.touch, marker),
        'numpy': Payload(np.save, str(marker), 0),
    }


@FORMATS
@pytest.mark.parametrize('kind', ['os.system', 'exec', 'subprocess', 'pathlib', 'numpy'])
def test_a_malicious_file_is_refused_and_its_payload_does_not_run(tmp_path, as_zip, kind):
    marker = tmp_path / 'ran.npy'
    content = {'state_dict': STATE, 'epoch': payloads(marker)[kind]}
    path = saved(tmp_path / 'weights.pth', content, as_zip)
    with pytest.raises(ValueError, match=r'weights\.pth is refused, and nothing in it was run'):
        reading.read(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # it would have run
    assert marker.exists()


@pytest.mark.parametrize('protocol', range(6))
def test_a_bare_malicious_pickle_is_refused_too(tmp_path, protocol):
    marker = tmp_path / 'ran.npy'
    path = tmp_path / 'weights.pth'
    path.write_bytes(pickle.dumps(payloads(marker)['os.system'], protocol))
    with pytest.raises(ValueError, match=r'weights\.pth is'):
        reading.read(path)
    assert not marker.exists()


def test_the_refusal_names_what_the_file_asks_for(tmp_path):
    content = {'state_dict': STATE, 'epoch': Payload(os.system, 'true')}
    path = saved(tmp_path / 'weights.pth', content)
    with pytest.raises(ValueError, match=r'asks for (posix|os|nt)\.system, which is code'):
        reading.read(path)


def test_a_whole_model_is_refused_with_the_way_to_save_it(tmp_path):
    path = saved(tmp_path / 'weights.pth', torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r'torch\.nn\.modules\.linear\.Linear.*state_dict\(\)'):
        reading.read(path)


@pytest.mark.parametrize('share', [0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize('kind', ['zip', 'old', 'safetensors'])
def test_a_truncated_file_is_named_as_such(tmp_path, kind, share):
    path, large = tmp_path / 'weights.pth', {'stem.weight': torch.zeros(1000)}
    if kind == 'safetensors':
        save_file(large, path)
    else:
        saved(path, large, kind == 'zip')
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match='is cut short') as error:
        reading.read(path)
    assert ': ;' not in str(error.value)  # a reason was found


def _tar(path):
    with tarfile.open(path, 'w') as archive:
        archive.addfile(tarfile.TarInfo('weights.pth'))


def _zip(path):
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('weights.pth', 'x')


LFS = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda path: path.write_bytes(b''), r'weights\.pth is empty: download it again'),
        (lambda path: path.write_text('\n<!DOCTYPE html><html>Quota'), r'web page \(HTML\)'),
        (lambda path: path.write_text('<html><head>'), r'web page \(HTML\)'),
        (lambda path: path.write_text('\ufeff<!-- --><html>'), r'web page \(HTML\)'),
        (lambda path: path.write_text('<html>', encoding='utf-16'), r'web page \(HTML\)'),
        (lambda path: path.write_text('{"error": "Zugriff für Gäste"}'), 'text that begins'),
        (lambda path: path.write_bytes(bytes(5000)), 'nothing but zeros, an unfinished download'),
        (lambda path: path.write_bytes(bytes(2000) + b'x'), 'nothing but zeros'),
        (lambda path: path.write_text(LFS), 'git-lfs pointer.*git lfs pull'),
        (lambda path: path.write_text('Not Found'), "text that begins 'Not Found'"),
        (lambda path: path.write_bytes(b'\x93NUMPY\x01\x00' + bytes(99)), 'no PyTorch weight file'),
        (_tar, 'an archive: unpack it'),
        (_zip, 'no PyTorch weight file'),
        (lambda path: saved(path, [1, 2]), 'holds a list, not a state dict'),
        (lambda path: saved(path, {'epoch': 1}), r"the keys \['epoch'\], not a state dict"),
    ],
    ids=[
        'empty',
        'html',
        'html2',
        'bom',
        'utf-16',
        'umlaut',
        'zeros',
        'zeros2',
        'lfs',
        'text',
        'numpy',
        'tar',
        'zip',
        'list',
        'no weights',
    ],
)
def test_what_is_no_weight_file_is_named_as_such(tmp_path, write, message):
    write(tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match=message):
        reading.read(tmp_path / 'weights.pth')


def test_a_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match='is a folder: give the weight file inside'):
        reading.read(tmp_path)


def test_tensors_that_are_no_plain_arrays_are_named(tmp_path):
    path = saved(tmp_path / 'weights.pth', {'stem.weight': torch.eye(2).to_sparse()})
    with pytest.raises(ValueError, match='tensors that are no plain arrays'):
        reading.read(path)


def test_the_metadata_of_other_programs_does_not_matter(tmp_path):
    path = tmp_path / 'weights.safetensors'
    save_file(STATE, path, metadata={'kind': 'mine', 'model': 'x', 'name': '{'})
    assert_is_state(reading.read(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no weight file at .*absent\.pth'):
        reading.read(tmp_path / 'absent.pth')


def test_a_torch_whose_files_can_run_code_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path / 'weights.pth', STATE)
    monkeypatch.setattr(torch, '__version__', '2.5.1+cpu')
    with pytest.raises(RuntimeError, match=r'torch 2\.5\.1\+cpu .*--upgrade'):
        reading.read(path)


def test_the_absence_of_torch_gives_the_line_that_installs_it(tmp_path, monkeypatch):
    path = saved(tmp_path / 'weights.pth', STATE)
    monkeypatch.setitem(sys.modules, 'torch', None)
    with pytest.raises(RuntimeError, match='pip install torch --index-url https://'):
        reading.read(path)


@FORMATS
@pytest.mark.parametrize(
    'prefix',
    ['model.', '_orig_mod.', 'module._orig_mod.', 'model._orig_mod.module.', 'net.', 'pose_model.'],
)
def test_prefixes_of_wrappers_are_taken_off_all_keys(tmp_path, as_zip, prefix):
    content = {'state_dict': {f'{prefix}{key}': value for key, value in STATE.items()}}
    source = reading.read(saved(tmp_path / 'weights.ckpt', content, as_zip))
    assert_is_state(source)
    assert source.prefix == prefix


def test_compiled_parts_lose_their_mark(tmp_path):
    content = {'stem._orig_mod.weight': STATE['stem.weight'], 'stem.bias': STATE['stem.bias']}
    assert_is_state(reading.read(saved(tmp_path / 'weights.pth', content)))


class _Module:
    """What pickles as an object of a module that is not installed."""

    def __init__(self, module, name, base):
        self.kind = type(name, (base,), {'__module__': module, '__qualname__': name})
        self.module = module

    def __enter__(self):
        parts = self.module.split('.')
        for i in range(len(parts)):
            name = '.'.join(parts[: i + 1])
            sys.modules[name] = types.ModuleType(name)
        setattr(sys.modules[self.module], self.kind.__name__, self.kind)
        return self.kind

    def __exit__(self, *_):
        parts = self.module.split('.')
        for i in range(len(parts)):
            del sys.modules['.'.join(parts[: i + 1])]


@FORMATS
@pytest.mark.parametrize(
    'module',
    ['pytorch_lightning.utilities.parsing', 'lightning.fabric.utilities.data',
     'lightning_fabric.utilities.data'],
)  # fmt: skip
def test_lightnings_hyper_parameters_beside_the_weights_do_not_stop_it(tmp_path, as_zip, module):
    state = {f'model.{key}': value for key, value in STATE.items()}
    with _Module(module, 'AttributeDict', dict) as kind:
        content = {'state_dict': state, 'hyper_parameters': kind(lr=0.1, sizes=[1, 2]), 'epoch': 3}
        path = saved(tmp_path / 'weights.ckpt', content, as_zip)
    source = reading.read(path)
    assert_is_state(source)
    assert (source.wrappers, source.prefix) == (('state_dict',), 'model.')


def _cycle(path):
    content = {'epoch': 1}
    content |= {'model': content, 'net': content, 'other': content}
    saved(path, content)


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (_cycle, 'not a state dict of tensors'),
        (lambda path: saved(path, {'a\x1b[31m\nerror: fake': torch.zeros(1)}),
         r"a tensor called 'a\\x1b\[31m\\nerror: fake', which is no name"),
    ],
    ids=['cycle', 'control'],
)  # fmt: skip
def test_files_that_are_made_to_deceive_are_refused(tmp_path, write, message):
    write(tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match=message):
        reading.read(tmp_path / 'weights.pth')


def test_more_tensors_than_any_network_has_are_refused():
    content = dict.fromkeys(map(str, range(20_001)), np.zeros(1))
    with pytest.raises(ValueError, match='holds 20,001 tensors'):
        reading._unwrapped(epath.Path('weights.pth'), '', content)


def test_dictionaries_deep_inside_each_other_are_refused():
    content = dict(STATE)
    for _ in range(20_000):
        content = {'model': content}
    with pytest.raises(ValueError, match='more than 16 dictionaries inside each other'):
        reading._unwrapped(epath.Path('weights.pth'), '', content)


def test_numbers_of_a_type_that_numpy_lacks_are_refused(tmp_path):
    save_file({'w': torch.zeros(4).to(torch.float8_e4m3fn)}, tmp_path / 'weights.safetensors')
    with pytest.raises(ValueError, match='a type that NumPy does not know'):
        reading.read(tmp_path / 'weights.safetensors')


def test_a_flipped_bit_of_a_zip_file_is_told(tmp_path):
    path = saved(tmp_path / 'weights.pth', {'stem.weight': torch.ones(100)})
    content = bytearray(path.read_bytes())
    content[content.index(np.ones(100, np.float32).tobytes()) + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'is damaged: the checksum of .*download it again'):
        reading.read(path)


@FORMATS
def test_tensors_that_claim_more_than_the_file_has_are_refused(tmp_path, as_zip):
    path = saved(tmp_path / 'weights.pth', {'w': torch.zeros(1).expand(10**5, 10**5)}, as_zip)
    with pytest.raises(ValueError, match=r'its tensors claim 40,000,000,000: .*made to deceive'):
        reading.read(path)

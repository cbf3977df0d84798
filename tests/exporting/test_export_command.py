"""The command capf_jax.export: files that give JAX's outputs, and what it says to bad input."""

import json
import pathlib
import re
import sys

import numpy as np
import pytest

from capf_jax import export
from capf_jax.errors import UserError
from capf_jax.exporting import folder, networks_to_export, parity
from capf_jax.exporting.formats import FORMATS
from capf_jax.models.poseformer import PoseFormer
from tests import tiny
from tests.inference.test_estimator import filled, save

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / 'docs' / 'export.md'
DETECTOR = ROOT / 'pretrained' / 'synthetic_detector.safetensors'
FRAMES = 3


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """The folder of one weight file of each kind."""
    path = tmp_path_factory.mktemp('weights')
    config = tiny.config()
    config.model.lifter.update(ablation_step=3)
    variables = filled(tiny.ca_pf(config).init, tiny.batch(1))
    save(path / 'camera.safetensors', 'ca_pf', variables, config)
    save(path / 'detector.safetensors', 'detector', variables['detector'], config)
    config.model.hrnet.skeleton = 'coco17'
    config.model.update(frame='viewing_ray', joints2d='detector', joint_conversion='motionbert')
    save(path / 'crops.safetensors', 'ca_pf', variables, config)
    fields = {'frames': FRAMES, 'channels': 8, 'layers': 1, 'heads': 2}
    shape = (1, FRAMES, tiny.JOINTS, 2)
    tensors = filled(PoseFormer(**fields).init, np.zeros(shape, np.float32))
    save(path / 'poseformer.safetensors', 'poseformer', tensors, config, model=fields)
    return path


def run(*arguments):
    return export.main(['export', *map(str, arguments)])


@pytest.fixture(scope='module')
def exported(weights, tmp_path_factory):
    """The folder of an export of crops -> pose, joints and confidence."""
    path = tmp_path_factory.mktemp('run') / 'exported'
    assert run(weights / 'crops.safetensors', f'--out={path}') == 0
    return path


def test_a_manifest_says_what_a_stranger_needs(exported):
    manifest = json.loads((exported / 'all.json').read_text())
    assert [one['name'] for one in manifest['inputs']] == ['crops']
    assert [one['name'] for one in manifest['outputs']] == ['pose', 'joints', 'confidence']
    assert manifest['outputs'][0]['shape'] == ['batch', tiny.JOINTS, 3]
    assert manifest['outputs'][0]['unit'] == 'metres'
    assert 'viewing-ray frame' in manifest['outputs'][0]['meaning']
    assert len(manifest['joints']) == tiny.JOINTS
    assert manifest['root'] == 'pelvis'
    assert manifest['bones'][0] == [0, 1]
    assert len(manifest['bones']) == tiny.JOINTS - 1
    assert manifest['crop']['mean'] == [0.485, 0.456, 0.406]
    assert manifest['files'][0]['platforms'] == ['cpu', 'cuda', 'tpu']


def test_the_program_of_the_documentation_runs_with_jax_alone(exported, monkeypatch, capsys):
    (program,) = re.findall(r'JAX alone\n\n```python\n(.*?)```', DOCUMENT.read_text(), re.DOTALL)
    assert 'capf_jax' not in program
    monkeypatch.chdir(exported.parent)
    exec(program, {})
    assert float(capsys.readouterr().out.split()[-1]) < 1e-4


def test_an_export_in_a_store_is_checked_there(exported, memory_store, capsys):
    for path in exported.iterdir():
        memory_store().pipe_file(f'gs://bucket/exported/{path.name}', path.read_bytes())
    assert run('--check=gs://bucket/exported') == 0
    assert 'gs://bucket/exported/all.stablehlo' in capsys.readouterr().out


@pytest.mark.slow
def test_an_export_is_written_to_a_store(weights, memory_store):
    file = weights / 'poseformer.safetensors'
    assert run(file, '--part=lifter', '--out=gs://bucket/exported') == 0
    names = {name.rpartition('/')[2] for name in memory_store.store}
    assert names == {'lifter.json', 'lifter.stablehlo', 'lifter.parity.npz'}


def test_a_check_finds_outputs_that_differ(exported):
    """One millimetre is ten times what may be."""
    manifest = json.loads((exported / 'all.json').read_text())
    with np.load(exported / 'all.parity.npz') as proof:
        samples = dict(proof)

    def off(inputs):
        size = len(inputs[0])
        results = [samples[f'outputs/{one["name"]}'][:size] for one in manifest['outputs']]
        return [results[0] + 1e-3, *results[1:]]

    differences = parity.compare(off, samples, manifest['inputs'], manifest['outputs'])
    assert [one.passes for one in differences] == [False, True, True] * 2


def test_a_damaged_file_is_told(exported, tmp_path):
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / 'all.stablehlo').open('ab') as file:
        file.write(b'x')
    with pytest.raises(UserError, match=r'all\.stablehlo has not the SHA-256'):
        run(f'--check={tmp_path}')


@pytest.mark.parametrize(
    ('name', 'part'), [('poseformer', 'lifter'), ('camera', 'lifter'), ('detector', 'all')]
)
def test_onnx_gives_the_outputs_of_jax(name, part, weights, tmp_path):
    pytest.importorskip('jax2onnx', reason='needs requirements-export.txt')
    file = weights / f'{name}.safetensors'
    assert run(file, f'--part={part}', '--format=onnx', f'--out={tmp_path}') == 0
    assert json.loads((tmp_path / f'{part}.json').read_text())['files'][0]['opset'] == 23


def test_onnx_comes_in_other_types_of_numbers(tmp_path):
    """Of weights that have learnt: rounded numbers change what random ones give by any amount."""
    pytest.importorskip('jax2onnx', reason='needs requirements-export.txt')
    types = '--onnx_types=float32,float16,int8'
    assert run(DETECTOR, '--format=onnx', types, f'--out={tmp_path}') == 0
    entries = json.loads((tmp_path / 'all.json').read_text())['files']
    assert [one['file'] for one in entries] == ['all.onnx', 'all.float16.onnx', 'all.int8.onnx']
    assert [one['type'] for one in entries] == ['float32', 'float16', 'int8']
    assert len({one['sha256'] for one in entries}) == 3
    assert entries[0]['bytes'] > entries[1]['bytes']
    (tmp_path / 'all.int8.onnx').write_bytes((tmp_path / 'all.onnx').read_bytes())
    with pytest.raises(UserError, match=r'all\.int8\.onnx has not the SHA-256'):
        run(f'--check={tmp_path}')


def test_tflite_gives_the_outputs_of_jax(weights, tmp_path):
    for package in ('jax2onnx', 'onnx2tf', 'ai_edge_litert'):
        pytest.importorskip(package, reason='needs requirements-tflite.txt')
    file = weights / 'camera.safetensors'
    assert run(file, '--part=lifter', '--format=tflite', f'--out={tmp_path}') == 0
    (entry,) = json.loads((tmp_path / 'lifter.json').read_text())['files']
    assert (entry['file'], entry['batch'], entry['type']) == ('lifter.tflite', 1, 'float32')


def test_types_of_numbers_are_of_onnx_alone(weights, tmp_path):
    file = weights / 'camera.safetensors'
    with pytest.raises(UserError, match="--onnx_types is 'int4'; the nearest is 'int8'"):
        run(file, '--format=onnx', '--onnx_types=float32,int4', f'--out={tmp_path}')
    with pytest.raises(UserError, match='--onnx_types is for ONNX files: add --format=onnx'):
        run(file, '--onnx_types=int8', f'--out={tmp_path}')


@pytest.mark.parametrize(
    ('name', 'part', 'inputs', 'outputs'),
    [
        ('camera', 'all', 'crops joints2d joints2d_crop', 'pose'),
        ('camera', 'detector', 'crops', 'joints confidence maps_0 maps_1 maps_2 maps_3'),
        ('crops', 'lifter', 'joints2d_crop maps_0 maps_1 maps_2 maps_3', 'pose'),
        ('poseformer', 'all', 'joints2d', 'pose'),
    ],
)
def test_every_part_has_its_inputs_and_outputs(name, part, inputs, outputs, weights):
    network = networks_to_export.of_file(weights / f'{name}.safetensors', part)
    assert ' '.join(one.name for one in network.inputs) == inputs
    assert ' '.join(one.name for one in network.outputs) == outputs


def test_a_file_without_a_lifter_has_no_lifter_to_export(weights, tmp_path):
    with pytest.raises(UserError, match=r'detector\.safetensors holds no lifter'):
        run(weights / 'detector.safetensors', '--part=lifter', f'--out={tmp_path}')


def test_an_unknown_format_or_part_names_the_nearest(weights, tmp_path):
    file = weights / 'detector.safetensors'
    with pytest.raises(UserError, match="--format is 'onx'; the nearest is 'onnx'"):
        run(file, '--format=stablehlo,onx', f'--out={tmp_path}')
    with pytest.raises(UserError, match="--part is 'lift'; the nearest is 'lifter'"):
        run(file, '--part=lift', f'--out={tmp_path}')


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'jax2onnx', None)
    with pytest.raises(UserError, match=r'need jax2onnx.*requirements-export\.txt'):
        FORMATS['onnx'].check_installed()
    with pytest.raises(UserError, match=r'need jax2onnx.*requirements-tflite\.txt'):
        FORMATS['tflite'].check_installed()


def test_a_tflite_file_without_litert_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', None)
    with pytest.raises(UserError, match=r'needs LiteRT, .*: pip install ai-edge-litert'):
        FORMATS['tflite'].opened(tmp_path / 'all.tflite')


def test_a_folder_that_cannot_be_made_is_told(weights, tmp_path):
    (tmp_path / 'file').touch()
    network = networks_to_export.of_file(weights / 'poseformer.safetensors')
    with pytest.raises(UserError, match=r'cannot be written to .* name another by --out'):
        folder.write(network, ['stablehlo'], tmp_path / 'file' / 'exported')


def test_a_folder_without_an_export_is_told(tmp_path):
    with pytest.raises(UserError, match='holds no export'):
        run(f'--check={tmp_path}')

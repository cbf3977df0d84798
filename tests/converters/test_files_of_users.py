"""Weight files as people have them: other names, prefixes, joints, sizes; remedies are followed."""

import re

import numpy as np
import pytest
import torch

from capf_jax import Estimator
from capf_jax.inference import weight_files
from capf_jax.inference.detector_weights import load_detector
from converters import advice, engine, inspect, namings, tables
from converters import convert as convert_command
from converters import export as export_command
from converters.conversion import convert
from converters.export import export
from tests.converters.test_convert import saved, small_ca_pf, small_state
from tests.converters.test_recognise import OWN
from tests.goldens import recipe

HRNET = {**OWN['hrnet'], 'heatmaps': 'gaussian'}


def small_hrnet(naming=namings.OFFICIAL, joints='coco17'):
    """Keys and arrays of an HRNet as small as can be."""
    model = tables.detector('hrnet', naming, HRNET).of_joints(joints)
    return recipe.state_dict(engine.torch_shapes(model.rules, model.expected()))


def converted(tmp_path, state, **arguments):
    """The summary of a conversion, and the file that it wrote."""
    target = tmp_path / 'b.safetensors'
    return convert(saved(tmp_path / 'a.pth', state), target, **arguments), target


def test_an_hrnet_of_mmpose_1_gives_the_same_heatmaps(tmp_path):
    official = small_hrnet()
    renamed = {
        ('head.' if key.startswith('final_layer') else 'backbone.') + key: array
        for key, array in official.items()
    }
    summary, target = converted(tmp_path, renamed)
    assert 'its keys have the names of MMPose 1 and later' in summary
    crops = recipe.images(1, 64, 64)
    theirs = Estimator.load(target).heatmaps(crops)
    converted(tmp_path, official)
    np.testing.assert_array_equal(theirs, Estimator.load(target).heatmaps(crops))


def test_other_joints_of_the_same_shapes_are_named(tmp_path):
    summary, _ = converted(tmp_path, small_hrnet())
    assert 'joints: coco17 (nose, left_eye, right_eye, left_ear, ...), assumed' in summary
    options = re.search(r'--skeleton=(\S+)', summary)[1].split('|')
    assert 'h36m17' in options
    summary, target = converted(tmp_path, small_hrnet(), skeleton=options[0])
    assert 'assumed' not in summary
    assert weight_files.load_weights(target)[1]['skeleton'] == options[0]


def test_another_number_of_joints_leads_to_the_skeleton_that_has_it(tmp_path):
    state = small_hrnet(joints='h36m17_surface')
    with pytest.raises(
        ValueError, match=r'for 36 joints, and coco17 has 17: say .*--skeleton='
    ) as error:
        converted(tmp_path, state)
    name = re.search(r'--skeleton=(\S+)', str(error.value))[1]
    summary, _ = converted(tmp_path, state, skeleton=name)
    assert 'joints: h36m17_surface' in summary


def test_training_on_other_joints_leads_to_a_conversion_that_helps(tmp_path):
    _, target = converted(tmp_path, small_hrnet())
    shapes = tables.detector('hrnet', hrnet=HRNET).expected()
    with pytest.raises(ValueError, match=r"detects the joints of 'coco17'") as error:
        load_detector(str(target), shapes, 'h36m17', 'hrnet')
    skeleton = re.search(r'--skeleton=(\S+)', str(error.value))[1]
    converted(tmp_path, small_hrnet(), skeleton=skeleton)
    assert load_detector(str(target), shapes, 'h36m17', 'hrnet').keys() == shapes.keys()


def test_an_unknown_skeleton_gets_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="'h36m71'; the nearest is 'h36m17'"):
        converted(tmp_path, small_hrnet(), skeleton='h36m71')


def test_a_prefix_that_nobody_knows_is_taken_off_and_said(tmp_path):
    state = {f'my.wrapper.{key}': array for key, array in small_state().items()}
    summary, _ = converted(tmp_path, state)
    assert "the prefix 'my.wrapper.'" in summary


# Names that training programs give to what they keep beside a network of 15 tensors and more.
BESIDE = {
    'a network': lambda key: f'teacher.{key}',
    'a network inside its wrapper': lambda key: f'my.wrapper.teacher.{key}',
    'names without dots': lambda key: f'ema_{key.replace(".", "_")}',
    'names of the model itself': lambda key: f'head.{key.replace(".", "_")}.mean',
}


@pytest.mark.parametrize('beside', BESIDE)
def test_what_a_file_holds_beyond_the_model_is_left_out_as_the_error_says(tmp_path, beside):
    state = small_state()
    extra = {BESIDE[beside](key): array for key, array in list(state.items())[:15]}
    if beside == 'a network inside its wrapper':
        state = {f'my.wrapper.{key}': array for key, array in state.items()}
    with pytest.raises(ValueError, match='It seems to be poseformer') as error:
        converted(tmp_path, state | extra)
    drop = re.search(r'--drop=(\S+)', str(error.value))[1].split(',')
    summary, _ = converted(tmp_path, state | extra, drop=drop)
    assert 'dropped, left out by --drop: 15 (' in summary


def test_a_prefix_that_not_all_keys_have_is_led_to(tmp_path):
    wrapped = {f'model.{key}': array for key, array in small_state().items()}
    beside = {'loss.weight': np.ones(17, np.float32), 'steps': np.ones(1, np.float32)}
    for state in (beside | wrapped, {f'my.{k}': a for k, a in (beside | wrapped).items()}):
        with pytest.raises(ValueError, match=r"begins with 'model\.' seems to be") as error:
            converted(tmp_path, state)
        drop = re.search(r'--drop=(\S+)', str(error.value))[1].split(',')
        summary, _ = converted(tmp_path, state, drop=drop)
        assert 'dropped, left out by --drop: 2 (' in summary
        assert f'--drop={",".join(drop)}' in inspect.inspect(tmp_path / 'a.pth')


def test_a_part_of_a_model_is_called_so(tmp_path):
    state = {key: array for key, array in small_state().items() if key.startswith('Spatial')}
    with pytest.raises(ValueError, match=r'seems to be poseformer .*lacks \d+ of the tensors'):
        converted(tmp_path, state)


def test_a_beginning_that_no_key_has_gets_the_nearest(tmp_path):
    with pytest.raises(ValueError, match=r"--drop is 'haed\.'.* the nearest is 'head\.'"):
        converted(tmp_path, small_state(), drop=['haed.'])


def test_a_file_that_is_nearly_nothing_known_is_not_called_so(tmp_path):
    state = {'head.0.weight': np.zeros(3, np.float32), 'x.y': np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match='It is hardly a poseformer'):
        converted(tmp_path, state)


def test_nan_in_the_weights_is_said(tmp_path):
    state = small_state()
    state['head.1.bias'][0] = np.nan
    assert (
        'WARNING: NaN or infinity in 1 tensors, first in head.1.bias'
        in (converted(tmp_path, state)[0])
    )


def test_a_lifter_of_larger_crops_takes_them(tmp_path):
    _, target = converted(tmp_path, small_ca_pf(), crop=(64, 96))
    assert Estimator.load(target).crop_size == (64, 96)


@pytest.mark.parametrize('size', [(64, 96), (96, 64)])
def test_a_published_hrnet_takes_crops_of_any_size_that_it_can(size, tmp_path):
    _, target = converted(tmp_path, small_hrnet())
    heatmaps = Estimator.load(target).heatmaps(recipe.images(1, *size))
    assert heatmaps.shape == (1, size[0] // 4, size[1] // 4, 17)


class TestInspect:
    """What `python -m converters.inspect` says."""

    def test_of_a_published_file(self, tmp_path):
        path = saved(tmp_path / 'a.pth', small_state(), epoch=3)
        lines = inspect.inspect(path).splitlines()
        assert lines[1].startswith('  is poseformer, ')
        assert any('GFLOP a person' in line for line in lines)
        assert '  poses: metres, relative to the root joint' in lines
        assert '  input: 2D joints of 3 frames' in lines
        assert '  dropped, beside the state dict: 1 (epoch)' in lines
        assert lines[-1] == f'convert it: python -m converters.convert {path} FILE.safetensors'
        assert [p.name for p in tmp_path.iterdir()] == ['a.pth']

    def test_of_a_file_of_ours(self, tmp_path):
        _, target = converted(tmp_path, small_ca_pf())
        text = inspect.inspect(target)
        for part in ('of this project: ca_pf', 'converted from a.pth', 'joints: h36m17',
                     'detector: ', 'lifter: ', 'poses: metres', 'export it: '):  # fmt: skip
            assert part in text

    def test_of_a_detector(self, tmp_path):
        text = inspect.inspect(saved(tmp_path / 'a.pth', small_hrnet(namings.MMPOSE)))
        assert "MMPose's names of before version 1" in text
        assert 'poses: none, it is a 2D detector' in text
        assert 'crops of 256x192 pixels, or of any whose sides are multiples of 32' in text

    def test_of_a_file_that_does_not_fit(self, tmp_path):
        state = small_state()
        del state['head.1.bias']
        text = inspect.inspect(saved(tmp_path / 'a.pth', state))
        assert '  is nearest to poseformer, ' in text
        assert 'missing: head.1.bias' in text
        assert 'It seems to be poseformer' in text

    def test_of_no_known_model(self, tmp_path):
        text = inspect.inspect(saved(tmp_path / 'a.pth', {'x': np.zeros((2, 3), np.float32)}))
        assert 'is of no known model; it holds 1 tensors, first x (2, 3)' in text


@pytest.mark.parametrize(
    ('kind', 'wrappers', 'prefix', 'reader'),
    [
        ('ca_pf', ['model'], '', 'train.py --eval'),
        ('3dhp', [], 'module.', 'run_3dhp.py'),
        ('poseformer', ['model_pos'], 'module.', 'run_poseformer.py'),
        ('hrnet', [], '', 'load_state_dict'),
        ('mmpose', ['state_dict'], '', 'MMPose'),
    ],
)
def test_exported_files_have_the_form_that_the_published_script_reads(
    tmp_path, kind, wrappers, prefix, reader
):
    skeleton = 'mpi_inf_3dhp17' if kind == '3dhp' else None
    makers = {
        'poseformer': small_state,
        'hrnet': small_hrnet,
        'mmpose': lambda: small_hrnet(namings.MMPOSE_1),
    }
    state = makers.get(kind, small_ca_pf)()
    _, target = converted(tmp_path, state, skeleton=skeleton)
    summary = export(target, tmp_path / 'c.pth')
    assert reader in summary
    exported = torch.load(tmp_path / 'c.pth', weights_only=True)
    for wrapper in wrappers:
        assert exported.keys() == {wrapper}
        exported = exported[wrapper]
    assert exported.keys() == {prefix + key for key in state}


def test_bare_and_wrapped_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match='exclude each other'):
        export_command.main(['export', 'a.safetensors', 'b.pth', '--bare', '--wrapped'])


def test_a_detector_without_published_files_is_said_to_have_none(monkeypatch):
    monkeypatch.delitem(tables.NAMINGS, tables.CPN)
    assert 'cpn50' not in tables.names()
    with pytest.raises(ValueError, match='no PyTorch file of a CPN has been published'):
        _ = tables.detector('cpn50').rules


def test_a_crop_is_two_numbers():
    with pytest.raises(ValueError, match="--crop is '384'; give height and width"):
        convert_command.main(['convert', 'a.pth', 'b.safetensors', '--crop=384'])


def test_the_simple_decoder_of_vitpose_is_recognised():
    shapes = {'keypoint_head.final_layer.weight': (17, 384, 3, 3)}
    model = tables.detector('vitpose_s')
    problems = {'missing': ['a'], 'unexpected': [], 'shape': [], 'type': []}
    assert 'simple decoder' in advice._try(model, problems, shapes)

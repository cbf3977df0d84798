"""The command `capf_jax.compare`: figures and numbers, or one sentence and no file."""

import functools
import json
import types

import jax
import numpy as np
import pytest

from capf_jax import compare, data_assembly
from capf_jax.errors import UserError
from capf_jax.models import attention_maps
from capf_jax.pose import skeletons
from capf_jax.scoring import looks, prediction_files
from tests import tiny
from tests.inference.sequence_files import written


@pytest.fixture
def config_file(config, tmp_path):
    path = tmp_path / 'tiny_config.py'
    path.write_text(
        'from tests import evaluated\n\n\ndef get_config():\n'
        f'    return evaluated.tiny_config({config.data.dir!r})\n'
    )
    return path


@pytest.fixture
def files(config, builder, tmp_path):
    """Two programs: one is 10 mm off, the other 20 mm on the first sample and right elsewhere."""
    split = data_assembly.open_split(builder, config)
    truth = split.read(np.arange(7)).joints3d
    notes = {'skeleton': 'h36m17', 'dataset': split.conditions['dataset'], 'split': 'test'}
    shifts = {'a': np.full(7, 0.01), 'b': 0.02 * (np.arange(7) == 0)}
    return [
        str(
            prediction_files.save(
                tmp_path / f'{name}.npz',
                truth + shift[:, None, None] * np.array([1, 0, 0]),
                {**split.labels, 'index': np.arange(7)},
                notes,
            )
        )
        for name, shift in shifts.items()
    ]


def test_the_command_draws_and_counts(files, config_file, tmp_path, capsys):
    out = tmp_path / 'out'
    arguments = ['--names=ours,b', f'--config={config_file}', f'--out={out}']
    code = compare.main(['compare', *files, *arguments])
    content = json.loads((out / 'comparison.json').read_text())
    assert code == 0
    assert content['all']['mpjpe_mm']['ours'] == pytest.approx(10, abs=1e-3)
    assert content['all']['share_won'] == pytest.approx({'ours': 1 / 7, 'b': 6 / 7})
    stems = {path.stem for path in out.glob('*.png')}
    assert {'side_by_side', 'error_by_joint', 'error_by_action', 'frames_won'} <= stems
    assert {path.stem for path in out.glob('*.pdf')} == stems
    assert '85.7' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['a'], 'give two to 4'),
        (['a', 'b', '--samples=70'], '--samples has 70'),
        (['a', 'b', '--video=subject=S77'], 'subject=S77'),
        (['a', 'b', '--video=subjct=S77'], "nearest is 'subject'"),
        (['a', 'nowhere'], 'correct its path'),
        (['a', 'b', '--number=0'], '--number: 0 is below 1'),
        (['a', 'b', '--names=ours'], '--names has 1 names for 2 files'),
        (['a', 'b', '--names=ours,ours'], 'a name of its own'),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_leaves_nothing(
    files, config_file, tmp_path, arguments, words
):
    places = {'a': files[0], 'b': files[1], 'nowhere': str(tmp_path / 'nowhere.npz')}
    out = tmp_path / 'out'
    argv = [places.get(argument, argument) for argument in arguments]
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        compare.main(['compare', *argv, f'--config={config_file}', f'--out={out}'])
    assert not out.exists()


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='nothing to draw'):
        compare.main(['compare', f'--out={tmp_path}'])


def test_a_poseformer_looks_at_no_picture(config_file, tmp_path):
    settings = tiny.windowed(tiny.config(), sequence_lifter='poseformer')
    written(tmp_path / 'windows.safetensors', settings, tiny.windows())
    arguments = [f'--config={config_file}', f'--out={tmp_path / "out"}']
    with pytest.raises(ValueError, match='holds a PoseFormer'):
        compare.main(['compare', f'--weights={tmp_path / "windows.safetensors"}', *arguments])


def test_a_lifter_of_windows_is_drawn_in_single_frames(config_file, builder, tmp_path, monkeypatch):
    """A CA-PF-S with deformable extraction: it has sampling points as a lifter of one frame has."""
    settings = tiny.windowed(tiny.config())
    settings.model.lifter.update(ablation_step=3, deformable=True, deformable_heads=2)
    written(tmp_path / 'windows.safetensors', settings, tiny.windows())
    people, drawn = tiny.batch(2), []
    split = types.SimpleNamespace(read=lambda positions: people)
    monkeypatch.setattr(data_assembly, 'open_split', lambda *_: split)
    monkeypatch.setattr(looks, 'draw_looks', lambda *values, **_: drawn.append(values) or ())
    arguments = [f'--config={config_file}', f'--out={tmp_path / "out"}']
    compare.main(['compare', f'--weights={tmp_path / "windows.safetensors"}', *arguments])
    ((model, variables, *_),) = drawn
    shapes = jax.eval_shape(functools.partial(attention_maps.looks, model), variables, people)
    assert shapes.points.shape[:2] == (2, settings.model.lifter.layers)


def test_looks_are_drawn_for_the_frame_and_its_neighbours(config, builder):
    """On a lifter of random weights: the figures are those of every part that it has."""
    settings = tiny.config()
    settings.model.lifter.update(ablation_step=3, deformable_heads=2)
    model, batch = tiny.ca_pf(settings), tiny.batch(8)
    split = data_assembly.open_split(builder, config)

    def read(positions):
        places = np.asarray(positions) % 8
        return jax.tree.map(lambda array: array[places], batch)

    labels = {name: values[[0] * 7] for name, values in split.labels.items()}
    labels['frame'] = np.arange(7)
    split = type(split)(labels, split.batches, read, split.conditions)
    variables = tiny.variables(model, batch)
    figures = dict(looks.draw_looks(model, variables, split, settings))
    assert list(figures) == ['joint_attention', 'sampling_points', 'sampling_points_of_frames']
    several = list(looks.draw_looks(model, variables, split, settings, (2, 5)))
    assert [name for name, _ in several if name.startswith('sampling_points_of')] == [
        'sampling_points_of_frames_2',
        'sampling_points_of_frames_5',
    ]
    shares = figures['joint_attention'].axes[0].images[0].get_array()
    np.testing.assert_allclose(shares.sum(-1), 100, rtol=1e-4)
    assert shares.shape == (len(skeletons.H36M17),) * 2


def test_names_without_files_of_predictions_are_refused(tmp_path):
    with pytest.raises(UserError, match='--names are names of files of predictions; give these'):
        compare.parse(['compare', '--published', '--names=a,b', f'--out={tmp_path}'])


def test_samples_are_for_sampling_points_unless_other_figures_take_them(
    config, builder, monkeypatch
):
    people, joints = tiny.batch(2), len(skeletons.H36M17)
    seen = types.SimpleNamespace(points=None, between_joints=np.full((1, 2, 2, joints, joints), 1))
    monkeypatch.setattr(looks, '_looks', lambda *_: seen)
    split = data_assembly.open_split(builder, config)
    split = type(split)(split.labels, split.batches, lambda _: people, split.conditions)
    arguments = tiny.ca_pf(tiny.config()), {}, split, config, [1]
    with pytest.raises(UserError, match='this lifter has none: leave --samples out'):
        list(looks.draw_looks(*arguments))
    drawn = looks.draw_looks(*arguments, samples_are_shared=True)
    assert [name for name, _ in drawn] == ['joint_attention']


def test_neighbours_of_a_frame_are_of_its_video_and_in_order(config, builder):
    split = data_assembly.open_split(builder, config)
    labels = {name: values[[0] * 7] for name, values in split.labels.items()}
    labels['frame'] = np.array([5, 3, 1, 0, 2, 4, 6])
    split = type(split)(labels, split.batches, split.read, split.conditions)
    assert looks.consecutive(split, 0) == [1, 5, 0, 6]

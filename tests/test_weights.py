"""Weight files are scored by `evaluate --weights`, and runs begin from them (`training.start`)."""

import json

import jax
import numpy as np
import pytest

from capf_jax import assembly, evaluate, evaluate_arguments, train
from capf_jax.errors import UserError
from capf_jax.inference import units
from capf_jax.inference.weight_files import load_weights, save_weights
from capf_jax.runtime import commands
from data_pipeline import datasets
from tests import tiny


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The tiny configuration, its dataset rendered: 24 people to train on, 6 to test on."""
    settings = tiny.config(tmp_path_factory.mktemp('data'), epochs=1)
    datasets.open_or_build(settings.data, build=True)
    return settings


@pytest.fixture(scope='module')
def run(config, tmp_path_factory):
    """A finished run's workdir, with lifter.safetensors."""
    workdir = tmp_path_factory.mktemp('run')
    train.train_and_evaluate(config, workdir)
    return workdir


@pytest.fixture
def weights(run):
    return run / 'lifter.safetensors'


def first_state(config):
    """The state that training starts from."""
    task = assembly.make_task(config)
    return task.pretrained(task.init(jax.random.PRNGKey(7), tiny.batch(2)))


def equal(one, other):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(one), jax.device_get(other))


def saved(path, weights, change=lambda variables: None, **metadata):
    """A changed copy of a weight file."""
    variables, before = load_weights(weights)
    change(variables)
    save_weights(path, variables, before | metadata)
    return path


def test_the_weights_of_a_run_are_scored_as_its_checkpoint_is(config, run, weights):
    expected = evaluate.open_run(run, config, 'latest').evaluate()
    result = evaluate.open_weights(weights, config).evaluate()
    np.testing.assert_array_equal(result.predictions, expected.predictions)
    assert result.scores == expected.scores
    assert result.conditions['weights'] == str(weights)


def test_the_file_decides_the_model(config, weights):
    other = config.copy_and_resolve_references()
    other.model.detector = 'hrnet_w48'
    other.model.lifter.update(ablation_step=3, channels=128, heads=8)
    one = evaluate.open_weights(weights, other)
    assert one.task.conditions['ablation_step'] == 1


@pytest.fixture
def config_file(config, tmp_path):
    """A config file of the tiny configuration."""
    path = tmp_path / 'tiny_config.py'
    path.write_text(
        'from tests import tiny\n'
        f'get_config = lambda arg="": tiny.config({config.data.dir!r}, epochs=1)\n'
    )
    return path


def test_the_command_writes_beside_the_file(config_file, weights, tmp_path, capsys):
    path = saved(tmp_path / 'a.safetensors', weights)
    argv = ['evaluate', f'--weights={path}', f'--config={config_file}', '--pictures=1']
    assert evaluate.main([*argv, '--noflip_test']) == 0
    folder = tmp_path / 'a_evaluation'
    content = json.loads((folder / 'evaluation_test_noflip.json').read_text())
    assert content['protocol']['weights'] == str(path)
    assert len(np.load(folder / 'evaluation_test_noflip.npz')['poses']) == 6
    assert (folder / 'pictures' / 'people.png').exists()
    assert 'MPJPE' in capsys.readouterr().out


@pytest.mark.slow
def test_weights_in_a_store_are_scored_and_begun_from(config_file, weights, tmp_path, memory_store):
    file = 'gs://bucket/w/a.safetensors'
    memory_store().pipe_file(file, weights.read_bytes())
    argv = ['evaluate', f'--weights={file}', f'--config={config_file}', '--pictures=0']
    assert evaluate.main([*argv, '--noflip_test']) == 0
    assert '/bucket/w/a_evaluation/evaluation_test_noflip.json' in memory_store.store
    argv = ['train', f'--config={config_file}', f'--workdir={tmp_path / "run"}']
    assert train.main([*argv, f'--config.training.start={file}']) == 0
    begun, before = (load_weights(path)[0] for path in (tmp_path / 'run' / weights.name, weights))
    equal(begun['detector'], before['detector'])


def test_noise_is_swept_into_a_folder_of_choice(config_file, weights, tmp_path):
    folder = tmp_path / 'results'
    argv = ['evaluate', f'--weights={weights}', f'--config={config_file}', f'--workdir={folder}']
    assert evaluate.main([*argv, '--noise=0,3', '--noflip_test']) == 0
    rows = json.loads((folder / 'evaluation_test_noflip_noise.json').read_text())['noise']
    assert [row['sigma_px'] for row in rows] == [0, 3]


@pytest.mark.parametrize('more', ['--pictures=0', '--noise=0'])
def test_where_nothing_can_be_written_it_is_said_first_and_the_table_printed(
    more, config_file, weights, capsys
):
    argv = ['evaluate', f'--weights={weights}', f'--config={config_file}', '--workdir=/proc/x']
    with pytest.raises(OSError, match='/proc') as error:
        evaluate.main([*argv, more, '--noflip_test'])
    assert commands.is_expected(error.value)
    printed = capsys.readouterr()
    assert printed.err.startswith('WARNING: /proc/x: ')
    assert 'MPJPE' in printed.out


def test_weights_need_a_config(weights):
    with pytest.raises(UserError, match='--config is missing: it names the dataset'):
        evaluate_arguments.parse(['evaluate', f'--weights={weights}'], '')


def test_weights_and_predictions_exclude_each_other(weights, config_file):
    argv = ['evaluate', f'--weights={weights}', f'--config={config_file}', '--predictions=a.npz']
    with pytest.raises(UserError, match='--weights and --predictions exclude each other'):
        evaluate_arguments.parse(argv, '')


def test_millimetres_in_a_file_are_metres_in_a_result(config, weights, tmp_path):
    def in_millimetres(variables):
        variables['lifter'] = units.in_unit(variables['lifter'], 'm', 'mm')

    other = saved(tmp_path / 'mm.safetensors', weights, in_millimetres, unit='mm')
    one, two = (evaluate.open_weights(path, config).evaluate() for path in (weights, other))
    np.testing.assert_allclose(two.predictions, one.predictions, rtol=0, atol=1e-6)


def test_a_file_for_other_joints_is_refused(config, weights, tmp_path):
    other = saved(tmp_path / 'other.safetensors', weights, skeleton='mpi_inf_3dhp17')
    with pytest.raises(UserError, match=r"for the joints of 'mpi_inf_3dhp17', and config.skeleton"):
        evaluate.open_weights(other, config)


def test_a_file_for_other_crops_is_refused(config, weights, tmp_path):
    _, metadata = load_weights(weights)
    metadata['config']['data']['builder']['height'] = 256
    other = saved(tmp_path / 'other.safetensors', weights, config=metadata['config'])
    with pytest.raises(UserError, match=r'takes crops of 256x32 pixels, .* have 64x32'):
        evaluate.open_weights(other, config)


def test_a_file_that_lacks_a_tensor_is_refused(config, weights, tmp_path):
    def without_head(variables):
        del variables['lifter']['params']['head']

    other = saved(tmp_path / 'other.safetensors', weights, without_head)
    with pytest.raises(UserError, match=r'not those of the model .* lifter/params/head/bias'):
        evaluate.open_weights(other, config)


def test_a_poseformer_that_does_not_describe_itself_is_refused(config, tmp_path):
    path = tmp_path / 'poseformer.safetensors'
    variables, metadata = {'params': {'a': np.zeros(1)}}, {'kind': 'poseformer'}
    save_weights(path, variables, metadata)
    with pytest.raises(UserError, match='does not say what model it holds'):
        evaluate.open_weights(path, config)
    metadata |= {'skeleton': 'h36m17', 'model': {'frames': 3}}
    save_weights(path, variables, metadata)
    with pytest.raises(UserError, match=r"does not describe its model completely .*'channels'"):
        evaluate.open_weights(path, config)


def test_training_begins_from_both_parts(config, weights):
    config = config.copy_and_resolve_references()
    config.training.start = str(weights)
    variables, _ = load_weights(weights)
    state = first_state(config)
    equal(state.params, variables['lifter']['params'])
    equal(state.frozen, variables['detector'])


@pytest.mark.parametrize('part', ['lifter', 'detector'])
def test_training_takes_one_part_alone(config, weights, part):
    config = config.copy_and_resolve_references()
    config.training.update(start=str(weights), start_part=part)
    variables, _ = load_weights(weights)
    state = first_state(config)
    taken = {'lifter': state.params, 'detector': state.frozen}
    theirs = {'lifter': variables['lifter']['params'], 'detector': variables['detector']}
    equal(taken.pop(part), theirs.pop(part))
    ((other, value),) = taken.items()
    one, two = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
        for tree in (value, theirs[other])
    )
    assert not np.array_equal(one, two)


def test_a_detectors_file_is_scored_and_training_begins_from_it(config, weights, tmp_path):
    variables, metadata = load_weights(weights)
    path = tmp_path / 'detector.safetensors'
    metadata = {name: metadata[name] for name in ('skeleton', 'model')}
    save_weights(path, variables['detector'], {**metadata, 'kind': 'detector'})
    config = config.copy_and_resolve_references()
    result = evaluate.open_weights(path, config).evaluate()
    assert np.isfinite(result.score)  # pixels
    assert result.conditions['model'] == 'unknown'
    config.training.start = str(path)
    equal(first_state(config).frozen, variables['detector'])
    config.training.start_part = 'lifter'
    with pytest.raises(UserError, match='holds no lifter, only a detector'):
        first_state(config)


def test_a_start_of_another_size_is_refused(config, weights):
    config = config.copy_and_resolve_references()
    config.model.lifter.channels = 16
    config.training.start = str(weights)
    with pytest.raises(UserError, match=r'another one than config.model describes: .* tensors'):
        first_state(config)


def test_a_start_on_other_maps_is_refused_though_its_tensors_fit(config, weights, tmp_path):
    _, metadata = load_weights(weights)
    model = metadata['model']
    model = {**model, 'lifter': {**model['lifter'], 'levels': [3, 0]}}
    config = config.copy_and_resolve_references()
    config.training.start = str(saved(tmp_path / 'other.safetensors', weights, model=model))
    with pytest.raises(UserError, match=r'samples the feature maps \(3, 0\), .* is \(0, 3\)'):
        first_state(config)


def test_a_run_begins_at_step_0_and_goes_on_without_the_file_and_its_heatmaps(
    config, weights, tmp_path
):
    def without_heatmaps(variables):
        del variables['detector']['params']['head']

    path = saved(tmp_path / 'as_published.safetensors', weights, without_heatmaps)
    theirs, _ = load_weights(path)
    config = config.copy_and_resolve_references()
    config.training.update(start=str(path), learning_rate=0.0)
    workdir = tmp_path / 'run'
    outcome = train.train_and_evaluate(config, workdir)
    assert outcome.step == outcome.total_steps  # all steps are done again
    equal(outcome.state.params, theirs['lifter']['params'])
    equal(outcome.state.frozen, theirs['detector'])
    path.unlink()  # A checkpoint has all that a run needs to go on.
    train.train_and_evaluate(config, workdir)
    variables, metadata = load_weights(workdir / 'lifter.safetensors')
    assert 'head' not in variables['detector']['params']
    assert not metadata['model']['detector_head']


def test_a_lifters_file_is_no_detectors_file(config, weights):
    config = config.copy_and_resolve_references()
    config.model.detector_weights = str(weights)
    with pytest.raises(UserError, match=r'name it by training.start instead of'):
        first_state(config)

"""Configurations are read, changed and stored with a run, or are refused in one sentence."""

import importlib
import json
import pathlib
import subprocess

import pytest

from capf_jax.runtime import configuration
from configs import base, own_data

ROOT = pathlib.Path(__file__).parents[2]
BASE = f'--config={ROOT / "configs" / "base.py"}'


def parse(*arguments):
    return configuration.parse(['train', *arguments])


def test_overrides_and_workdir_are_read():
    arguments = parse(
        BASE, '--config.training.epochs=3', '--config.model.lifter.levels=(0,1)', '--workdir=w'
    )
    assert arguments.config.training.epochs == 3
    assert arguments.config.model.lifter.levels == (0, 1)
    assert arguments.workdir == pathlib.Path('w')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--config.training.epoch=3'], "no config field 'training.epoch'; .*'training.epochs'"),
        (['--config.modle.lifter.layers=3'], "'modle.lifter.layers'; .*'model.lifter.layers'"),
        (['--config.epochs', '3'], "'epochs'; the nearest is 'training.epochs'"),
        (['--config.training.epochs=many'], 'config.training.epochs=many'),
        (['--workdri=w'], "unknown argument '--workdri=w'; the nearest is --workdir"),
        (['stray'], "unknown argument 'stray'"),
    ],
)
def test_a_bad_argument_is_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse(BASE, '--workdir=w', *arguments)
    assert '\n' not in str(caught.value)


def test_a_field_that_a_config_file_misspells_is_named(tmp_path):
    path = tmp_path / 'wrong.py'
    path.write_text(
        'from configs import base\n\ndef get_config():\n    config = base.get_config()\n'
        '    config.training.epoch = 3\n    return config\n'
    )
    with pytest.raises(ValueError, match=r'field that does not exist: .*epochs'):
        parse(f'--config={path}', '--workdir=w')


def test_a_bad_argument_of_a_config_file_is_one_sentence():
    config = f'--config={ROOT / "configs" / "synthetic.py"}:stp=0'
    with pytest.raises(ValueError, match=r"^this config has no argument 'stp'; the nearest"):
        parse(config, '--workdir=w')


def test_a_missing_config_file_is_named():
    with pytest.raises(ValueError, match=r'absent\.py'):
        parse('--config=absent.py', '--workdir=w')


@pytest.mark.parametrize('content', [b'# Read me\nfirst **this**', b'\x00\x01', b'\xff\xfe'])
def test_a_config_file_that_is_not_python_is_named(tmp_path, content):
    path = tmp_path / 'README.md'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'{path} does not read as Python') as caught:
        parse(f'--config={path}', '--workdir=w')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('arguments', 'missing'), [([BASE], 'workdir'), (['--workdir=w'], 'config')]
)
def test_a_missing_argument_is_named(arguments, missing):
    with pytest.raises(ValueError, match=f'--{missing} is missing'):
        parse(*arguments)


def test_a_saved_configuration_comes_back_equal(tmp_path):
    config = base.get_config()
    configuration.save(config, tmp_path / 'run')
    assert configuration.load(tmp_path / 'run').to_dict() == config.to_dict()


def test_the_command_is_kept_and_names_the_config_file(tmp_path):
    arguments = parse(BASE, '--config.seed=3', '--workdir=w')
    configuration.save(arguments.config, tmp_path, arguments.command)
    assert configuration.command_of(tmp_path) == f'{BASE} --config.seed=3 --workdir=w'


@pytest.mark.parametrize(
    ('field', 'message'),
    [
        ('evaluation.every_epochs=0', 'every_epochs is 0; it must be at least 1'),
        ('training.batch_size=-8', 'batch_size is -8; it must be at least 1'),
        ('model.lifter.ablation_step=7', 'ablation_step is 7; it must be one of 0, 1, 2, 3'),
        ('model.lifter.heads=7', 'heads is 7, which does not divide .*channels, 128'),
        ('dtype=float16', "dtype is 'float16'; it must be one of float32, bfloat16"),
        ('training.precision=low', "precision is 'low'; it must be one of default, high,"),
        ('evaluation.precision=exact', "evaluation.precision is 'exact'; it must be one of"),
        ('training.weight_type=half', "is 'half'; it must be one of float32, float16"),
    ],
)
def test_a_value_that_would_fail_later_fails_at_once(field, message):
    with pytest.raises(ValueError, match=message):
        parse(BASE, f'--config.{field}', '--workdir=w')


def test_versions_and_commit_are_kept_for_each_start(tmp_path):
    for _ in range(2):
        configuration.save(base.get_config(), tmp_path)
    starts = json.loads((tmp_path / 'versions.json').read_text())
    assert len(starts) == 2
    assert {'python', 'jax', 'flax', 'git_commit', 'started'} <= starts[0].keys()


def test_a_workdir_of_another_configuration_is_refused(tmp_path):
    config = base.get_config()
    configuration.save(config, tmp_path)
    config.training.epochs = 7
    config.model.lifter.levels = (0,)
    with pytest.raises(ValueError, match=r'model\.lifter\.levels .*training\.epochs 50 there, 7'):
        configuration.check(config, tmp_path)


def test_fields_that_change_no_result_may_change(tmp_path):
    config = base.get_config()
    configuration.save(config, tmp_path)
    config.data.threads = 1
    config.data.bad_image = 'skip'
    config.training.log_steps = 1
    configuration.check(config, tmp_path)


@pytest.mark.parametrize(
    ('dataset', 'field', 'value'),
    [
        ('human36m', 'source', '/elsewhere'),
        ('human36m', 'annotations', 'npz'),
        ('mpi_inf_3dhp', 'source', '/elsewhere'),
    ],
)
def test_where_a_published_dataset_was_built_from_may_change(dataset, field, value, tmp_path):
    config = importlib.import_module(f'configs.{dataset}_hrnet32').get_config()
    configuration.save(config, tmp_path)
    config.data.builder[field] = value
    configuration.check(config, tmp_path)


@pytest.fixture
def older_run(tmp_path):
    """A workdir whose configuration was stored before there were dtype, precision and protocol."""
    configuration.save(base.get_config(), tmp_path)
    path = tmp_path / 'config.json'
    fields = json.loads(path.read_text())
    del fields['dtype'], fields['training']['precision']
    del fields['evaluation']['precision'], fields['evaluation']['protocol']
    path.write_text(json.dumps(fields))
    return tmp_path


def test_a_run_of_before_is_loaded_with_what_it_was_made_with(older_run):
    assert configuration.load(older_run).to_dict() == base.get_config().to_dict()


def test_a_run_of_before_goes_on_with_todays_defaults_and_with_no_other_values(older_run):
    config = base.get_config()
    configuration.check(config, older_run)
    config.dtype = 'bfloat16'
    with pytest.raises(ValueError, match='dtype float32 there, bfloat16 here'):
        configuration.check(config, older_run)


def test_the_home_folder_is_expanded_in_every_path(monkeypatch):
    monkeypatch.setenv('HOME', '/home/somebody')
    arguments = parse(BASE, '--workdir=~/run', '--config.data.dir=~/data')
    assert str(arguments.workdir) == '/home/somebody/run'
    assert arguments.config.data.dir == '/home/somebody/data'


def test_help_shows_arguments_and_the_fields_of_a_configuration(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(BASE, '--help')
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert '--workdir' in text
    assert '--config.training.epochs=50' in text


def test_arguments_may_stand_between_fields():
    arguments = parse(
        '--workdir', 'w', BASE, '--config.seed', '3', '--noconfig.evaluation.flip_test'
    )
    assert (str(arguments.workdir), arguments.config.seed) == ('w', 3)
    assert arguments.config.evaluation.flip_test is False


def test_the_folder_of_own_data_may_not_change(tmp_path):
    configuration.save(own_data.get_config(), tmp_path)
    with pytest.raises(ValueError, match=r'data\.builder\.source'):
        configuration.check(own_data.get_config('source=/elsewhere'), tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no run in'):
        configuration.load(tmp_path)


def test_without_git_the_commit_is_unknown(monkeypatch):
    def no_git(*args, **kwargs):
        raise FileNotFoundError('git')

    monkeypatch.setattr(subprocess, 'run', no_git)
    assert configuration.git_commit() == 'unknown'

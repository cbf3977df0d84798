"""Configurations are read and changed, or are refused in one sentence."""

import pathlib

import pytest

from capf_jax.runtime import configuration

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

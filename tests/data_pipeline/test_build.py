"""The build command builds the dataset of a config, and says what is wrong in one sentence."""

import pathlib

import pytest

from capf_jax import commands
from configs import base
from data_pipeline import build
from tests.data_pipeline import tiny_people

SYNTHETIC = pathlib.Path(__file__).parents[2] / 'configs' / 'synthetic.py'


@pytest.fixture
def config(tmp_path, monkeypatch):
    tiny_people.add_to_data_pipeline(monkeypatch)
    config = base.get_config()
    config.data.name, config.data.dir = 'tiny_people', str(tmp_path)
    return config


def test_build_says_what_it_made(config, capsys):
    build.build(config)
    assert 'train: 10 people' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('argument', 'sentence'),
    [
        ('--config.data.name=nothing', "config.data.name is 'nothing'"),
        ('--config.data.builder.sise=3', "no config field 'data.builder.sise'"),
    ],
)
def test_an_error_ends_the_command_with_one_sentence(argument, sentence, monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['build', f'--config={SYNTHETIC}', argument])
    with pytest.raises(SystemExit) as stopped:
        commands.run(build.main)
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.startswith('error: ')
    assert sentence in error
    assert error.count('\n') == 1

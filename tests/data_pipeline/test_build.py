"""The build command builds the dataset of a config, and says what is wrong in one sentence."""

import pytest

from configs import base
from data_pipeline import build
from tests.data_pipeline import tiny_people


@pytest.fixture
def config(tmp_path, monkeypatch):
    tiny_people.add_to_data_pipeline(monkeypatch)
    config = base.get_config()
    config.data.name, config.data.dir = 'tiny_people', str(tmp_path)
    return config


def test_build_says_what_it_made(config, capsys):
    build.build(config)
    assert 'train: 10 people' in capsys.readouterr().out


def test_an_error_ends_the_command_with_one_sentence(config, monkeypatch):
    config.data.name = 'nothing'
    monkeypatch.setattr(build, '_CONFIG', type('Flag', (), {'value': config}))
    with pytest.raises(SystemExit, match=r"error: config\.data\.name is 'nothing'"):
        build.main(['build'])

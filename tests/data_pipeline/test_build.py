"""The build command builds the dataset of a config, and says what is wrong in one sentence."""

import pathlib

import pytest

from capf_jax.runtime import commands
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
    build.build(config.data)
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


def test_flags_are_fields_of_the_datasets_settings():
    data, beam_runner = build.parse(
        [
            'build', 'human36m', '--source=raw', '--data_dir=built', '--size=128x96',
            '--quality=80', '--processes=3', '--subjects=S9+S11', '--frame_stride=5',
            '--beam_runner=DirectRunner',
        ]
    )  # fmt: skip
    assert data.to_dict() == {
        'name': 'human36m',
        'dir': 'built',
        'bad_image': 'error',
        'builder': {
            'source': 'raw',
            'height': 128,
            'width': 96,
            'jpeg_quality': 80,
            'processes': 3,
            'subjects': ('S9', 'S11'),
            'frame_stride': 5,
        },
    }
    assert beam_runner == 'DirectRunner'


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['human36', '--source=x'], "the dataset is 'human36'; the nearest is 'human36m'"),
        (['human36m'], '--source is missing'),
        (['human36m', '--source=x', '--subject=S1'], 'the nearest is --subjects'),
        (['human36m', '--source=x', 'S1'], "unknown argument 'S1'"),
        (['human36m', '--source'], '--source: expected one argument'),
        (['human36m', '--source=x', '--size=256'], '--size: must be HEIGHTxWIDTH'),
        (['human36m', '--source=x', '--quality=good'], "--quality: invalid int value: 'good'"),
        (['synthetic', '--source=x'], "unknown argument '--source=x'"),
        (['human36m', '--source=nowhere'], 'there is no folder nowhere'),
    ],
)
def test_a_bad_argument_is_named(arguments, sentence, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr('sys.argv', ['build', *arguments, f'--data_dir={tmp_path}'])
    with pytest.raises(SystemExit) as stopped:
        commands.run(build.main)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err

"""Every number of a configuration is checked against its meaning before anything starts."""

import math
import pathlib
import sys

import pytest

from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.runtime import configuration, value_checks, value_kinds
from configs import base
from tests.breaking.kinds import senseless_values as flags

ROOT = pathlib.Path(__file__).parents[2]
SYNTHETIC = f'--config={ROOT / "configs" / "synthetic.py"}'


def parse(*fields):
    """What the command `train` does with its arguments before it begins."""
    typed = [field if field.startswith('-') else f'--config.{field}' for field in fields]
    return configuration.parse(
        ['train', SYNTHETIC, '--workdir=w', *typed], check=assembly.problems
    ).config


@pytest.mark.parametrize('field', flags.WITHOUT_SENSE)
def test_a_value_without_sense_is_one_sentence_that_names_its_field(field):
    with pytest.raises(UserError) as caught:
        parse(field)
    name = field.split('=')[0].split('.')[-1]
    assert name in str(caught.value)
    assert '\n' not in str(caught.value)


def test_a_detector_without_pictures_is_refused_and_coordinates_alone_are_not():
    with pytest.raises(UserError, match=r'data\.pictures is False'):
        parse('data.pictures=False')
    parse('data.pictures=False', 'model.lifter.ablation_step=0')


def test_all_problems_are_told_at_once():
    with pytest.raises(UserError) as caught:
        parse('seed=-1', 'model.lifter.heads=0', 'data.builder.width=-5', 'evaluation.pictures=-1')
    for name in ('seed', 'model.lifter.heads', 'builder', 'evaluation.pictures'):
        assert name in str(caught.value)


def test_sizes_that_are_allowed_one_by_one_may_be_too_large_together():
    with pytest.raises(UserError, match='billion parameters'):
        parse('model.lifter.channels=8192', 'model.lifter.layers=64')


def test_every_published_value_is_allowed_and_every_number_is_checked():
    fields = configuration.flatten(base.get_config().to_dict())
    assert not value_checks.problems(fields)
    numbers = {name for name, value in fields.items() if value_kinds.is_number(value)}
    assert numbers <= value_checks.CHECKS.keys()


def test_a_field_without_an_entry_is_not_checked():
    fields = configuration.flatten(base.get_config().to_dict())
    assert not value_checks.problems({**fields, 'model.absent': -1, 'data.missing': math.nan})


@pytest.mark.parametrize(
    ('content', 'sentence'),
    [
        ('raise SystemExit("hi")\n', r'broken\.py ends in line 1 with SystemExit: hi'),
        ('import nosuchmodule\n', r'broken\.py ends in line 1 with ModuleNotFoundError'),
        ('def get_config():\n  1/0\n', r'broken\.py ends in line 2 with ZeroDivisionError'),
        ('def get_config(:\n', r'broken\.py does not read as Python'),
        ('x = 1\n', r'broken\.py has no function get_config'),
        ('def get_config():\n  return get_config()\n', 'RecursionError'),
        ('def get_config():\n  return 3\n', r'broken\.py gives no configuration'),
        (
            'import ml_collections\ndef get_config():\n  return ml_collections.ConfigDict()\n',
            r'config\.task is missing',
        ),
    ],
)
def test_a_config_file_that_fails_is_one_sentence_with_the_line(
    content, sentence, tmp_path, monkeypatch
):
    # ml_collections keeps in this module what an earlier config file of the process has defined.
    monkeypatch.delitem(sys.modules, 'config_config', raising=False)
    path = tmp_path / 'broken.py'
    path.write_text(content)
    with pytest.raises(UserError, match=sentence) as caught:
        configuration.parse(['train', f'--config={path}', '--workdir=w'])
    assert '\n' not in str(caught.value)

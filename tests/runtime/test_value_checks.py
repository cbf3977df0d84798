"""Every number of a configuration is checked against its meaning before anything starts."""

import math
import pathlib
import sys

import pytest

from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.runtime import configuration, value_checks
from configs import base

ROOT = pathlib.Path(__file__).parents[2]
SYNTHETIC = f'--config={ROOT / "configs" / "synthetic.py"}'


def parse(*fields):
    """What the command `train` does with its arguments before it begins."""
    typed = [field if field.startswith('-') else f'--config.{field}' for field in fields]
    return configuration.parse(
        ['train', SYNTHETIC, '--workdir=w', *typed], check=assembly.problems
    ).config


@pytest.mark.parametrize(
    'field',
    [
        'seed=-1',
        'seed=99999999999999999999999',
        'data.threads=-1',
        'data.threads=100000',
        'data.builder.width=100000',
        'data.builder.width=-1',
        'data.builder.height=0',
        'data.builder.processes=0',
        'data.builder.processes=100000',
        'data.builder.train_size=1000000000000',
        'data.builder.test_size=-3',
        'data.builder.noise_sigma=inf',
        'data.builder.noise_sigma=nan',
        'data.builder.noise_sigma=-1',
        'data.builder.light=dark',
        'data.name=syntetic',
        'task=lift',
        'model.detector=hrnet_w33',
        'model.hrnet.width=0',
        'model.hrnet.width=-16',
        'model.hrnet.width=99999999',
        'model.hrnet.stem_channels=0',
        'model.hrnet.bottlenecks=-1',
        'model.hrnet.modules=(1,1)',
        'model.hrnet.modules=(1,1,0)',
        'model.hrnet.modules=(1,1,0.5)',
        'model.hrnet.blocks=0',
        'model.hrnet.heatmaps=round',
        'model.lifter.heads=0',
        'model.lifter.heads=-4',
        'model.lifter.heads=5',
        'model.lifter.channels=0',
        'model.lifter.channels=-32',
        'model.lifter.channels=1000000000',
        'model.lifter.layers=0',
        'model.lifter.layers=-1',
        'model.lifter.mlp_ratio=0',
        'model.lifter.mlp_ratio=-1',
        'model.lifter.sampling_points=0',
        'model.lifter.sampling_points=-4',
        'model.lifter.deformable_heads=0',
        'model.lifter.levels=(0,0)',
        'model.lifter.levels=(-1,)',
        'model.lifter.levels=(0.5,)',
        'model.lifter.levels=("a",)',
        'model.lifter.levels=(4,)',
        'model.lifter.drop_path=nan',
        'model.lifter.drop_path=2',
        'model.lifter.drop_path=1',
        'model.lifter.drop_path=-0.5',
        'training.batch_size=0',
        'training.batch_size=9999999999',
        'training.epochs=100000000000000000000',
        'training.learning_rate=nan',
        'training.learning_rate=inf',
        'training.learning_rate=-1',
        'training.learning_rate_decay=-1',
        'training.learning_rate_decay=nan',
        'training.weight_decay=-1',
        'training.offset_learning_rate_factor=-inf',
        'training.flip_probability=2',
        'training.flip_probability=-1',
        'training.flip_probability=nan',
        'training.checkpoint_minutes=-1',
        'training.checkpoint_minutes=nan',
        'training.log_steps=0',
        'detection.sigma=0',
        'detection.max_scale=1',
        'detection.max_rotation=inf',
        'detection.max_gain=-0.1',
        'evaluation.batch_size=-1',
        'evaluation.pictures=-1',
        'evaluation.protocol=mpi_inf_3dhp',
    ],
)
def test_a_value_without_sense_is_one_sentence_that_names_its_field(field):
    with pytest.raises(UserError) as caught:
        parse(field)
    name = field.split('=')[0].split('.')[-1]
    assert name in str(caught.value)
    assert '\n' not in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(UserError) as caught:
        parse('seed=-1', 'model.lifter.heads=0', 'data.builder.width=-5', 'evaluation.pictures=-1')
    for name in ('seed', 'model.lifter.heads', 'builder', 'evaluation.pictures'):
        assert name in str(caught.value)


def test_sizes_that_are_allowed_one_by_one_may_be_too_large_together():
    with pytest.raises(UserError, match='billion parameters'):
        parse('model.lifter.channels=8192', 'model.lifter.layers=64')


def test_every_published_value_is_allowed():
    fields = configuration.flatten(base.get_config().to_dict())
    assert not value_checks.problems(fields)
    assert fields.keys() >= value_checks.CHECKS.keys()


def test_a_field_without_an_entry_is_not_checked():
    fields = configuration.flatten(base.get_config().to_dict())
    assert not value_checks.problems({**fields, 'model.frame': -1, 'data.missing': math.nan})


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

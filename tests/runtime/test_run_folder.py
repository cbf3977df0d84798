"""What a workdir keeps of its run, and when a run may go on with another configuration."""

import importlib
import json
import pathlib
import subprocess

import pytest
from flax import traverse_util

from capf_jax.runtime import configuration, run_folder
from configs import base, human36m_hrnet32, own_data

BASE = f'--config={pathlib.Path(__file__).parents[2] / "configs" / "base.py"}'


def parse(*arguments):
    return configuration.parse(['train', *arguments])


def test_a_saved_configuration_comes_back_equal(tmp_path):
    config = base.get_config()
    run_folder.save(config, tmp_path / 'run')
    assert run_folder.load(tmp_path / 'run').to_dict() == config.to_dict()


def test_the_command_is_kept_and_names_the_config_file(tmp_path):
    arguments = parse(BASE, '--config.seed=3', '--workdir=w')
    run_folder.save(arguments.config, tmp_path, arguments.command)
    assert run_folder.command_of(tmp_path) == f'{BASE} --config.seed=3 --workdir=w'


def test_versions_and_commit_are_kept_for_each_start(tmp_path):
    for _ in range(2):
        run_folder.save(base.get_config(), tmp_path)
    starts = json.loads((tmp_path / 'versions.json').read_text())
    assert len(starts) == 2
    assert {'python', 'jax', 'flax', 'git_commit', 'started'} <= starts[0].keys()


def test_a_workdir_of_another_configuration_is_refused(tmp_path):
    config = base.get_config()
    run_folder.save(config, tmp_path)
    config.training.epochs = 7
    config.model.lifter.levels = (0,)
    with pytest.raises(ValueError, match=r'model\.lifter\.levels .*training\.epochs 50 there, 7'):
        run_folder.check(config, tmp_path)


def test_fields_that_change_no_result_may_change(tmp_path):
    config = base.get_config()
    run_folder.save(config, tmp_path)
    config.data.threads = 1
    config.data.bad_image = 'skip'
    config.training.log_steps = 1
    run_folder.check(config, tmp_path)


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
    run_folder.save(config, tmp_path)
    config.data.builder[field] = value
    run_folder.check(config, tmp_path)


@pytest.fixture
def older_run(tmp_path):
    """A workdir whose configuration was stored before there were dtype, precision and protocol."""
    run_folder.save(base.get_config(), tmp_path)
    path = tmp_path / 'config.json'
    fields = json.loads(path.read_text())
    del fields['dtype'], fields['training']['precision']
    del fields['evaluation']['precision'], fields['evaluation']['protocol']
    path.write_text(json.dumps(fields))
    return tmp_path


def test_a_run_of_before_is_loaded_with_what_it_was_made_with(older_run):
    assert run_folder.load(older_run).to_dict() == base.get_config().to_dict()


def test_a_run_of_before_goes_on_with_todays_defaults_and_with_no_other_values(older_run):
    config = base.get_config()
    run_folder.check(config, older_run)
    config.dtype = 'bfloat16'
    with pytest.raises(ValueError, match='dtype float32 there, bfloat16 here'):
        run_folder.check(config, older_run)


# The fields of the first version whose values a run keeps. A field of today that is none of them
# must be in `run_folder.NEWER`, or no run of before it goes on.
FREE = 'data.bad_image data.dir data.threads training.checkpoint_minutes training.log_steps'
FIRST = """
data.builder data.joints2d data.name data.test_split data.train_split detection.max_gain
detection.max_rotation detection.max_scale detection.max_shift detection.sigma
evaluation.batch_size evaluation.every_epochs evaluation.flip_test model.detector
model.detector_skeleton model.detector_weights model.hrnet.blocks model.hrnet.bottlenecks
model.hrnet.heatmaps model.hrnet.modules model.hrnet.skeleton model.hrnet.stem_channels
model.hrnet.width model.lifter.ablation_step model.lifter.channels model.lifter.deformable
model.lifter.deformable_heads model.lifter.detector_joints model.lifter.drop_path
model.lifter.heads model.lifter.layers model.lifter.levels model.lifter.mlp_ratio
model.lifter.sampling_points seed skeleton task training.batch_size training.epochs
training.flip_probability training.learning_rate training.learning_rate_decay
training.offset_learning_rate_factor training.weight_decay
"""


def test_a_run_of_before_any_field_goes_on(tmp_path):
    config = base.get_config()
    run_folder.save(config, tmp_path)
    path = tmp_path / 'config.json'
    fields = configuration.flatten(json.loads(path.read_text()))
    first = {name: fields[name] for name in (FIRST + FREE).split()}
    path.write_text(json.dumps(traverse_util.unflatten_dict(first, sep='.')))
    run_folder.check(config, tmp_path)


def test_the_folder_of_own_data_may_not_change(tmp_path):
    run_folder.save(own_data.get_config(), tmp_path)
    with pytest.raises(ValueError, match=r'data\.builder\.source'):
        run_folder.check(own_data.get_config('source=/elsewhere'), tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='no run in'):
        run_folder.load(tmp_path)


def test_without_git_the_commit_is_unknown(monkeypatch):
    def no_git(*args, **kwargs):
        raise FileNotFoundError('git')

    monkeypatch.setattr(subprocess, 'run', no_git)
    assert run_folder.git_commit() == 'unknown'


@pytest.fixture
def published_run(tmp_path):
    """A workdir of Human3.6M whose configuration was stored by version 0.1."""
    config = human36m_hrnet32.get_config()
    config.training.offset_learning_rate_factor = 0.1
    run_folder.save(config, tmp_path)
    path = tmp_path / 'config.json'
    fields = json.loads(path.read_text())
    del fields['data']['builder']['crop_format'], fields['model']['detector_head']
    for name in ('start', 'start_part', 'target_unit', 'detector_statistics'):
        del fields['training'][name]
    path.write_text(json.dumps(fields))
    return tmp_path


def test_a_run_goes_on_by_its_command_although_defaults_have_changed(published_run, capsys):
    config = run_folder.as_begun(human36m_hrnet32.get_config(), published_run)
    run_folder.check(config, published_run)
    assert config.training.offset_learning_rate_factor == 0.1
    assert config.data.builder.crop_format == 'jpeg420'
    assert (
        'goes on with config.training.offset_learning_rate_factor = 0.1' in capsys.readouterr().err
    )


def test_a_run_of_before_is_loaded_with_the_crops_that_it_was_trained_on(published_run):
    assert run_folder.load(published_run).data.builder.crop_format == 'jpeg420'

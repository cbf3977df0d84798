"""What training runs write is exported as published files are."""

import importlib

import jax
import numpy as np
import optax
import pytest
import torch

from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.inference import weight_files
from capf_jax.pose import skeletons
from capf_jax.tasks.task import new_state
from converters.conversion import convert
from converters.descriptions import model_of
from converters.export import export
from tests import tiny
from tests.converters.test_recognise import OWN
from tests.goldens import manifests


def metadata_of(config):
    """What `training_run.Run.origin` says, without what depends on the run."""
    task = assembly.make_task(config)
    return {
        'task': task.name,
        **task.weight_metadata,
        'skeleton': config.skeleton,
        'model': config.model.to_dict(),
        'config': config.to_dict(),
    }


def random_like(shapes):
    random = np.random.default_rng(0)
    draw = lambda leaf: random.normal(0, 0.3, leaf.shape).astype(np.float32)  # noqa: E731
    return jax.tree.map(draw, shapes)


def state_of(params, frozen=None, batch_stats=None):
    """The state of a run that ends with these variables; nothing else of it goes into a file."""
    return new_state(optax.identity(), np.zeros(2, np.uint32), params, frozen, batch_stats)


def small_run(**model):
    """Configuration and final state of a run of the smallest whole model."""
    config = tiny.config()
    config.model.hrnet.update(OWN['hrnet'])
    config.model.lifter.update({**OWN['lifter'], 'ablation_step': 3})
    config.model.update(model)
    expected = model_of('run', {'detector': True}, metadata_of(config))
    variables = random_like(expected.expected())
    head = {'kernel': np.ones((1, 1, 4, 36), np.float32), 'bias': np.ones(36, np.float32)}
    variables['detector']['params']['head'] = head  # trained here, it is there
    state = state_of(params=variables['lifter']['params'], frozen=variables['detector'])
    return config, state, variables


@pytest.mark.parametrize('weight_type', ['float32', 'float16'])
def test_a_run_is_exported_and_converts_back_to_the_same_bits(tmp_path, weight_type):
    config, state, _ = small_run(detector_skeleton='h36m17_surface')
    run, back, again = (tmp_path / n for n in ('run.safetensors', 'a.pth', 'again.safetensors'))
    trained = assembly.make_task(config).weights(state)
    weight_files.save_weights(run, trained, metadata_of(config), weight_type)
    assert "left out: the detector's heatmap head" in export(run, back)
    assert torch.load(back, weights_only=True).keys() == {'model'}
    convert(back, again)
    stored, converted = weight_files.load_weights(run)[0], weight_files.load_weights(again)[0]
    del stored['detector']['params']['head']
    jax.tree.map(np.testing.assert_array_equal, stored, converted)


@pytest.mark.parametrize(
    ('name', 'published'),
    [
        ('human36m_hrnet32', 'ca_pf_hrnet_32'),
        ('human36m_hrnet48', 'ca_pf_hrnet_48'),
        ('human36m_cpn', 'ca_pf_cpn'),
        ('mpi_inf_3dhp_hrnet32', 'ca_pf_3dhp_hrnet_32'),
        ('mpi_inf_3dhp_hrnet48', 'ca_pf_3dhp_hrnet_48'),
    ],
)
def test_a_run_of_a_published_configuration_has_the_published_name_and_keys(name, published):
    metadata = metadata_of(importlib.import_module(f'configs.{name}').get_config())
    assert metadata['name'] == published
    model = model_of('run', {'detector': True}, metadata)
    exported = {r.key for r in model.rules if r.path is not None or r.shape is not None}
    assert exported == manifests.read(published).keys()


def test_a_trained_detector_is_exported(tmp_path):
    config = tiny.config()
    config.task, config.skeleton = 'detector', 'h36m17_surface'
    metadata = metadata_of(config)
    variables = random_like(model_of('run', {}, metadata).expected())
    state = state_of(params=variables['params'], batch_stats=variables['batch_stats'])
    trained = assembly.make_task(config).weights(state)
    weight_files.save_weights(tmp_path / 'run.safetensors', trained, metadata)
    export(tmp_path / 'run.safetensors', tmp_path / 'a.pth')
    exported = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert exported['final_layer.weight'].shape == (len(skeletons.H36M17_SURFACE), 4, 1, 1)


def test_what_a_file_says_wrongly_is_told_with_its_name(tmp_path):
    path, part = tmp_path / 'a.safetensors', {'params': {'a': np.zeros(1, np.float32)}}
    metadata = {**metadata_of(tiny.config()), 'skeleton': 'h36m18'}
    weight_files.save_weights(path, {'lifter': part, 'detector': part}, metadata)
    with pytest.raises(UserError, match=r"a\.safetensors cannot be exported: .* 'h36m18'"):
        export(path, tmp_path / 'out.pth')

"""Training starts from the detector of a weight file, if it is the one of the configuration."""

import jax
import numpy as np
import pytest

from capf_jax import assembly
from capf_jax.inference.weight_files import save_weights
from tests import tiny


@pytest.fixture(scope='module')
def detector():
    """Variables of the tiny detector."""
    return tiny.variables(tiny.ca_pf(tiny.config()), tiny.batch(2))['detector']


def start(config):
    """The state that training starts from."""
    task = assembly.make_task(config)
    return task.pretrained(task.init(jax.random.PRNGKey(1), tiny.batch(2)))


def test_detector_comes_from_its_file(tmp_path, detector):
    save_weights(tmp_path / 'detector.safetensors', detector, {})
    config = tiny.config()
    config.model.lifter.update(ablation_step=0, detector_joints=True)  # step 0 compiles least
    config.model.detector_weights = str(tmp_path / 'detector.safetensors')
    loaded = start(config).frozen
    jax.tree.map(np.testing.assert_array_equal, loaded, detector)


def test_file_of_another_detector_is_an_error(tmp_path, detector):
    save_weights(tmp_path / 'detector.safetensors', detector, {})
    config = tiny.config()
    config.model.hrnet.width = 8
    config.model.detector_weights = str(tmp_path / 'detector.safetensors')
    with pytest.raises(ValueError, match='holds the weights of another detector'):
        start(config)


def test_file_of_a_detector_of_other_joints_is_an_error(tmp_path, detector):
    path = tmp_path / 'detector.safetensors'
    save_weights(path, detector, {'skeleton': 'coco17'})
    config = tiny.config()
    config.model.detector_weights = str(path)
    with pytest.raises(ValueError, match=r"'coco17'.* says 'h36m17': set model\.detector_skeleton"):
        start(config)


def test_file_of_a_detector_of_another_name_is_named(tmp_path, detector):
    path = tmp_path / 'detector.safetensors'
    metadata = {'skeleton': 'h36m17', 'model': {'detector': 'hrnet'}}
    save_weights(path, detector, metadata)
    config = tiny.config()
    config.model.update(detector='simplebaseline_resnet50', detector_weights=str(path))
    with pytest.raises(ValueError, match=r"weights of 'hrnet', .* is 'simplebaseline_"):
        start(config)

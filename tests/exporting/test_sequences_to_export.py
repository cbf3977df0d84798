"""Lifters of windows are exported as what `Estimator.lift_sequence` computes."""

import numpy as np
import pytest

from capf_jax import export
from capf_jax.errors import UserError
from capf_jax.exporting import networks_to_export, parity
from capf_jax.inference.estimator import Estimator
from tests import tiny
from tests.inference.test_streaming import written


def weights(folder, **model):
    """The weight file of a small CA-PF-S of three frames, with its detector and projection."""
    config = tiny.windowed(tiny.config(), **model)
    return written(folder / 'weights.safetensors', config, tiny.windows()).path


@pytest.fixture(scope='module')
def projected(tmp_path_factory):
    return weights(tmp_path_factory.mktemp('projected'), projection_channels=4)


def test_contexts_of_a_window_give_the_estimators_pose(projected, tmp_path):
    assert export.main(['export', projected, '--part=lifter', f'--out={tmp_path}']) == 0
    network = networks_to_export.of_file(projected, 'lifter')
    assert [one.name for one in network.inputs] == ['joints2d', 'contexts']
    assert network.inputs[1].shape == (3, tiny.JOINTS, 8)  # two levels of four numbers
    samples = parity.samples(network)
    pose = Estimator.load(projected).lift_sequence(
        samples['inputs/joints2d'], contexts=samples['inputs/contexts']
    )
    np.testing.assert_allclose(samples['outputs/pose'], pose, atol=1e-5)


def test_crops_of_a_window_give_the_estimators_pose(projected):
    network = networks_to_export.of_file(projected)
    assert [one.shape[0] for one in network.inputs] == [3, 3, 3]
    samples = parity.samples(network)
    joints2d, crops, in_crops = (
        samples[f'inputs/{name}'] for name in ('joints2d', 'crops', 'joints2d_crop')
    )
    pose = Estimator.load(projected).lift_sequence(joints2d, crops, in_crops)
    np.testing.assert_allclose(samples['outputs/pose'], pose, atol=1e-5)


def test_the_detector_of_a_windows_file_is_exported_by_itself(projected):
    assert networks_to_export.of_file(projected, 'detector').outputs[0].name == 'joints'


def test_a_lifter_that_looks_around_the_joints_is_no_part_of_its_own(tmp_path):
    path = weights(tmp_path)
    config = tiny.windowed(tiny.config())
    config.model.lifter.update(ablation_step=3, deformable=True, deformable_heads=2)
    path = written(tmp_path / 'whole.safetensors', config, tiny.windows()).path
    with pytest.raises(UserError, match='use --part=all'):
        networks_to_export.of_file(path, 'lifter')

"""What is prepared of a detector: folded kernels beside its parameters."""

import jax
import numpy as np
import pytest

from capf_jax.backends import programs
from capf_jax.backends.cpu import folding
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.vitpose import ViTPose
from tests.models.detectors import published

SMALL = HRNet(num_joints=5, width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 1), blocks=1)


@pytest.fixture(scope='module')
def variables():
    return published.random_variables(SMALL)


def test_prepared_variables_hold_the_stored_ones_as_they_were(variables):
    copy = jax.tree.map(np.array, variables)
    prepared = programs.prepared(variables)
    assert prepared.keys() == {'params', 'batch_stats', 'cpu'}
    for collection in ('params', 'batch_stats'):
        jax.tree.map(np.testing.assert_array_equal, prepared[collection], copy[collection])


def test_every_norm_is_folded(variables):
    norms = [path for path, _ in jax.tree.leaves_with_path(variables['batch_stats'])]
    biases = [
        path
        for path, _ in jax.tree.leaves_with_path(programs.prepared(variables)['cpu'])
        if jax.tree_util.keystr(path).endswith("['bias']")
    ]
    assert len(biases) == len(norms) / 2  # each norm has a mean and a variance


def test_preparing_twice_changes_nothing_more(variables):
    once = programs.prepared(variables)
    assert programs.prepared(once) is once


def test_layers_without_a_norm_are_left_out():
    detector = ViTPose(num_joints=3, dimension=8, depth=1, heads=2, channels=4)
    prepared = folding.prepared(published.random_variables(detector))
    assert prepared['cpu'].keys() == {'deconv0', 'deconv1'}


def test_a_lifters_variables_are_not_prepared():
    lifter = {'params': {'head': {'kernel': np.ones((2, 3))}}}
    assert folding.prepared(lifter) is lifter

"""The check of a network's tensors: what is listed, and what is not."""

import jax
import numpy as np
import pytest

from capf_jax.errors import UserError
from capf_jax.inference import network_check
from capf_jax.models.poseformer import PoseFormer
from capf_jax.runtime import files


def test_the_list_of_checked_networks_is_that_of_the_files_in_pretrained():
    remedy = 'write it anew by python -m capf_jax.inference.network_check'
    assert files.read_json(network_check.LIST) == network_check.check_pretrained(), remedy


@pytest.fixture(scope='module')
def small():
    module = PoseFormer(frames=3, num_joints=5, channels=4, layers=1, heads=2)
    joints = jax.ShapeDtypeStruct((1, 3, 5, 2), np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), joints)
    return module, jax.tree.map(lambda one: np.zeros(one.shape, one.dtype), shapes), joints


def test_a_network_that_is_not_listed_is_traced(small):
    module, variables, joints = small
    with network_check.recorded() as results:
        assert network_check.check(variables, module, joints) == ()
    assert list(results.values()) == [[]]


def test_a_listed_network_is_not_traced(small, monkeypatch):
    module, variables, joints = small
    with network_check.recorded() as results:
        network_check.check(variables, module, joints)
    monkeypatch.setattr(network_check, '_listed', lambda: results)
    monkeypatch.setattr(network_check, '_traced_maps', lambda *_: pytest.fail('it was traced'))
    assert network_check.check(variables, module, joints) == ()


def test_a_listed_network_of_other_shapes_is_refused(small, monkeypatch):
    module, variables, joints = small
    with network_check.recorded() as results:
        network_check.check(variables, module, joints)
    monkeypatch.setattr(network_check, '_listed', lambda: results)
    larger = jax.tree.map(lambda array: np.zeros((*array.shape, 1), array.dtype), variables)
    with pytest.raises(UserError, match='its tensors are not those of the model'):
        network_check.check(larger, module, joints)

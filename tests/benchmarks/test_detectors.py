"""The detectors of the benchmark equal PyTorch's networks of the same weights."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from benchmarks import detectors
from benchmarks.machine import Row
from capf_jax.models.detectors import catalog
from capf_jax.models.detectors.cpn import CPN
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.resnet import ResNet
from capf_jax.models.detectors.simplebaseline import SimpleBaseline
from capf_jax.models.detectors.vitpose import ViTPose

CROP = (64, 64)
SMALL = {'blocks': (2, 1, 1, 1), 'width': 4}
NETWORKS = (
    ResNet(**SMALL),
    SimpleBaseline(**SMALL, num_joints=3, channels=8),
    CPN(**SMALL, num_joints=3, channels=8),
    ViTPose(num_joints=3, dimension=16, depth=2, heads=2, channels=8),
    HRNet(3, width=4, stem_channels=4, bottlenecks=1, modules=(1, 1, 1), blocks=1, heatmaps=None),
)


@pytest.fixture(autouse=True, scope='module')
def one_thread():
    """Tiny networks do not gain from more, and wait for each other where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    'model',
    [pytest.param(one, marks=() if one is NETWORKS[-1] else pytest.mark.slow) for one in NETWORKS],
    ids=lambda model: type(model).__name__,
)
def test_networks_are_equal(model):
    variables = detectors.random_variables(model, CROP)
    detectors.check_equal(model, variables, detectors.torch_network(model, variables, CROP), CROP)


@pytest.fixture(scope='module')
def resnet():
    """A small ResNet of ours, its variables, and PyTorch's."""
    model = ResNet(**SMALL)
    variables = detectors.random_variables(model, CROP)
    return model, variables, detectors.torch_network(model, variables, CROP)


def test_networks_that_differ_are_an_error(resnet):
    model, variables, network = resnet
    variables['params']['stem']['conv']['kernel'][0, 0, 0, 0] += 1
    with pytest.raises(ValueError, match='ResNet and TorchResNet differ by'):
        detectors.check_equal(model, variables, network, CROP)


def test_every_way_of_pytorch_gives_the_same(resnet):
    images = np.random.default_rng(0).normal(size=(2, *CROP, 3)).astype(np.float32)
    programs = detectors.torch_programs(resnet[2], images, jnp.dtype('float32'))
    assert set(programs) >= {'NCHW', 'NHWC', 'NCHW, folded', 'NHWC, folded'}
    first, *others = ([x.numpy() for x in program()[0]] for program in programs.values())
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())


def test_rows_print_speed_and_pytorch_s(monkeypatch):
    entry = catalog.get('resnet50_imagenet')
    small = lambda joints: ResNet(**SMALL)  # noqa: E731
    monkeypatch.setattr(detectors, 'CROP', CROP)
    monkeypatch.setattr(detectors, 'SECONDS', 0.01)
    monkeypatch.setitem(catalog.ENTRIES, entry.name, type(entry)(entry.name, small, (), ()))
    rows = detectors.rows(entry.name)
    assert len(rows) >= 2
    assert all(isinstance(row, Row) and 'images/s, compiled in' in row.note for row in rows)


def test_unknown_detector_is_named():
    with pytest.raises(ValueError, match="the nearest is 'hrnet_w32'"):
        detectors.rows('hrnet_w33')

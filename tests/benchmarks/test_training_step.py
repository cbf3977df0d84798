"""The benchmark's PyTorch training step computes what ours does."""

import jax
import numpy as np
import pytest
import torch

from benchmarks import torch_lifter, training_step
from benchmarks.random_inputs import people
from benchmarks.torch_hrnet import TorchHRNet
from benchmarks.torch_lifter import TorchLifter
from capf_jax.inference import model_settings
from capf_jax.models.detectors.catalog import normalise_images
from capf_jax.models.detectors.hrnet import HRNet
from capf_jax.models.detectors.initial import random_variables
from capf_jax.models.lifter import Lifter
from tests import tiny


@pytest.fixture(scope='module')
def detection():
    """A small detector of ours, its variables, a batch, and what it says about that."""
    config = tiny.config()
    config.model.hrnet.heatmaps = 'probability'
    entry = model_settings.detector_entry(config.model)
    model = entry.build(17)
    variables = random_variables(model, jax.random.PRNGKey(0))
    batch = people(2, tiny.HEIGHT, tiny.WIDTH)
    ours = jax.jit(lambda v, x: model.apply(v, normalise_images(x, entry)))(variables, batch.images)
    return config, variables, batch, ours


@pytest.mark.parametrize('memory_format', training_step.LAYOUTS.values())
def test_the_detectors_are_the_same(detection, memory_format):
    config, variables, batch, ours = detection
    detector, _ = training_step.torch_models(config, variables)
    maps, heatmaps = training_step.torch_detection(detector, batch, memory_format)()
    for our, their in zip((*ours.maps, ours.heatmaps), (*maps, heatmaps), strict=True):
        their = their.permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(our, their, rtol=0, atol=2e-5 * np.abs(their).max())


def test_the_lifters_are_the_same():
    random = np.random.default_rng(0)
    lifter = Lifter(channels=32, layers=1)
    joints2d, crop = random.uniform(-1, 1, (2, 3, 17, 2)).astype(np.float32)
    maps = [random.normal(size=(3, 8, 6, width)).astype(np.float32) for width in (4, 8, 16, 32)]
    shapes = jax.eval_shape(lifter.init, jax.random.PRNGKey(0), joints2d, crop, maps)['params']
    params = jax.tree.map(lambda x: random.normal(0, 0.2, x.shape).astype(np.float32), shapes)
    ours = jax.jit(lambda *inputs: lifter.apply({'params': params}, *inputs)[0])
    theirs = TorchLifter(widths=(4, 8, 16, 32), channels=32, layers=1)
    torch_lifter.copy_parameters(params, theirs)
    with torch.no_grad():
        inputs = torch.from_numpy(joints2d), torch.from_numpy(crop)
        pose = theirs(*inputs, [torch.from_numpy(x.transpose(0, 3, 1, 2)) for x in maps])
    np.testing.assert_allclose(ours(joints2d, crop, maps), pose, atol=2e-5)


def test_hrnet_w32_has_as_many_parameters_as_ours():
    shapes = jax.eval_shape(
        lambda key: random_variables(HRNet(num_joints=17), key), jax.random.PRNGKey(0)
    )
    with torch.device('meta'):
        theirs = sum(parameter.numel() for parameter in TorchHRNet().parameters())
    assert theirs == sum(leaf.size for leaf in jax.tree.leaves(shapes['params']))

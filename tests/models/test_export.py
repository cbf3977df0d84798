"""The plain whole model exports for any batch size and for every platform, and gives its poses."""

import jax
import numpy as np
import pytest
from jax import export

from capf_jax.inference import model_settings
from capf_jax.models.detectors import catalog
from capf_jax.pose import skeletons
from configs import base
from tests import tiny

PLATFORMS = ('cpu', 'cuda', 'tpu')


def small_model():
    """A small HRNet and a lifter with all of its modules."""
    settings = tiny.config()
    settings.model.lifter.update(ablation_step=3)
    return tiny.ca_pf(settings)


def published_model(detector):
    """A published detector, and a lifter of the paper's size."""
    settings = base.get_config()
    settings.model.detector = detector
    return model_settings.context_aware_pose_former(settings.model, skeletons.H36M17)


def exported(model, people):
    """The program from variables and a batch of any size to poses, for all platforms."""
    (size,) = export.symbolic_shape('b')
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype), people)
    variables = jax.eval_shape(lambda: model.init(jax.random.key(0), people))
    program = jax.jit(lambda variables, people: model.apply(variables, people)[0])
    return export.export(program, platforms=PLATFORMS)(variables, shapes)


@pytest.mark.slow  # tests/exporting proves it by the command
def test_a_small_model_gives_its_poses():
    model = small_model()
    people = tiny.batch(3)
    variables = model.init(jax.random.key(0), people)
    program = exported(model, people)
    assert program.platforms == PLATFORMS
    expected = jax.jit(lambda variables, people: model.apply(variables, people)[0])
    pose = program.call(variables, people)
    np.testing.assert_allclose(pose, expected(variables, people), rtol=0, atol=1e-5)
    one = jax.tree.map(lambda x: x[:1], people)
    np.testing.assert_allclose(program.call(variables, one), pose[:1], rtol=0, atol=1e-5)


@pytest.mark.parametrize('detector', ['hrnet_w32', 'movenet_thunder'])
def test_a_published_model_exports(detector):
    crop = catalog.get(detector).crop
    people = tiny.batch(1)._replace(images=np.zeros((1, *crop, 3), np.uint8))
    assert exported(published_model(detector), people).platforms == PLATFORMS

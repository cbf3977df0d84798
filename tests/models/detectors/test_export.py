"""Every detector of the catalog can be exported for any number of crops and every platform."""

import jax
import jax.export
import jax.numpy as jnp
import pytest

from capf_jax.models.detectors import catalog
from tests.models.detectors import published


@pytest.mark.parametrize('name', published.CATALOG)
def test_plain_detector_is_exported_with_a_symbolic_batch(name):
    detector = catalog.get(name).build(17)
    (batch,) = jax.export.symbolic_shape('b')
    images = jax.ShapeDtypeStruct((batch, *catalog.get(name).crop, 3), jnp.float32)
    export = jax.export.export(jax.jit(detector.apply), platforms=('cpu', 'cuda', 'tpu'))
    detection = export(published.shapes_of(detector), images).out_avals
    assert {str(result.shape[0]) for result in detection} == {'b'}

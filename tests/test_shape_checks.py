"""The import hook of conftest.py is at work: calls with wrong shapes raise."""

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from capf_jax.models.detectors import catalog
from capf_jax.pose import normalise

WRONG_CALLS = {
    # Poses in 3D where joints in 2D belong.
    'pose': lambda: normalise.normalise_by_crop(np.zeros((2, 17, 3)), (192, 256)),
    # Images without the axis of the batch.
    'models': lambda: catalog.normalise_images(
        jnp.zeros((64, 32, 3), jnp.uint8), catalog.get('hrnet')
    ),
}


@pytest.mark.parametrize('room', WRONG_CALLS)
def test_a_wrong_shape_raises(room):
    with pytest.raises(jaxtyping.TypeCheckError):
        WRONG_CALLS[room]()

"""The models of a ladder, shared by its rungs."""

import pytest

from capf_jax.backends.cpu import options
from tests import compiling
from tests.parity.ladder import Model


@pytest.fixture(scope='class')
def model(request, tmp_path_factory):
    """The models on the backbone of the class that asks."""
    return Model(request.cls.backbone, tmp_path_factory.mktemp(request.cls.backbone))


@pytest.fixture(scope='module', autouse=True)
def _compiled_as_for_a_user():
    """Published numbers are compared with XLA's usual work, of which other tests do without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(options, 'VECTORS', options.VECTORS | compiling.as_for_users())
        yield

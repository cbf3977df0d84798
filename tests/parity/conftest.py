"""The models of a ladder, shared by its rungs."""

import pytest

from tests.parity.ladder import Model


@pytest.fixture(scope='class')
def model(request, tmp_path_factory):
    """The models on the backbone of the class that asks."""
    return Model(request.cls.backbone, tmp_path_factory.mktemp(request.cls.backbone))

"""CA-PF on HRNet-W48 gives the published numbers."""

import pytest

from tests.parity.ladder import Ladder, MpiInf3dhp


@pytest.mark.slow  # HRNet-W32 stands for it in the usual run of the tests
class TestHRNet48(MpiInf3dhp, Ladder):
    backbone = 'hrnet_48'

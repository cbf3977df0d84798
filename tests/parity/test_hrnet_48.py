"""CA-PF on HRNet-W48 gives the published numbers."""

from tests.parity.ladder import Ladder, MpiInf3dhp


class TestHRNet48(MpiInf3dhp, Ladder):
    backbone = 'hrnet_48'

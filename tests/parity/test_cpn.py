"""CA-PF on CPN-50 gives the published numbers."""

from tests.parity.ladder import Ladder


class TestCPN(Ladder):
    backbone = 'cpn'

"""CA-PF on HRNet-W32 gives the published numbers."""

from tests.parity import comparing
from tests.parity.ladder import Ladder, MpiInf3dhp, assert_passed


class TestHRNet32(MpiInf3dhp, Ladder):
    backbone = 'hrnet_32'

    def test_losses_of_six_steps_of_adamw(self, model):
        losses, expected = model.trained.losses, model.golden['adamw_losses']
        assert_passed(comparing.relative('losses', losses, expected))

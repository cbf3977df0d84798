"""The costs that stand beside published scores are those that the models count."""

import pytest

from capf_jax import flops
from capf_jax.figures.published_results import RESULTS
from capf_jax.models import cost
from capf_jax.models.poseformer import PoseFormer
from configs import human36m_ca_pf_s


def gflops_of(method):
    return {one.frames: one.gflops for one in RESULTS if one.method == method}


def test_poseformer():
    costs = {frames: cost.poseformer_costs(PoseFormer(frames=frames)) for frames in (1, 9, 81)}
    counted = {frames: one['lifter'].flops / 1e9 for frames, one in costs.items()}
    assert {frames: gflops_of('PoseFormer')[frames] for frames in counted} == pytest.approx(
        counted, abs=6e-4
    )


def test_ca_pf_s():
    _, beside = flops.costs(human36m_ca_pf_s.get_config('frames=3'))
    counted = beside['CA-PF-S, 3 frames'].flops / 1e9
    assert gflops_of('CA-PF-S')[3] == pytest.approx(counted, abs=6e-4)

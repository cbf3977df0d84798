"""Parameters and FLOPs, counted by hand and beside published numbers."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from capf_jax.figures.published_results import RESULTS
from capf_jax.models import cost
from capf_jax.models.ca_pf import ContextAwarePoseFormer
from capf_jax.models.detectors import catalog
from capf_jax.models.lifter import Lifter

IMAGE = jax.ShapeDtypeStruct((1, 8, 6, 4), jnp.float32)


@pytest.mark.parametrize(
    ('layer', 'parameters', 'multiply_adds'),
    [
        (nn.Dense(5), 4 * 5 + 5, 8 * 6 * 4 * 5),
        (nn.Conv(5, (3, 3), 2, padding=1, use_bias=False), 9 * 4 * 5, 4 * 3 * 9 * 4 * 5),
        (nn.ConvTranspose(5, (4, 4), (2, 2)), 16 * 4 * 5 + 5, 8 * 6 * 16 * 4 * 5),
        (nn.Conv(8, (3, 3), feature_group_count=4), 9 * 8 + 8, 8 * 6 * 9 * 8),
    ],
    ids=['dense', 'convolution', 'transposed', 'grouped'],
)
def test_layers_cost_what_one_counts_by_hand(layer, parameters, multiply_adds):
    assert cost.cost(layer, IMAGE) == cost.Cost(parameters, 2 * multiply_adds)


# Multiply-adds as MMPose counts them (7.7 G, 15.8 G, 5.5 G): norms and activations, which it counts
# and we do not, are below 1 %. HRNet's own paper leaves out more and has 7.1 G and 14.6 G.
@pytest.mark.parametrize(
    ('name', 'mega', 'giga'),
    [
        ('hrnet_w32', 28.5, 7.7),
        pytest.param('hrnet_w48', 63.6, 15.8, marks=pytest.mark.slow),
        ('simplebaseline_resnet50', 34.0, 5.5),
    ],
)
def test_detectors_cost_what_was_published(name, mega, giga):
    price = cost.detector_cost(catalog.get(name).build(17))
    assert price.parameters / 1e6 == pytest.approx(mega, rel=0.005)
    assert price.flops / 2e9 == pytest.approx(giga, rel=0.02)


def test_a_whole_model_costs_the_sum_of_its_parts():
    entry = catalog.get('hrnet_w32')
    parts = cost.costs(ContextAwarePoseFormer(Lifter(), entry.build(17), entry))
    assert parts['lifter'].parameters == 14_094_147
    total = parts['detector'] + parts['lifter']
    assert total.flops == parts['detector'].flops + parts['lifter'].flops
    (quoted,) = (one.gflops for one in RESULTS if one.method == 'CA-PF, HRNet-32')
    assert parts['lifter'].flops / 1e9 == pytest.approx(quoted, abs=6e-4)  # as in the figure


def test_coordinates_alone_need_no_detector():
    entry = catalog.get('hrnet_w32')
    parts = cost.costs(ContextAwarePoseFormer(Lifter(ablation_step=0), None, entry))
    assert list(parts) == ['lifter']

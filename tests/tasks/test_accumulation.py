"""A batch in parts gives the loss and the gradients of the whole batch."""

import jax
import numpy as np
import pytest

from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.runtime import devices
from tests import tiny


def one_step(config, batch):
    task = assembly.make_task(config)
    state = devices.replicate(task.init(jax.random.PRNGKey(0), batch))
    return devices.to_host(devices.train_step(task.train_step)(state, devices.shard(batch)))


def test_parts_of_a_batch_give_the_step_of_the_whole():
    batch = tiny.batch(size=4)
    batch.valid[0] = False  # The parts have different numbers of people.
    config = tiny.config()
    config.model.lifter.update(ablation_step=0, drop_path=0.0)
    state, metrics = one_step(config, batch)
    config.training.accumulate = 2
    in_parts, metrics_in_parts = one_step(config, batch)
    np.testing.assert_allclose(metrics['loss'], metrics_in_parts['loss'], rtol=1e-6)
    # Adam divides by the gradient's size: its first moment shows the gradient itself.
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6),
        state.opt_state[0][0].mu,
        in_parts.opt_state[0][0].mu,
    )


@pytest.mark.parametrize(
    'fields', [{'task': 'detector'}, {'training.detector_statistics': 'batch'}]
)
def test_statistics_of_a_batch_need_the_whole_of_it(fields):
    config = tiny.config(accumulate=2)
    config.update_from_flattened_dict(fields)
    with pytest.raises(UserError, match='BatchNorm'):
        assembly.make_task(config)


def test_a_batch_that_does_not_divide_into_the_parts_is_told():
    with pytest.raises(UserError, match='with 3 parts each: use a multiple of'):
        devices.check_batch_size(8, 'training.batch_size', parts=3)

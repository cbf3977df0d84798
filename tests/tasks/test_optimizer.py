"""The optimizer has the learning rates, schedule and weight decay of the configuration."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from capf_jax.tasks import optimizer
from configs import base

PARAMS = {
    'block': {'sampling_offsets': {'bias': jnp.ones(2)}, 'dense': {'bias': jnp.ones(2)}},
}


def training(**fields):
    settings = base.get_config().training
    settings.update(fields)
    return settings


def step_sizes(settings, gradient, steps=1, steps_per_epoch=10):
    """Parameter changes of the last of `steps` steps with a constant gradient."""
    transformation = optimizer.make_optimizer(settings, steps_per_epoch)
    params, state = PARAMS, transformation.init(PARAMS)
    gradients = {
        'block': {name: {'bias': jnp.full(2, gradient)} for name in ('sampling_offsets', 'dense')}
    }
    for _ in range(steps):
        updates, state = transformation.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    return updates['block']


def test_offsets_learn_at_their_share_of_the_rate():
    changes = step_sizes(training(offset_learning_rate_factor=0.1), gradient=1.0)
    np.testing.assert_allclose(
        changes['sampling_offsets']['bias'], 0.1 * changes['dense']['bias'], rtol=1e-6
    )


def test_weight_decay_acts_on_biases_too():
    changes = step_sizes(training(weight_decay=0.1, learning_rate=0.01), gradient=0.0)
    np.testing.assert_allclose(changes['dense']['bias'], -0.01 * 0.1, rtol=1e-6)


@pytest.mark.parametrize(('step', 'factor'), [(0, 1), (9, 1), (10, 0.5), (19, 0.5), (20, 0.25)])
def test_the_rate_decays_after_each_epoch_and_not_within(step, factor):
    schedule = optimizer.learning_rate_schedule(
        training(learning_rate=1.0, learning_rate_decay=0.5), steps_per_epoch=10
    )
    assert schedule(step) == pytest.approx(factor)


def test_the_first_adam_step_is_the_learning_rate():
    changes = step_sizes(training(weight_decay=0.0, learning_rate=0.01), gradient=3.0)
    np.testing.assert_allclose(changes['dense']['bias'], -0.01, rtol=1e-5)


def test_the_average_of_the_weights_follows_them():
    transformation = optimizer.average_weights(decay=0.5)
    params, state = {'w': jnp.zeros(1)}, transformation.init({'w': jnp.zeros(1)})
    expected = 0.0
    for step in range(4):
        updates, state = transformation.update({'w': jnp.ones(1)}, state, params)
        params = optax.apply_updates(params, updates)
        share = min(0.5, (1 + step) / (10 + step))
        expected = share * expected + (1 - share) * (step + 1)
    np.testing.assert_allclose(optimizer.averaged_weights(state)['w'], [expected], rtol=1e-6)


def test_without_an_average_the_state_of_the_optimizer_is_as_it_was():
    state = optimizer.make_optimizer(training(), 1).init(PARAMS)
    assert optimizer.averaged_weights(state) is None
    with_one = optimizer.make_optimizer(training(weight_average=0.9), 1).init(PARAMS)
    assert jnp.array_equal(optimizer.averaged_weights(with_one)['block']['dense']['bias'], [1, 1])

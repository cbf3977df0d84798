"""The steps to profile are read from the command line, and a profile of them is written."""

import jax
import jax.numpy as jnp
import pytest

from capf_jax.errors import UserError
from capf_jax.runtime import profiling


def test_the_steps_are_read():
    assert list(profiling.steps_of('3:5')) == [3, 4, 5]
    assert not profiling.steps_of('')


@pytest.mark.parametrize('text', ['5', '5:3', '0:2', 'a:b', '-1:4'])
def test_another_form_is_a_sentence(text):
    with pytest.raises(UserError, match='--profile=100:110'):
        profiling.steps_of(text)


def test_a_profile_of_the_steps_is_written(tmp_path):
    profiler = profiling.Profiler(range(2, 4), tmp_path / 'profile')
    ends = []
    for number in range(1, 5):
        with profiler.step(number):
            jax.block_until_ready(jnp.ones(3) + number)
        if profiler.ends_after(number):
            ends.append(number)
            profiler.stop()
    assert ends == [3]
    assert list((tmp_path / 'profile').rglob('*.xplane.pb'))

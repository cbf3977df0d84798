"""Compiler options: taken where known, left out where not."""

import jax
import jax.numpy as jnp
import pytest

from capf_jax.backends import compilation


@pytest.fixture(autouse=True)
def _asked_anew():
    compilation.compiler_options.cache_clear()
    yield
    compilation.compiler_options.cache_clear()


def test_options_this_jax_knows_are_used():
    assert compilation.compiler_options() == compilation.CPU_OPTIONS


def test_options_that_are_gone_are_left_out(monkeypatch):
    options = {'xla_cpu_of_another_year': '', **compilation.CPU_OPTIONS}
    monkeypatch.setattr(compilation, 'CPU_OPTIONS', options)
    assert compilation.compiler_options() == {
        name: value for name, value in options.items() if name != 'xla_cpu_of_another_year'
    }


def test_other_backends_get_none(monkeypatch):
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    assert compilation.compiler_options() == {}


def test_convolutions_are_not_given_to_the_library_that_runs_them_on_one_core():
    x, kernel = jnp.ones((1, 8, 8, 32)), jnp.ones((3, 3, 32, 32))

    def convolve(x, kernel):
        dimensions = ('NHWC', 'HWIO', 'NHWC')
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=dimensions)

    convolve = compilation.jit(convolve)
    assert float(convolve(x, kernel)[0, 4, 4, 0]) == 9 * 32
    assert 'ynn' not in convolve.jitted().lower(x, kernel).compile().as_text()


def test_arguments_of_jit_are_passed_on():
    power = compilation.jit(lambda x, n: x**n, static_argnums=1)
    assert float(power(3.0, 2)) == 9

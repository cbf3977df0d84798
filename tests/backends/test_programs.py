"""Programs for the backend at hand: its options, its replacements, and nothing on others."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from capf_jax.backends import programs
from capf_jax.backends.cpu import options, replacements, tricks
from capf_jax.backends.tpu import replacements as tpu_replacements


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
        return self.param('factor', nn.initializers.constant(2.0), ()) * x


class OfAnotherKind(Twice):
    pass


@pytest.fixture
def on_another_backend(monkeypatch):
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')


@pytest.fixture
def twice_as_sum(monkeypatch):
    """A replacement that tells itself apart: it adds 1."""

    def replacement(plain, module, x):
        del module
        return plain(x) + 1

    monkeypatch.setattr(replacements, 'REPLACEMENTS', {(Twice, '__call__'): replacement})


def test_this_jax_knows_all_options():
    assert set(programs.compiler_options()) == {options.YNNPACK, *options.VECTORS}


def test_options_are_known_where_transfers_are_forbidden():
    options.is_known.cache_clear()
    with jax.transfer_guard('disallow'):
        assert options.is_known(*next(iter(options.VECTORS.items())))


def test_programs_that_are_compiled_quickly_have_an_option_of_their_own():
    quick = programs.compiler_options(quickly=True)
    assert quick == programs.compiler_options() | options.QUICKLY


def test_programs_of_few_rows_have_an_option_of_their_own():
    few, many = programs.compiler_options(few_rows=True), programs.compiler_options()
    assert {name for name in many if many[name] != few[name]} == {options.YNNPACK}


def test_an_option_that_jax_does_not_know_is_left_out():
    assert not options.is_known('xla_cpu_of_another_year', '')


def test_other_backends_get_no_options(on_another_backend):
    assert programs.compiler_options() == {}


def test_arguments_of_jit_are_passed_on():
    power = programs.jit(lambda x, n: x**n, static_argnums=1)
    assert float(power(3.0, 2)) == 9


def test_programs_run_the_replacements(twice_as_sum):
    variables = {'params': {'factor': jnp.array(2.0)}}
    assert float(programs.jit(lambda v, x: Twice().apply(v, x))(variables, 3.0)) == 7
    assert float(jax.jit(lambda v, x: Twice().apply(v, x))(variables, 3.0)) == 6


def test_a_subclass_is_not_replaced_with_its_base(twice_as_sum):
    run = programs.jit(lambda v, x: OfAnotherKind().apply(v, x))
    assert float(run({'params': {'factor': jnp.array(2.0)}}, 3.0)) == 6


def test_other_backends_run_the_plain_methods(twice_as_sum, on_another_backend):
    run = programs.specialised(lambda v, x: Twice().apply(v, x))
    assert float(run({'params': {'factor': jnp.array(2.0)}}, 3.0)) == 6


def test_other_backends_prepare_nothing(on_another_backend):
    variables = {'params': {}, 'batch_stats': {}}
    assert programs.prepared(variables) is variables


def test_programs_for_another_platform_run_what_it_needs(twice_as_sum):
    run = programs.specialised(lambda v, x: Twice().apply(v, x))
    variables = {'params': {'factor': jnp.array(2.0)}}
    with programs.compiling_for('tpu'):
        assert float(run(variables, 3.0)) == 6
        assert programs.compiler_options() == {}
    assert float(run(variables, 3.0)) == 7


def test_programs_for_a_tpu_run_its_replacements(monkeypatch):
    def replacement(plain, module, x):
        return plain(x) + 1

    monkeypatch.setattr(tpu_replacements, 'REPLACEMENTS', {(Twice, '__call__'): replacement})
    run = programs.specialised(lambda v, x: Twice().apply(v, x))
    with programs.compiling_for('tpu'):
        assert float(run({'params': {'factor': jnp.array(2.0)}}, 3.0)) == 7


def test_a_trick_is_off_inside_the_block_alone():
    with tricks.without('lanes', 'rows'), tricks.without('rows'):
        assert not tricks.is_on('lanes')
    assert tricks.is_on('lanes')
    assert tricks.is_on('rows')


def test_an_unknown_trick_is_an_error():
    with pytest.raises(KeyError, match='winogard'):
        tricks.is_on('winogard')

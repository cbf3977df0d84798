"""jax2onnx looks for a result among the newest operations first, and finds the same."""

import sys
import types

import pytest

from capf_jax.exporting import onnx_forms

NAME = 'jax2onnx.converter.output_binding'


def graph(nodes, inputs=(), initializers=()):
    """What jax2onnx builds, with operations that have these outputs."""
    nodes = [types.SimpleNamespace(outputs=outputs) for outputs in nodes]
    builder = types.SimpleNamespace(nodes=nodes, inputs=inputs, initializers=initializers)
    return types.SimpleNamespace(builder=builder)


@pytest.fixture
def binding(monkeypatch):
    """jax2onnx's own search, which counts what it compares."""
    module = types.ModuleType(NAME)
    module.compared = []

    def matches(existing, reference):
        module.compared.append(existing)
        return existing == reference

    module._value_matches_reference = matches
    module._value_is_graph_connected = lambda context, value: 'its own'
    for name in ('jax2onnx', 'jax2onnx.converter'):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, NAME, module)
    return module


def test_the_newest_result_is_found_at_once(binding):
    with onnx_forms.newest_first():
        assert binding._value_is_graph_connected(graph([['a'], ['b'], ['c', 'd']]), 'd')
    assert binding.compared == ['c', 'd']


@pytest.mark.parametrize(
    ('value', 'is_there'), [('b', True), ('x', True), ('w', True), ('z', False)]
)
def test_results_inputs_and_weights_are_found_and_nothing_else(binding, value, is_there):
    with onnx_forms.newest_first():
        whole = graph([['a'], ['b']], inputs=['x'], initializers=['w'])
        assert binding._value_is_graph_connected(whole, value) == is_there


def test_jax2onnx_has_its_own_search_again_afterwards(binding):
    with pytest.raises(KeyError), onnx_forms.newest_first():
        raise KeyError
    assert binding._value_is_graph_connected(None, None) == 'its own'


def test_a_jax2onnx_without_that_search_stays_as_it_is(binding):
    del binding._value_is_graph_connected
    with onnx_forms.newest_first():
        assert not hasattr(binding, '_value_is_graph_connected')

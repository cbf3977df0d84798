"""What jax2onnx lacks: other forms of primitives that it cannot convert, and a faster search.

This is the one place for it: the models stay as they are. A function is traced, and every primitive
that stands in `FORMS` is replaced by operations of the same value that convert for a batch of any
size.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
from jax.extend import core

# Primitives that do nothing but call a program, and the parameter that holds it.
_CALLS = {
    'jit': 'jaxpr',
    'pjit': 'jaxpr',
    'closed_call': 'call_jaxpr',
    'custom_jvp_call': 'call_jaxpr',
    'custom_vjp_call': 'call_jaxpr',
}


def convertible(function: Callable[..., Any], shapes: Sequence[Any]) -> Callable[..., Any]:
    """The same function, of operations that jax2onnx converts.

    It is traced here and now. While jax2onnx traces, functions of JAX and Flax are replaced by its
    own, which take fewer arguments than the models give (0.17: Flax's max_pool and conv_transpose).

    Args:
      function: of arrays, to a tuple of arrays.
      shapes: of its arguments; the batch may be a symbolic dimension.
    """
    program = jax.make_jaxpr(function)(*shapes)

    def rewritten(*arrays: Any) -> tuple[Any, ...]:
        return tuple(_evaluated(program.jaxpr, program.consts, arrays))

    return rewritten


@contextlib.contextmanager
def newest_first() -> Iterator[None]:
    """Lets jax2onnx, inside, look for the result of an operation among the newest ones first.

    jax2onnx 0.17 asks for every operation whether its result is in the graph, and goes through all
    of them from the first one on, which took most of a large network's time. A jax2onnx without
    that search stays as it is.
    """
    name = '_value_is_graph_connected'
    try:
        module: Any = importlib.import_module('jax2onnx.converter.output_binding')
        before, matches = getattr(module, name), module._value_matches_reference
    except (ImportError, AttributeError):
        yield
        return

    def is_in_graph(context: Any, value: Any) -> bool:
        graph = context.builder
        for node in reversed(graph.nodes):
            if any(matches(output, value) for output in node.outputs):
                return True
        return any(matches(one, value) for one in (*graph.inputs, *graph.initializers))

    setattr(module, name, is_in_graph)
    try:
        yield
    finally:
        setattr(module, name, before)


def _evaluated(program: core.Jaxpr, constants: Any, arrays: Any) -> list[Any]:
    """The outputs of a program, with the forms of `FORMS`."""
    values: dict[Any, Any] = dict(zip(program.constvars, constants, strict=True))
    values |= zip(program.invars, arrays, strict=True)

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in program.eqns:
        name, inputs = equation.primitive.name, [value(atom) for atom in equation.invars]
        if name in _CALLS:
            inner = equation.params[_CALLS[name]]
            outputs = _evaluated(inner.jaxpr, inner.consts, inputs)
        elif name in FORMS:
            outputs = [FORMS[name](*inputs, **equation.params)]
        else:
            results = equation.primitive.bind(*inputs, **equation.params)
            outputs = results if equation.primitive.multiple_results else [results]
        values |= zip(equation.outvars, outputs, strict=True)
    return [value(atom) for atom in program.outvars]


def _remainder(x: jax.Array, divisor: jax.Array) -> jax.Array:
    """The remainder by a division, since jax2onnx 0.17 asks for a shape in numbers in its own."""
    return jax.lax.sub(x, jax.lax.mul(jax.lax.div(x, divisor), divisor))


def _window_max(x: jax.Array, **parameters: Any) -> jax.Array:
    """The largest value of each window, one axis after the other, on arrays of three axes.

    jax2onnx 0.17 writes a pooling over all axes, of which ONNX Runtime runs at most three.
    """
    for axis in range(1, x.ndim):
        size, stride, padding = (
            parameters[name][axis] for name in ('window_dimensions', 'window_strides', 'padding')
        )
        if size == stride == 1:
            continue
        order = (0, axis, *(other for other in range(1, x.ndim) if other != axis))
        moved = jax.lax.transpose(x, order)
        flat = jax.lax.reshape(moved, (*moved.shape[:2], math.prod(moved.shape[2:])))
        largest = jax.lax.reduce_window_max_p.bind(
            flat,
            window_dimensions=(1, size, 1),
            window_strides=(1, stride, 1),
            padding=((0, 0), tuple(padding), (0, 0)),
            base_dilation=(1, 1, 1),
            window_dilation=(1, 1, 1),
        )
        rows = jax.lax.reshape(largest, (*largest.shape[:2], *moved.shape[2:]))
        x = jax.lax.transpose(rows, tuple(order.index(place) for place in range(x.ndim)))
    return x


def _product(x: jax.Array, y: jax.Array, **parameters: Any) -> jax.Array:
    """A product of two matrices, or of stacks of them, of which jax2onnx 0.17 makes a MatMul.

    Of arrays of more axes it makes an Einsum, which some programs that read ONNX lack, and others
    run slowly.
    """
    (x_sums, y_sums), (x_stack, y_stack) = parameters['dimension_numbers']
    x_free = [axis for axis in range(x.ndim) if axis not in (*x_sums, *x_stack)]
    y_free = [axis for axis in range(y.ndim) if axis not in (*y_sums, *y_stack)]
    rows, columns = [x.shape[axis] for axis in x_free], [y.shape[axis] for axis in y_free]
    stack, number = [x.shape[axis] for axis in x_stack], math.prod(x.shape[a] for a in x_sums)
    flat = [math.prod(stack)] if stack else []
    x = _moved(x, (*x_stack, *x_free, *x_sums), (*flat, math.prod(rows), number))
    y = _moved(y, (*y_stack, *y_sums, *y_free), (*flat, number, math.prod(columns)))
    axes, stacks = range(len(flat)), len(flat)
    numbers = (((1 + stacks,), (stacks,)), (tuple(axes), tuple(axes)))
    product = jax.lax.dot_general_p.bind(x, y, **{**parameters, 'dimension_numbers': numbers})
    return jax.lax.reshape(product, (*stack, *rows, *columns))


def _moved(x: jax.Array, order: Sequence[int], shape: Sequence[Any]) -> jax.Array:
    """The array with its axes in another order, and then of another shape."""
    if tuple(order) != tuple(range(x.ndim)):
        x = jax.lax.transpose(x, tuple(order))
    return x if tuple(x.shape) == tuple(shape) else jax.lax.reshape(x, tuple(shape))


FORMS: dict[str, Callable[..., Any]] = {
    'rem': _remainder,
    'reduce_window_max': _window_max,
    'dot_general': _product,
}

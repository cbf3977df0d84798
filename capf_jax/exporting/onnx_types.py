"""The number types of ONNX files: float32, as JAX computes, and two that make a file smaller.

A file of float16 computes in float16; a file of int8 stores its weights in 8 bits and computes in
float32. Neither gives JAX's outputs to rounding errors, so that each has a budget of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

LEAST_WEIGHTS = 1024  # of a tensor that is stored in 8 bits; smaller ones would save nothing
LEAST_A_SCALE = 8  # weights that share a scale of 4 bytes
_PRODUCTS = ('Conv', 'ConvTranspose', 'Einsum', 'Gemm', 'MatMul')
_SAME_VALUES = ('Identity', 'Reshape', 'Transpose')
# Sums of squares overflow in float16, whose largest number is 65,504.
_SUMS = ('ReduceSumSquare', 'ReduceSum', 'ReduceMean', 'Mean', 'Div')


@dataclasses.dataclass(frozen=True)
class NumberType:
    """A type.

    Attributes:
      ending: stands in a file's name before `.onnx`.
      details: for the manifest.
      budget: by the unit of an output, how far it may be from JAX's in the mean over all values: a
        number in the unit, and for the unit '1' a share of the largest value. None where each
        value must be within the output's own tolerance. A single value is not limited: a 2D
        joint that is the highest place of a heatmap of two peaks jumps from one to the other.
      converted: (model in float32) -> the model in this type; it may change its argument.
    """

    ending: str
    details: Mapping[str, str]
    budget: Mapping[str, float] | None
    converted: Callable[[Any], Any]


def _to_float16(model: Any) -> Any:
    """The model with weights and values in float16; inputs and outputs stay as they are."""
    from onnxruntime.transformers import float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    in_float32 = [*float16.DEFAULT_OP_BLOCK_LIST, *_SUMS]
    names = {name for node in model.graph.node for name in node.output}
    half = float16.convert_float_to_float16(model, keep_io_types=True, op_block_list=in_float32)
    _pass_float32_on(half.graph, in_float32, names)
    OnnxModel.graph_topological_sort(half.graph)  # the casts of inputs stand at the end otherwise
    return half


def _pass_float32_on(graph: Any, in_float32: Sequence[str], names: Collection[str]) -> None:
    """Leads the outputs of operations in float32 to the next of them without casts in between.

    ONNX Runtime's converter casts each to float16 and back, and a sum of squares would overflow.

    Args:
      graph: of the converted model.
      in_float32: kinds of operations.
      names: of the tensors before, so that what has another name is the converter's.
    """
    makers = {name: node for node in graph.node for name in node.output}

    def maker(name: str, kinds: Sequence[str]) -> Any:
        """What makes a tensor that the converter has added, if it is an operation of these."""
        node = makers.get(name)
        return node if name not in names and node is not None and node.op_type in kinds else None

    for node in graph.node:
        if node.op_type not in in_float32:
            continue
        for place, name in enumerate(node.input):
            back = maker(name, ['Cast'])
            forth = back and makers.get(back.input[0])
            if forth and forth.op_type == 'Cast' and maker(forth.input[0], in_float32):
                node.input[place] = forth.input[0]


def _to_int8(model: Any) -> Any:
    """The model with the weights of its products in 8 bits, one scale for each channel.

    ONNX Runtime's own `quantize_dynamic` and `quantize_static` round the values between the layers
    too, and leave out the weights of Einsum, of which our lifters are made.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {one.name: one for one in graph.initializer}
    opening = []
    for name in _weights_of_products(graph):
        integers, scales, axis = _rounded(numpy_helper.to_array(weights[name]))
        graph.initializer.remove(weights[name])
        stored = f'{name}_int8', f'{name}_scales'
        graph.initializer.extend(
            numpy_helper.from_array(array, its_name)
            for array, its_name in zip((integers, scales), stored, strict=True)
        )
        opening.append(helper.make_node('DequantizeLinear', stored, [name], axis=axis))
    nodes = [*opening, *graph.node]  # every node stands after those that it reads
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _weights_of_products(graph: Any) -> Iterator[str]:
    """The names of the large float32 tensors that are factors of products."""
    from onnx import TensorProto

    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def is_factor(name: str) -> bool:
        return any(
            node.op_type in _PRODUCTS
            or (node.op_type in _SAME_VALUES and is_factor(node.output[0]))
            for node in readers.get(name, ())
        )

    for one in list(graph.initializer):
        is_large = len(one.dims) > 1 and np.prod(one.dims) >= LEAST_WEIGHTS
        if is_large and one.data_type == TensorProto.FLOAT and is_factor(one.name):
            yield one.name


def _rounded(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Integers, scales and the axis of these, of all axes the one that loses least.

    Returns:
      int8 of the weights' shape, float32 scales of one axis, and that axis.
    """
    best, least = None, np.inf
    for axis, number in enumerate(weights.shape):
        if weights.size < LEAST_A_SCALE * number:
            continue
        others = tuple(other for other in range(weights.ndim) if other != axis)
        scales = np.abs(weights).max(axis=others, keepdims=True) / np.float32(127)
        scales = np.where(scales == 0, np.float32(1), scales)
        integers = np.round(weights / scales)
        loss = float(np.square(integers * scales - weights).sum())
        if loss < least:
            best, least = (integers.astype(np.int8), scales.reshape(-1), axis), loss
    assert best is not None  # two axes cannot both be as long as an eighth of all weights
    return best


FLOAT32 = 'float32'
TYPES = {
    FLOAT32: NumberType('', {}, None, lambda model: model),
    'float16': NumberType(
        '.float16',
        {'weights': 'float16', 'computes_in': 'float16; sums and divisions in float32'},
        {'metres': 1e-3, 'pixels': 0.2, '1': 5e-3},
        _to_float16,
    ),
    'int8': NumberType(
        '.int8',
        {'weights': 'int8 with a float32 scale for each channel', 'computes_in': 'float32'},
        {'metres': 5e-3, 'pixels': 1.0, '1': 5e-2},
        _to_int8,
    ),
}

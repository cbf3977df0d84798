"""ONNX models in float16 and with weights of 8 bits, made and run by ONNX Runtime."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, checker, helper, numpy_helper

from capf_jax.exporting import onnx_types, parity
from capf_jax.exporting.onnx_types import TYPES

VALUES = 64


def model(weights, *, operation='MatMul', further=()):
    """x -> y by a product with the weights, which another node hands on."""
    graph = helper.make_graph(
        [
            helper.make_node('Identity', ['weights'], ['same']),
            helper.make_node(operation, ['x', 'same'], ['y']),
            *further,
        ],
        'product',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['batch', VALUES])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [None, None])],
        [numpy_helper.from_array(weights, 'weights')],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 23)], ir_version=10)


def run(onnx_model, x):
    checker.check_model(onnx_model)
    session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
    return session.run(None, {'x': x})[0]


@pytest.fixture
def weights():
    """Channels [VALUES, 32] of very different sizes: one scale for all would lose the small."""
    random = np.random.default_rng(0)
    sizes = np.geomspace(1e-3, 1e3, 32)
    return (random.normal(0, 1, (VALUES, 32)) * sizes).astype(np.float32)


def test_weights_of_8_bits_have_a_scale_for_each_channel(weights):
    x = np.random.default_rng(1).normal(0, 1, (5, VALUES)).astype(np.float32)
    small = TYPES['int8'].converted(model(weights))
    stored = {one.name: numpy_helper.to_array(one) for one in small.graph.initializer}
    assert stored['weights_int8'].dtype == np.int8
    assert stored['weights_scales'].shape == (32,)
    off = np.abs(stored['weights_int8'] * stored['weights_scales'] - weights)
    assert (off <= 0.51 * stored['weights_scales']).all()
    off_by = np.abs(run(small, x) - x @ weights)
    assert (off_by <= 0.51 * np.abs(x).sum(1, keepdims=True) * stored['weights_scales']).all()


def test_the_scales_of_a_depthwise_filter_are_those_of_its_channels():
    filters = np.geomspace(1e-3, 1e3, 128, dtype=np.float32).reshape(128, 1, 1, 1)
    filters = filters * np.random.default_rng(0).normal(0, 1, (128, 1, 3, 3)).astype(np.float32)
    integers, scales, axis = onnx_types._rounded(filters)
    assert axis == 0
    assert scales.shape == (128,)
    assert np.abs(integers).max(axis=(1, 2, 3)).min() == 127


def test_what_is_no_factor_of_a_product_stays(weights):
    x = np.ones((1, VALUES), np.float32)
    sums = model(np.resize(weights, (VALUES, VALUES)), operation='Add')
    assert TYPES['int8'].converted(sums).graph.initializer[0].data_type == TensorProto.FLOAT
    few = model(weights[:, :4])
    assert TYPES['int8'].converted(few).graph.initializer[0].data_type == TensorProto.FLOAT
    np.testing.assert_allclose(run(few, x), x @ weights[:, :4], rtol=1e-5)


def test_sums_of_squares_do_not_overflow_in_float16():
    """Values of 100: 64 squares sum to 640,000, and float16 ends at 65,504.

    Their number comes of a largest integer, which is not taken for a number in float32.
    """
    weights = np.eye(VALUES, dtype=np.float32) * 100
    axes = numpy_helper.from_array(np.array([1]), 'axes')
    numbers = [numpy_helper.from_array(np.array(n), f'number{n}') for n in (1, VALUES)]
    further = [
        helper.make_node('Max', [one.name for one in numbers], ['largest']),
        helper.make_node('Cast', ['largest'], ['number'], to=TensorProto.FLOAT),
        helper.make_node('ReduceSumSquare', ['y', 'axes'], ['sum']),
        helper.make_node('Div', ['sum', 'number'], ['mean']),
        helper.make_node('Sqrt', ['mean'], ['z']),
    ]
    float32 = model(weights, further=further)
    float32.graph.initializer.extend([axes, *numbers])
    float32.graph.output[0].name = 'z'
    half = TYPES['float16'].converted(float32)
    by_name = {one.name: one.data_type for one in half.graph.initializer}
    assert by_name['weights'] == TensorProto.FLOAT16
    z = run(half, np.ones((2, VALUES), np.float32))
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, 100, rtol=1e-3)


@pytest.mark.parametrize(
    ('off', 'passes'), [((0.0, 0.0), True), ((3.0, 0.0), True), ((1.1, 1.1), False)]
)
def test_a_type_is_judged_by_the_mean_over_all_values(off, passes):
    """Joints of one sample may jump; 1.1 pixels everywhere are more than int8 may have."""
    outputs = [{'name': 'joints', 'unit': 'pixels', 'tolerance': 1e-2, 'tolerance_is': ''}]
    joints = np.full((parity.BATCH, 10, 2), off[1])
    joints[:, 0] = off[0]
    arrays = {'inputs/x': joints, 'outputs/joints': np.zeros_like(joints)}
    inputs, budget = [{'name': 'x'}], TYPES['int8'].budget
    differences = parity.compare(lambda arrays: arrays, arrays, inputs, outputs, budget)
    assert [one.passes for one in differences] == [passes, passes]
    assert all(one.is_mean for one in differences)

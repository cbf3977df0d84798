"""Tiny ONNX models that take and give what RTMPose and YOLOX do."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def save(path, nodes, size, outputs, constants):
    """Writes a model of one image [1, 3, H, W] of this size."""
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('image', floats, [1, 3, *size])],
        [
            helper.make_tensor_value_info(name, kind or floats, shape)
            for name, shape, kind in outputs
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.save(model, path)
    return path


def rtmpose(path, joints=17, size=(256, 192)):
    """Every joint is where the red along x, and the blue along y, is brightest in the mean.

    It says so by two scores a pixel, of which the first is the larger, a tenth of the mean.
    """
    height, width = size
    nodes, constants = [], {}
    for name, channel, axis, side in (('x', 0, 2, width), ('y', 2, 3, height)):
        constants |= {
            f'{name}_from': np.array([channel]),
            f'{name}_to': np.array([channel + 1]),
            'one': np.array([1]),
            f'{name}_twice': np.array([[0.1, 0.09]], np.float32),
            f'{name}_shape': np.array([1, 1, 2 * side]),
            f'{name}_all': np.array([1, joints, 2 * side]),
        }
        last = np.array([1, side, 1])
        constants[f'{name}_last'] = last
        nodes += [
            helper.make_node('Slice', ['image', f'{name}_from', f'{name}_to', 'one'],
                             [f'{name}_colour']),
            helper.make_node('ReduceMean', [f'{name}_colour'], [f'{name}_mean'], axes=[axis],
                             keepdims=0),
            helper.make_node('Reshape', [f'{name}_mean', f'{name}_last'], [f'{name}_column']),
            helper.make_node('MatMul', [f'{name}_column', f'{name}_twice'], [f'{name}_pairs']),
            helper.make_node('Reshape', [f'{name}_pairs', f'{name}_shape'], [f'{name}_row']),
            helper.make_node('Expand', [f'{name}_row', f'{name}_all'], [f'simcc_{name}']),
        ]  # fmt: skip
    outputs = [
        ('simcc_x', [1, joints, 2 * width], None),
        ('simcc_y', [1, joints, 2 * height], None),
    ]
    return save(path, nodes, size, outputs, constants)


def yolox(path, rows, size=(64, 64)):
    """Gives these rows [N, 85] for any picture, the scores times the mean blue over 255."""
    columns = np.zeros(85, np.float32)
    columns[4] = 1
    constants = {
        'from': np.array([0]), 'to': np.array([1]), 'one': np.array([1]),
        'rows': rows[None].astype(np.float32), 'score': columns / 255, 'others': 1 - columns,
    }  # fmt: skip
    nodes = [
        helper.make_node('Slice', ['image', 'from', 'to', 'one'], ['blue']),
        helper.make_node('ReduceMean', ['blue'], ['mean'], keepdims=0),
        helper.make_node('Mul', ['mean', 'score'], ['share']),
        helper.make_node('Add', ['share', 'others'], ['factors']),
        helper.make_node('Mul', ['rows', 'factors'], ['output']),
    ]
    return save(path, nodes, size, [('output', [1, len(rows), 85], None)], constants)


def yolox_without_duplicates(path, rows, classes, size=(64, 64)):
    """Gives boxes [N, 5] and their classes whatever the picture is."""
    constants = {'rows': rows[None].astype(np.float32), 'classes': np.asarray(classes)[None]}
    nodes = [
        helper.make_node('Identity', ['rows'], ['dets']),
        helper.make_node('Identity', ['classes'], ['labels']),
    ]
    outputs = [
        ('dets', [1, len(rows), 5], None),
        ('labels', [1, len(rows)], onnx.TensorProto.INT64),
    ]
    return save(path, nodes, size, outputs, constants)

"""TFLite files, for phones: written by onnx2tf without TensorFlow, run by LiteRT.

A file takes one sample at a time: onnx2tf 2.6 makes a program that does not run of a batch of any
size.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from capf_jax.errors import UserError
from capf_jax.exporting import onnx_model
from capf_jax.exporting.tensors import Export

OPSET = 18  # of the ONNX model on the way: onnx2tf does not know all of 23


def content(exported: Export) -> bytes:
    """The TFLite file of a network, in float32.

    Raises:
      UserError: onnx2tf cannot convert the network.
    """
    import onnx
    import onnx2tf  # pyright: ignore[reportMissingImports]  # an extra

    with tempfile.TemporaryDirectory() as place:
        source = pathlib.Path(place, 'network.onnx')
        onnx.save(onnx_model.of_export(exported, 1, OPSET), source)
        told = io.StringIO()  # It shows bars of its progress, prints, and exits.
        with (
            contextlib.redirect_stdout(told),
            contextlib.redirect_stderr(told),
            contextlib.suppress(SystemExit),
        ):
            onnx2tf.convert(
                input_onnx_file_path=str(source),
                output_folder_path=place,
                # It would move the axes of an input of which it thinks as channels first.
                keep_shape_absolutely_input_names=[one.name for one in exported.inputs],
                verbosity='error',
            )
        written = pathlib.Path(place, 'network_float32.tflite')
        if not written.is_file():
            raise UserError(
                f'onnx2tf does not convert {exported.estimator.path} to TFLite: use --format=onnx, '
                'which other converters read'
            )
        return written.read_bytes()


def opened(path: pathlib.Path) -> Any:
    """What runs a file, from inputs of any number of samples to the outputs in their order.

    Raises:
      UserError: LiteRT is not installed.
    """
    try:
        from ai_edge_litert import interpreter as litert  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError(
            f'{path} needs LiteRT, which is not installed: pip install ai-edge-litert'
        ) from None
    interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def run(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        rows = []
        for sample in range(len(arrays[0])):
            for one, array in zip(inputs, arrays, strict=True):
                interpreter.set_tensor(one['index'], array[sample : sample + 1])
            interpreter.invoke()
            rows.append([interpreter.get_tensor(one['index']) for one in outputs])
        return [np.concatenate(parts) for parts in zip(*rows, strict=True)]

    return run

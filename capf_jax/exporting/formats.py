"""The formats of exported networks: how each is written and run.

StableHLO is read by JAX alone, ONNX by ONNX Runtime and others, TFLite by LiteRT.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import export as jax_export

from capf_jax.errors import UserError
from capf_jax.exporting import onnx_model, tflite
from capf_jax.exporting.onnx_types import NumberType
from capf_jax.exporting.tensors import Export
from capf_jax.inference import onnx_files

PLATFORMS = ('cpu', 'cuda', 'tpu')
OPSET = 23  # of ONNX; what jax2onnx 0.17 writes if nothing else is asked for
Run = Callable[[Sequence[np.ndarray]], list[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
      ending: of its files.
      content: the bytes of an exported network's file.
      opened: (file) -> what runs it, from the inputs to the outputs in their order.
      details: for the manifest.
      packages: that write it; the manifest tells their versions.
      requirements: the file that pip installs them by.
      in_type: (content, type) -> the same file in a type of numbers; None if it has one alone.
    """

    ending: str
    content: Callable[[Export], bytes]
    opened: Callable[[pathlib.Path], Run]
    details: dict[str, Any]
    packages: tuple[str, ...]
    requirements: str = 'requirements-export.txt'
    in_type: Callable[[bytes, NumberType], bytes] | None = None

    def check_installed(self) -> None:
        """Raises a UserError if a package that writes the format is not installed."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            raise UserError(
                f'the files *{self.ending} need {missing[0]}, which is not installed: '
                f'pip install -r {self.requirements}'
            )

    def versions(self) -> dict[str, str]:
        """The installed version of each of `packages`."""
        return {name: importlib.metadata.version(name) for name in self.packages}


def _stablehlo(exported: Export) -> bytes:
    (batch,) = jax_export.symbolic_shape('batch')
    program = jax_export.export(jax.jit(exported.function), platforms=PLATFORMS)
    return bytes(program(*exported.shapes(batch)).serialize())


def _open_stablehlo(path: pathlib.Path) -> Run:
    program = jax.jit(jax_export.deserialize(bytearray(path.read_bytes())).call)
    return lambda inputs: [np.asarray(output) for output in program(*inputs)]


def _onnx(exported: Export) -> bytes:
    (batch,) = jax_export.symbolic_shape('batch')
    return onnx_model.of_export(exported, batch, OPSET).SerializeToString()


def _onnx_in_type(content: bytes, number_type: NumberType) -> bytes:
    import onnx

    return number_type.converted(onnx.load_model_from_string(content)).SerializeToString()


def _open_onnx(path: pathlib.Path) -> Run:
    session = onnx_files.open_session(path)
    names = [one.name for one in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))


FORMATS = {
    'stablehlo': Format(
        '.stablehlo',
        _stablehlo,
        _open_stablehlo,
        {'read_by': 'jax.export.deserialize', 'platforms': list(PLATFORMS)},
        ('jax', 'jaxlib'),
    ),
    'onnx': Format(
        '.onnx',
        _onnx,
        _open_onnx,
        {'opset': OPSET},
        ('jax', 'jax2onnx', 'onnx', 'onnxruntime'),
        in_type=_onnx_in_type,
    ),
    'tflite': Format(
        '.tflite',
        tflite.content,
        tflite.opened,
        {'read_by': 'LiteRT (ai_edge_litert.interpreter.Interpreter)', 'batch': 1},
        ('jax', 'jax2onnx', 'onnx', 'onnx2tf', 'ai_edge_litert'),
        'requirements-tflite.txt',
    ),
}

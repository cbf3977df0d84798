"""The ONNX model of an exported network, by jax2onnx."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from capf_jax.exporting.onnx_forms import convertible, newest_first
from capf_jax.exporting.tensors import Export


def of_export(exported: Export, batch: Any, opset: int) -> Any:
    """The `onnx.ModelProto` of a network.

    Args:
      exported: the network.
      batch: a number or a symbolic dimension.
      opset: of ONNX.
    """
    import jax2onnx  # pyright: ignore[reportMissingImports]  # an extra

    # It tells of its own plugins for libraries that are not used here, and asks for float64.
    loggers = [logging.getLogger(name) for name in ('jax2onnx', 'onnx_ir')]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), newest_first():
            warnings.simplefilter('ignore')
            model: Any = jax2onnx.to_onnx(
                convertible(exported.function, exported.shapes(batch)),
                exported.shapes(batch),
                model_name=f'capf_jax_{exported.part}',
                opset=opset,
                input_names=[one.name for one in exported.inputs],
                output_names=[one.name for one in exported.outputs],
            )
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    # jax2onnx notes the shapes of some tensors in another order of axes than they have, of which
    # ONNX Runtime warns; it works them out itself where there are none.
    del model.graph.value_info[:]
    return model

"""Networks in ONNX files of the user's own, run by ONNX Runtime, which is an extra."""

from __future__ import annotations

import os
from typing import Any

from capf_jax.errors import UserError
from capf_jax.runtime import files

PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')  # the first that is there is used


def open_session(path: str | os.PathLike) -> Any:
    """The `onnxruntime.InferenceSession` of a file.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: ONNX Runtime is not installed, or cannot read the file.
    """
    source = files.user_path(path)
    if not source.is_file():
        raise FileNotFoundError(f'there is no ONNX file {source}; correct its name')
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f'{source} needs ONNX Runtime, which is not installed: '
            'pip install -r requirements-onnx.txt'
        ) from None
    providers = [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    try:
        return onnxruntime.InferenceSession(str(source), options, providers=providers)
    except Exception as error:  # its own errors have no common class beside this
        reason = str(error).splitlines()[0][:200]
        raise UserError(
            f'{source} is no ONNX model that ONNX Runtime can run ({reason}); get it again'
        ) from None


def image_size(session: Any, otherwise: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of the images [N, 3, H, W] that a network takes.

    Args:
      session: of the network.
      otherwise: what a network that takes images of any size is given.

    Raises:
      ValueError: it takes something else.
    """
    inputs = session.get_inputs()
    shape = inputs[0].shape
    if len(inputs) != 1 or len(shape) != 4 or shape[1] not in (3, None):
        raise ValueError(f'it takes {[one.shape for one in inputs]}, not one image [1, 3, H, W]')
    height, width = (side if isinstance(side, int) else None for side in shape[2:])
    return (height or otherwise[0], width or otherwise[1])

"""Reads PyTorch's weight files, zip and old, so that no code in them can run.

Torch is imported in this module and in export.py alone, and only when it is needed.
"""

from __future__ import annotations

import pathlib
import pickle
import re
import struct
import warnings
import zipfile
import zlib
from collections import OrderedDict
from typing import Any

import jax.numpy as jnp
import numpy as np

from capf_jax.errors import UserError

INSTALL_TORCH = 'pip install torch --index-url https://download.pytorch.org/whl/cpu'
MOST_OF_SIZE = 10  # times a file's size that its members may have when they are unpacked
# What a pickle has for every dictionary, list, number and text. Files of weights have a few of each
# for every tensor; a training's history, which may lie beside them, has all bytes alike.
OPCODES = tuple(bytes([byte]) for byte in b'}](KMJX')
MOST_PARTS = 400_000
OLDEST_TORCH = (2, 6)  # the first whose weights_only=True lets no code run
# Harmless objects that training programs save beside the weights. Each is replaced by an empty
# stand-in, so that not even its own constructor runs.
SETTINGS = (
    'argparse.Namespace', 'easydict.EasyDict', 'yacs.config.CfgNode', 'addict.addict.Dict',
    'collections.defaultdict', 'ml_collections.config_dict.config_dict.ConfigDict',
    'mmcv.utils.config.ConfigDict', 'mmengine.config.config.ConfigDict', 'types.SimpleNamespace',
    # Lightning's hyper-parameters, whose module has moved from version to version.
    *(f'{module}.AttributeDict' for module in (
        'pytorch_lightning.utilities.parsing', 'pytorch_lightning.utilities.data',
        'lightning.pytorch.utilities.parsing', 'lightning.fabric.utilities.data',
        'lightning_fabric.utilities.data')),
    'omegaconf.dictconfig.DictConfig', 'omegaconf.listconfig.ListConfig',
)  # fmt: skip
NUMBERS = (
    *(f'numpy.{module}.multiarray.{name}' for module in ('core', '_core')
      for name in ('scalar', '_reconstruct')),
    'numpy.ndarray', 'numpy.dtype',
    *(f'numpy.dtypes.{name}DType' for name in (
        'Bool', 'Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'UInt32', 'Float16', 'Float32',
        'Float64', 'Str', 'Bytes', 'Object')),
    # A generator of random numbers, which PoseFormer's published training code saves. NumPy has
    # other names for it from 1.17 on.
    'numpy.random._pickle.__randomstate_ctor', 'numpy.random._pickle.__bit_generator_ctor',
    'numpy.random._mt19937.MT19937', 'numpy.random.__RandomState_ctor',
    'mmengine.logging.history_buffer.HistoryBuffer',
    *(f'{module}.{name}' for module in ('pathlib', 'pathlib._local')
      for name in ('PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath')),
    *(f'builtins.{name}' for name in ('list', 'int', 'float')),  # the default of a defaultdict
    'omegaconf.base.ContainerMetadata', 'omegaconf.base.Metadata', 'typing.Any', 'builtins.dict',
    *(f'omegaconf.nodes.{name}Node' for name in (
        'Any', 'Integer', 'Float', 'String', 'Boolean', 'Bytes', 'Path', 'Enum')),
)  # fmt: skip


def import_torch() -> Any:
    """Imports torch where it is needed, and returns the module.

    Raises:
      RuntimeError: it is not installed, or too old; the message has the line that installs it.
    """
    try:
        import torch
    except ImportError as error:
        raise RuntimeError(
            f'PyTorch weight files need torch, which is not installed: {INSTALL_TORCH}'
        ) from error
    if tuple(int(part) for part in torch.__version__.split('.')[:2]) < OLDEST_TORCH:
        raise RuntimeError(
            f'torch {torch.__version__} can be made to run code in weight files '
            f'(CVE-2025-32434): {INSTALL_TORCH} --upgrade'
        )
    return torch


def load(path: pathlib.Path, head: bytes) -> Any:
    """Loads a file with torch's unpickler that accepts only tensors and containers.

    Args:
      path: the file.
      head: its first bytes.

    Raises:
      UserError: the file is damaged, no PyTorch file, or asks for code to be run.
      RuntimeError: as `import_torch`.
    """
    is_zip = head.startswith(b'PK')
    if is_zip and not zipfile.is_zipfile(path):
        raise UserError(
            f'{path} is cut short: it begins as a PyTorch file, but its end is missing; '
            f'download it again'
        )
    if is_zip:
        _check_members(path)
    torch = import_torch()
    harmless = [(_Setting, name) for name in SETTINGS] + [(_Number, name) for name in NUMBERS]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(harmless):
            warnings.simplefilter('ignore')  # torch warns of old formats, which it reads
            if path.suffix != '.safetensors':
                return torch.load(path, map_location='cpu', weights_only=True)
            with path.open('rb') as file:  # so that torch does not see the misleading name
                return torch.load(file, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(_refusal(path, str(error))) from error
    except (EOFError, struct.error) as error:
        raise UserError(
            f'{path} is cut short: {str(error) or "it ends early"}; get it again'
        ) from error
    except Exception as error:  # a damaged file makes torch raise errors of any type
        raise UserError(_damage(path, str(error))) from error


def _check_members(path: pathlib.Path) -> None:
    """Raises a UserError if a zip file's members are not as large, or not the bytes, that it says.

    PyTorch itself does not compare the checksums.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            claimed = sum(member.file_size for member in archive.infolist())
            if claimed > MOST_OF_SIZE * (size + 1_000_000):
                raise UserError(
                    f'{path} has {size:,} bytes, and its parts claim {claimed:,}: it is damaged or '
                    f'made to deceive; get it again'
                )
            damaged = archive.testzip()
            pickles = [name for name in archive.namelist() if name.endswith('.pkl')]
            parts = max((_parts(archive.read(name)) for name in pickles[:1]), default=0)
    # A part that asks for a password is a RuntimeError.
    except (zipfile.BadZipFile, RuntimeError, OSError, zlib.error) as error:
        raise UserError(f'{path} is damaged ({error}): download it again') from error
    if damaged:
        raise UserError(
            f'{path} is damaged: the checksum of {damaged!a} inside it is not that of its '
            f'bytes; download it again'
        )
    if parts > MOST_PARTS:
        raise UserError(
            f'{path} holds about {parts:,} dictionaries, numbers or texts, and no weight file more '
            f'than {MOST_PARTS:,}: give the file that holds the weights'
        )


def _parts(program: bytes) -> int:
    """About how many of the commonest part a pickle has, without reading it."""
    return max(program.count(opcode) for opcode in OPCODES) - len(program) // 64


class _Setting:
    """Stand-in for a dictionary-like object beside the weights."""

    def __new__(cls, *_: Any) -> Any:
        return OrderedDict()


class _Number:
    """Stand-in for a number, array or path beside the weights."""

    def __init__(self, *_: Any):
        pass

    def __new__(cls, *_: Any) -> _Number:
        return super().__new__(cls)

    def __setstate__(self, _: Any) -> None:
        pass


def _refusal(path: pathlib.Path, message: str) -> str:
    """The sentence for a file at which torch's restricted unpickler stopped."""
    asked = re.search(r'GLOBAL (\S+) (?:was not an allowed|whose module)', message)
    if asked:
        return (
            f'{path} is refused, and nothing in it was run: it asks for {asked[1]}, which is code, '
            f'and weights need none. If it is a whole model of yours saved by torch.save(model), '
            f'save model.state_dict() instead; if it is from somewhere else, do not trust it'
        )
    reasons = re.findall(r'(?:Unsupported|Can only|Trying|Only)[^.\n]*', message)
    return (
        f'{path} is refused, and nothing in it was run: it is no PyTorch weight file, or a '
        f'damaged one ({reasons[-1] if reasons else "it does not unpickle"})'
    )


def _damage(path: pathlib.Path, message: str) -> str:
    """The sentence for a file that torch fails to read."""
    first = (message or 'it does not unpickle').splitlines()[0]
    if 'weights_only' in first:  # torch advises to let the code run, which nobody should do
        first = "PyTorch's safe reader does not take it"
    if 'TorchScript' in message:
        return f'{path} is a TorchScript program, not weights: save its state_dict() instead'
    if 'unexpected EOF' in message or 'storage has wrong byte size' in message:
        return f'{path} is cut short ({first}): download it again'
    return f'{path} is damaged or no PyTorch weight file ({first}): download it again'


def to_array(value: Any) -> np.ndarray:
    """A tensor as a NumPy array that shares its memory."""
    value = value.detach()
    if str(value.dtype) == 'torch.bfloat16':  # torch makes no NumPy array of this type
        return value.view(import_torch().int16).numpy().view(jnp.bfloat16)
    return value.numpy()

"""Opens published weight files, of whatever format, so that no code in them can run.

PyTorch's zip and old formats, and safetensors, told apart by their content. torch is imported
here and in export.py alone, and only when it is needed.
"""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import os
import pathlib
import pickle
import re
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open

INSTALL_TORCH = 'pip install torch --index-url https://download.pytorch.org/whl/cpu'
OLDEST_TORCH = (2, 6)  # whose weights_only=True keeps its word
# What training programs put the state dict under.
WRAPPERS = ('state_dict', 'model_state_dict', 'model_pos', 'model', 'network', 'net')
LONGEST_HEADER = 100_000_000  # bytes, of a safetensors file
PARALLEL = 'module.'  # what PyTorch's DataParallel puts before every key
# Harmless things that training programs save beside the weights. They come back as an empty stand-
# in, never as themselves, so that not even their constructors run.
SETTINGS = (
    'argparse.Namespace', 'easydict.EasyDict', 'yacs.config.CfgNode', 'addict.addict.Dict',
    'collections.defaultdict', 'ml_collections.config_dict.config_dict.ConfigDict',
    'mmcv.utils.config.ConfigDict', 'mmengine.config.config.ConfigDict', 'types.SimpleNamespace',
)  # fmt: skip
NUMBERS = (
    *(f'numpy.{module}.multiarray.{name}' for module in ('core', '_core')
      for name in ('scalar', '_reconstruct')),
    'numpy.ndarray', 'numpy.dtype',
    *(f'numpy.dtypes.{name}DType' for name in (
        'Bool', 'Int8', 'Int16', 'Int32', 'Int64', 'UInt8', 'UInt32', 'Float16', 'Float32',
        'Float64', 'Str', 'Bytes', 'Object')),
    # A generator of random numbers, which PoseFormer's published training code saves, by numpy
    # from 1.17 on and before.
    'numpy.random._pickle.__randomstate_ctor', 'numpy.random._pickle.__bit_generator_ctor',
    'numpy.random._mt19937.MT19937', 'numpy.random.__RandomState_ctor',
    'mmengine.logging.history_buffer.HistoryBuffer',
    *(f'{module}.{name}' for module in ('pathlib', 'pathlib._local')
      for name in ('PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath')),
    *(f'builtins.{name}' for name in ('list', 'int', 'float')),  # what a defaultdict makes
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Source:
    """A weight file's content.

    Attributes:
      path: where it is.
      sha256: of its bytes, hexadecimal.
      state: PyTorch key -> array, of the type that the file has.
      wrappers: names that the state dict was found under, outermost first.
      prefix: how often every key began with 'module.', which is taken off.
      beside: what else the file holds, such as an optimizer's state.
      metadata: of a safetensors file.
    """

    path: pathlib.Path
    sha256: str
    state: dict[str, np.ndarray]
    wrappers: tuple[str, ...] = ()
    prefix: str = ''
    beside: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def read(path: str | os.PathLike) -> Source:
    """Opens a weight file. Arrays may be views of it: it must stay until they have been used.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it holds no weights, is damaged, or asks for code to be run.
      RuntimeError: torch is needed and not installed.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise ValueError(f'{path} is a folder: give the weight file inside')
    if not path.is_file():
        raise FileNotFoundError(f'no weight file at {path.resolve()}: mend the path')
    with path.open('rb') as file:
        head = file.read(1024)
        _check_that_it_may_hold_weights(path, head)
        sha256 = hashlib.file_digest(_rewound(file), 'sha256').hexdigest()
    if _is_safetensors(head):
        state, metadata = _read_safetensors(path)
        return _unwrapped(path, sha256, state, metadata)
    return _unwrapped(path, sha256, _read_pytorch(path, head), {})


def import_torch() -> Any:
    """The torch module.

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


def _rewound(file):
    file.seek(0)
    return file


def _check_that_it_may_hold_weights(path: pathlib.Path, head: bytes) -> None:
    """ValueError for what a failed download leaves, by its first bytes."""
    again = 'download it again, and compare its size with what the page says'
    if not head:
        raise ValueError(f'{path} is empty: {again}')
    if not head.strip(b'\0'):
        raise ValueError(f'{path} begins with nothing but zeros, an unfinished download: {again}')
    if head[257:262] == b'ustar' or head.startswith((b'\x1f\x8b', b'7z\xbc\xaf', b'Rar!')):
        raise ValueError(f'{path} is an archive: unpack it and give the weight file inside')
    text = '' if head.startswith(b'PK') else _text(head)
    if text.startswith('version https://git-lfs'):
        raise ValueError(
            f'{path} is a git-lfs pointer, not the file it points to: run `git lfs pull` in its '
            f'repository, or download the file itself'
        )
    if text.startswith('<'):
        raise ValueError(f'{path} is a web page (HTML), not weights, a failed download: {again}')
    if text:
        start = text[:40].splitlines()[0]
        raise ValueError(f'{path} is text that begins {start!r}, not weights: {again}')


def _text(head: bytes) -> str:
    """The beginning of a text file, from its first letter on; '' for any other file."""
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder('utf-16' if wide else 'utf-8-sig')()
    try:
        text = decoder.decode(head).strip()  # its last letter may be cut in two
    except UnicodeDecodeError:
        return ''
    return text if all(c.isprintable() or c.isspace() for c in text) else ''


def _is_safetensors(head: bytes) -> bool:
    """The length of a JSON header in eight bytes, then the header."""
    return head[8:9] == b'{' and int.from_bytes(head[:8], 'little') < LONGEST_HEADER


def _read_safetensors(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    try:
        with safe_open(path, framework='numpy') as file:
            metadata = file.metadata() or {}
            if {'kind', 'skeleton', 'model'} <= metadata.keys():
                name = metadata.get('name', metadata['kind']).strip('"')
                raise ValueError(f'{path} is already converted: it holds {name}; use it as it is')
            return {key: file.get_tensor(key) for key in file.keys()}, metadata  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f'{path} is cut short or damaged: {error}; download it again') from error


def _read_pytorch(path: pathlib.Path, head: bytes) -> Any:
    """What the file holds, by torch's unpickler that knows tensors and containers alone."""
    is_zip = head.startswith(b'PK')
    if is_zip and not zipfile.is_zipfile(path):
        raise ValueError(
            f'{path} is cut short: it begins as a PyTorch file, but its end is missing; '
            f'download it again'
        )
    torch = import_torch()
    harmless = [(_Setting, name) for name in SETTINGS] + [(_Number, name) for name in NUMBERS]
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(harmless):
            warnings.simplefilter('ignore')  # of old formats and types: what counts are the tensors
            options = {'map_location': 'cpu', 'weights_only': True}
            if path.suffix != '.safetensors':
                return torch.load(path, **options)
            with path.open('rb') as file:  # by its name torch would take it for one
                return torch.load(file, **options)
    except pickle.UnpicklingError as error:
        raise ValueError(_refusal(path, str(error))) from error
    except (EOFError, struct.error) as error:
        raise ValueError(
            f'{path} is cut short: {str(error) or "it ends early"}; get it again'
        ) from error
    except Exception as error:  # torch raises what it comes across in a damaged file
        raise ValueError(_damage(path, str(error))) from error


class _Setting:
    """Stand-in for a dictionary-like object beside the weights."""

    def __new__(cls, *_: Any) -> OrderedDict:
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
    """Why torch's restricted unpickler would not go on."""
    asked = re.search(r'GLOBAL (\S+) (?:was not an allowed|whose module)', message)
    if asked:
        return (
            f'{path} is refused, and nothing in it was run: it asks for {asked[1]}, which is code, '
            f'and weights need none. If it is a whole model of yours saved by torch.save(model), '
            f'save model.state_dict() instead; if it is from somewhere else, do not trust it'
        )
    found = re.findall(r'(?:Unsupported|Can only|Trying|Only)[^.\n]*', message)
    return (
        f'{path} is refused, and nothing in it was run: it is no PyTorch weight file, or a '
        f'damaged one ({found[-1] if found else "it does not unpickle"})'
    )


def _damage(path: pathlib.Path, message: str) -> str:
    """What is wrong with a file that torch fails to read."""
    first = (message or 'it does not unpickle').splitlines()[0]
    if 'weights_only' in first:  # advice to let its code run, which nobody should follow
        first = "PyTorch's safe reader does not take it"
    if 'TorchScript' in message:
        return f'{path} is a TorchScript program, not weights: save its state_dict() instead'
    if 'unexpected EOF' in message or 'storage has wrong byte size' in message:
        return f'{path} is cut short ({first}): download it again'
    return f'{path} is damaged or no PyTorch weight file ({first}): download it again'


def _unwrapped(path: pathlib.Path, sha256: str, loaded: Any, metadata: Mapping[str, Any]) -> Source:
    """The state dict inside what was loaded, and what was around it."""
    wrappers, beside = [], []
    while isinstance(loaded, Mapping):
        inner = [name for name in WRAPPERS if _holds_tensors(loaded.get(name))]
        if not inner and not any(map(_is_tensor, loaded.values())):
            inner = [name for name, value in loaded.items() if _holds_tensors(value)]
            inner = inner if len(inner) == 1 else []
        if not inner:
            break
        wrappers.append(inner[0])
        beside += [str(name) for name in loaded if name != inner[0]]
        loaded = loaded[inner[0]]
    if not isinstance(loaded, Mapping) or not any(map(_is_tensor, loaded.values())):
        what = f'the keys {sorted(map(str, loaded))[:8]}' if isinstance(loaded, Mapping) else ''
        raise ValueError(
            f'{path} holds {what or "a " + type(loaded).__name__}, not a state dict of tensors: '
            f'give the file that holds the weights'
        )
    beside += [str(name) for name, value in loaded.items() if not _is_tensor(value)]
    keys = [key for key, value in loaded.items() if _is_tensor(value)]
    try:
        state = {str(key): _array(loaded[key]) for key in keys}
    except (TypeError, RuntimeError) as error:  # sparse, quantised, without data
        raise ValueError(f'{path} holds tensors that are no plain arrays ({error})') from error
    prefix = ''
    while all(key.startswith(PARALLEL) for key in state):
        prefix += PARALLEL
        state = {key.removeprefix(PARALLEL): value for key, value in state.items()}
    return Source(path, sha256, state, tuple(wrappers), prefix, tuple(beside), metadata)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (hasattr(value, 'detach') and hasattr(value, 'numpy'))


def _holds_tensors(value: Any) -> bool:
    """Whether it is a state dict, or a wrapper of one."""
    return isinstance(value, Mapping) and any(
        _is_tensor(inner) or _holds_tensors(inner) for inner in value.values()
    )


def _array(value: Any) -> np.ndarray:
    """A tensor as a numpy array that shares its memory."""
    if isinstance(value, np.ndarray):
        return value
    value = value.detach()
    if str(value.dtype) == 'torch.bfloat16':  # a type that torch does not know numpy to have
        return value.view(import_torch().int16).numpy().view(jnp.bfloat16)
    return value.numpy()

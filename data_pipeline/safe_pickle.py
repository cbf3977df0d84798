"""Opening other people's pickles so that only numpy arrays and plain containers come out.

A pickle is a program. Here every name that it may call is listed, so that a file from the internet
can hold numbers, texts, lists, tuples, dicts and arrays and can do nothing.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import pathlib
import pickle
import sys
import zipfile
import zlib
from collections import OrderedDict
from typing import Any, BinaryIO

import numpy as np

from capf_jax.errors import UserError


def load(path: pathlib.Path) -> Any:
    """What a pickle file holds.

    Raises:
      UserError: it holds anything else than numpy arrays and plain containers, or is damaged.
      OSError: it cannot be read.
    """
    with open(path, 'rb') as file:
        return _load(file, str(path))


def load_clip(path: pathlib.Path) -> Any:
    """A clip of a build (building/clips.py) that one of our processes has pickled.

    Beside what `load` opens it may hold paths and instances of our own dataclasses, whose modules
    are those of this project and of the program that runs already.

    Raises:
      UserError: it holds anything else, or is damaged.
      OSError: it cannot be read.
    """
    with open(path, 'rb') as file:
        return _load(file, str(path), _ClipUnpickler)


def load_npz(path: pathlib.Path) -> dict[str, Any]:
    """The arrays of a .npz file; arrays of objects come from pickles opened as `load` does.

    Raises:
      UserError: as `load`.
      OSError: it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix('.npy'): _load_array(archive.read(name), f'{path}, {name}')
                for name in archive.namelist()
            }
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f'{path} is no .npz file, or is cut short; download it again') from error


def _load_array(content: bytes, where: str) -> Any:
    """One array of a .npz file; a 0-d array of objects gives the object."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, kind = read(stream)
    except (KeyError, ValueError) as error:
        raise UserError(f'{where} is no array that can be read; download it again') from error
    if not kind.hasobject:
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    array = _load(stream, where)
    return array.item() if shape == () else array


def _load(file: BinaryIO, where: str, kind: type[pickle.Unpickler] | None = None) -> Any:
    try:
        # latin1: arrays pickled by Python 2
        return (kind or _Unpickler)(file, encoding='latin1').load()
    except _RefusedError as error:
        raise UserError(
            f'{where} would call {error} when it is opened, which no label file needs; it was not '
            'opened: download it from its authors again'
        ) from None
    except Exception as error:  # a damaged pickle can raise any error
        raise UserError(
            f'{where} is no pickle of arrays, or is cut short ({error}); download it again'
        ) from error


class _RefusedError(Exception):
    """A name that is not on the list."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise _RefusedError(f'{module}.{name}') from None


class _ClipUnpickler(_Unpickler):
    """Also takes dataclasses of this project, which do nothing when they are made."""

    def find_class(self, module: str, name: str) -> Any:
        if module == 'pathlib' and name in ('PosixPath', 'PurePosixPath', 'WindowsPath'):
            return getattr(pathlib, name)
        known = module.split('.')[0] in ('capf_jax', 'data_pipeline') or module in sys.modules
        if known and '.' not in name:
            kind = getattr(importlib.import_module(module), name, None)
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                return kind
        return super().find_class(module, name)


def _encode(text: str, encoding: str) -> bytes:
    """Bytes as Python 2 pickles them; every other use of codecs is refused."""
    if encoding.replace('-', '').lower() not in ('latin1', 'ascii', 'utf8'):
        raise _RefusedError(f'_codecs.encode with {encoding!r}')
    return text.encode(encoding)


def _allowed() -> dict[tuple[str, str], Any]:
    """Every name that a pickled array needs, as numpy 1 and 2 write it."""
    reconstruct, (_, *_), _ = np.zeros(1).__reduce__()
    frombuffer = np.zeros(1).__reduce_ex__(5)[0]
    scalar = np.float64(1).__reduce__()[0]
    allowed = {
        ('numpy', 'ndarray'): np.ndarray,
        ('numpy', 'dtype'): np.dtype,
        ('collections', 'OrderedDict'): OrderedDict,
        ('_codecs', 'encode'): _encode,
    }
    for core in ('numpy.core', 'numpy._core'):
        allowed |= {
            (f'{core}.multiarray', '_reconstruct'): reconstruct,
            (f'{core}.multiarray', 'scalar'): scalar,
            (f'{core}.numeric', '_frombuffer'): frombuffer,
        }
    return allowed


_ALLOWED = _allowed()

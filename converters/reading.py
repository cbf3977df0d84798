"""Opens published weight files and takes the state dict out of what is around it.

PyTorch's files, safetensors and TensorFlow.js's graph models are told apart by their content, not
by their names.
"""

from __future__ import annotations

import codecs
import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath
from safetensors import SafetensorError, safe_open

from capf_jax.errors import UserError
from capf_jax.inference import weight_files
from capf_jax.runtime import files
from converters import pytorch_files, tfjs_files

# Names under which training programs put the state dict.
WRAPPERS = ('state_dict', 'model_state_dict', 'model_pos', 'model', 'network', 'net')
GZIP = b'\x1f\x8b'  # how files that gzip compressed begin
# What wrappers of a network put before every key: PyTorch's DataParallel and `torch.compile`,
# Lightning's modules and those of users.
PREFIXES = ('module.', '_orig_mod.', 'model.', 'net.', 'network.', 'pose_model.', 'pose_net.')
# What `torch.compile`, sharding and recomputation put inside keys, where they wrapped only a part.
INSIDE = ('_orig_mod.', '_fsdp_wrapped_module.', '_checkpoint_wrapped_module.')
OURS = {'kind', 'skeleton', 'model'}  # metadata that this project's own files have
DEEPEST = 16  # most wrappers around a state dict
MOST_OF_SIZE = 10  # times a file's size that its tensors may have; they may share memory
MOST_TENSORS = 20_000  # of a state dict; ViTPose+ of the largest size has 3,000


@dataclasses.dataclass(frozen=True)
class Source:
    """The content of a weight file.

    Attributes:
      path: the file.
      sha256: hash of its bytes, hexadecimal; of a graph model, that of its JSON file.
      state: PyTorch key or TensorFlow name -> array, of the type that the file has.
      wrappers: the names under which the state dict lies, outermost first.
      prefix: what wrappers put before every key, such as 'module.'; the keys of `state` lack it.
      beside: names of what else the file holds, such as an optimizer's state.
      hashes: of a model in several files, each one's name and hash.
      left_out: keys that the user does not want.
    """

    path: epath.Path
    sha256: str
    state: dict[str, np.ndarray]
    wrappers: tuple[str, ...] = ()
    prefix: str = ''
    beside: tuple[str, ...] = ()
    hashes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read(path: str | os.PathLike, inside: str = '') -> Source:
    """Opens a weight file.

    Arrays may be views of the file, which must stay as it is until they have been used.

    Args:
      path: the file, as a user may write it.
      inside: of an npm package (.tgz), the name of the graph model's JSON file inside.

    Raises:
      FileNotFoundError: there is no such file.
      UserError: it holds no weights, is damaged, or asks for code to be run.
      RuntimeError: torch is needed and not installed.
    """
    path = files.user_path(path)
    if path.is_dir():
        raise UserError(f'{path} is a folder: give the weight file inside')
    if not path.is_file():
        raise FileNotFoundError(f'no weight file at {files.absolute(path)}: mend the path')
    with files.local(path) as copy:
        with copy.open('rb') as file:
            head = file.read(1024)
            graph = _graph_weights(copy, head, inside)
            if graph is not None:
                return Source(path, graph.sha256, graph.state, hashes=graph.hashes)
            _check_that_it_may_hold_weights(path, head)
            weight_files.check_header(copy)
            file.seek(0)
            sha256 = hashlib.file_digest(file, 'sha256').hexdigest()
        is_safetensors = _is_safetensors(head)
        loaded = _read_safetensors(copy) if is_safetensors else pytorch_files.load(copy, head)
        source = _unwrapped(path, sha256, loaded)
        claimed, size = sum(array.nbytes for array in source.state.values()), copy.stat().st_size
    if claimed > MOST_OF_SIZE * (size + 1_000_000):
        raise UserError(
            f'{path} has {size:,} bytes, and its tensors claim {claimed:,}: it is damaged or made '
            f'to deceive; get it again'
        )
    return source


def is_ours(path: str | os.PathLike) -> bool:
    """Whether a path is a weight file that this project has written, whole."""
    path = files.user_path(path)
    if not path.is_file():
        return False
    with files.local(path) as copy:
        try:
            weight_files.check_header(copy)
            with safe_open(copy, framework='numpy') as file:
                return (file.metadata() or {}).keys() >= OURS
        except (SafetensorError, OSError, UserError):
            return False


def _graph_weights(path: pathlib.Path, head: bytes, inside: str) -> tfjs_files.GraphWeights | None:
    """The weights of a graph model of TensorFlow.js; None from any other file."""
    if head.startswith(GZIP) and path.suffix == '.tgz':
        if not inside.endswith('.json'):
            raise UserError(
                f'{path} is an npm package of several models: say which by --model, such as '
                f'--model=movenet_thunder'
            )
        return tfjs_files.read_package(path, inside)
    return tfjs_files.read(path) if path.suffix == '.json' and head.lstrip()[:1] == b'{' else None


def _check_that_it_may_hold_weights(path: epath.Path, head: bytes) -> None:
    """Raises a UserError if the first bytes show that the file is no weight file."""
    again = 'download it again, and compare its size with what the page says'
    if not head:
        raise UserError(f'{path} is empty: {again}')
    if not head.strip(b'\0'):
        raise UserError(f'{path} begins with nothing but zeros, an unfinished download: {again}')
    if head[257:262] == b'ustar' or head.startswith((GZIP, b'7z\xbc\xaf', b'Rar!')):
        raise UserError(f'{path} is an archive: unpack it and give the weight file inside')
    text = '' if head.startswith(b'PK') else _text(head)
    if text.startswith('version https://git-lfs'):
        raise UserError(
            f'{path} is a git-lfs pointer, not the file it points to: run `git lfs pull` in its '
            f'repository, or download the file itself'
        )
    if text.startswith('<'):
        raise UserError(f'{path} is a web page (HTML), not weights, a failed download: {again}')
    if text:
        start = text[:40].splitlines()[0]
        raise UserError(f'{path} is text that begins {start!r}, not weights: {again}')


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
    """Whether a file begins as safetensors do: eight bytes with the length of a JSON header."""
    longest = weight_files.LONGEST_HEADER
    return head[8:9] == b'{' and int.from_bytes(head[:8], 'little') <= longest


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file that this project has not written itself."""
    try:
        with safe_open(path, framework='numpy') as file:
            metadata = file.metadata() or {}
            if metadata.keys() >= OURS:
                name = metadata.get('name', metadata['kind']).strip('"')
                raise UserError(f'{path} is already converted: it holds {name}; use it as it is')
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError) as error:
        raise UserError(f'{path} is cut short or damaged: {error}; download it again') from error
    except AttributeError as error:  # which safetensors raises where NumPy lacks a type
        raise UserError(
            f'{path} holds numbers of a type that NumPy does not know ({error}): save the weights '
            f'in float32, float16 or bfloat16'
        ) from error


def _unwrapped(path: epath.Path, sha256: str, loaded: Any) -> Source:
    """The state dict inside the content of a file, and what is around it."""
    wrappers: list[str] = []
    beside: list[str] = []
    while isinstance(loaded, Mapping):
        inner = [name for name in WRAPPERS if _holds_tensors(loaded.get(name))]
        if not inner and not any(map(_is_tensor, loaded.values())):
            inner = [name for name, value in loaded.items() if _holds_tensors(value)]
            inner = inner if len(inner) == 1 else []
        if not inner:
            break
        if len(wrappers) == DEEPEST:
            raise UserError(
                f'{path} holds more than {DEEPEST} dictionaries inside each other, which no weight '
                f'file does: give the file that holds the weights'
            )
        wrappers.append(inner[0])
        beside += [_printable(name) for name in loaded if name != inner[0]]
        loaded = loaded[inner[0]]
    if not isinstance(loaded, Mapping) or not any(map(_is_tensor, loaded.values())):
        what = f'the keys {sorted(map(str, loaded))[:8]}' if isinstance(loaded, Mapping) else ''
        raise UserError(
            f'{path} holds {what or "a " + type(loaded).__name__}, not a state dict of tensors: '
            f'give the file that holds the weights'
        )
    beside += [_printable(name) for name, value in loaded.items() if not _is_tensor(value)]
    keys = [key for key, value in loaded.items() if _is_tensor(value)]
    _check_keys(path, keys)
    try:
        state = {str(key): _array(loaded[key]) for key in keys}
    except (TypeError, RuntimeError) as error:  # tensors may be sparse, quantised or without data
        raise UserError(f'{path} holds tensors that are no plain arrays ({error})') from error
    prefix, state = _without_prefixes(state)
    return Source(path, sha256, state, tuple(wrappers), prefix, tuple(beside))


def _check_keys(path: epath.Path, keys: list[Any]) -> None:
    """Raises a UserError about keys that no network has, before anything is done with them."""
    if len(keys) > MOST_TENSORS:
        raise UserError(
            f'{path} holds {len(keys):,} tensors, and no known model more than {MOST_TENSORS:,}: '
            f'give the file that holds the weights'
        )
    unprintable = [key for key in keys if not str(key).isprintable()]
    if unprintable:
        raise UserError(
            f'{path} holds a tensor called {unprintable[0]!a}, which is no name: the file is '
            f'damaged or made to deceive; get it again'
        )


def _without_prefixes(state: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What wrappers put before every key, and the state dict without it and without `INSIDE`."""
    prefix = ''
    while common := next((p for p in PREFIXES if all(key.startswith(p) for key in state)), ''):
        prefix += common
        state = {key.removeprefix(common): value for key, value in state.items()}
    names = {key: re.sub('|'.join(map(re.escape, INSIDE)), '', key) for key in state}
    if len(set(names.values())) == len(names):
        state = {names[key]: value for key, value in state.items()}
    return prefix, state


def _printable(name: Any) -> str:
    """A name from a file, safe to print."""
    return str(name) if str(name).isprintable() else ascii(name)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (hasattr(value, 'detach') and hasattr(value, 'numpy'))


def _holds_tensors(value: Any) -> bool:
    """Whether a value is a state dict, or a wrapper of one; every dictionary is looked at once."""
    waiting, visited = [value], set()
    while waiting:
        mapping = waiting.pop()
        if not isinstance(mapping, Mapping) or id(mapping) in visited:
            continue
        visited.add(id(mapping))
        if any(map(_is_tensor, mapping.values())):
            return True
        waiting += mapping.values()
    return False


def _array(value: Any) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else pytorch_files.to_array(value)

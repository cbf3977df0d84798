"""Compiled programs in files, so that a process that runs a program once need not trace it either.

JAX's own cache of compiled programs is asked only after a program has been traced and lowered,
which takes several times as long as running it on one photograph. A file here holds the executable
itself. Its name is a digest of all that it depends on: the function, what is static in it, the
shapes of its arguments, this package's source, the versions of JAX and the machine. Whatever cannot
be named or read is compiled as usual.

Only commands that ask for it (`keep_in`) store programs. A file holds machine code, as those of
JAX's cache do: the folder must be the user's own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import pickle
import platform
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import flax
import jax
import jaxlib
import numpy as np
from jax.core import Tracer

MOST_FILES = 200  # those used longest ago are removed beyond that
_CACHE = 'jax_enable_compilation_cache'
_PACKAGE = pathlib.Path(__file__).resolve().parents[1]

_folder: list[pathlib.Path] = []  # at most one
# JAX traces in Python, which runs one thread at a time: who traces alone is compiled earlier.
_tracing = threading.RLock()
_compiling = threading.Lock()  # for the two below
_compilations = 0  # that are under way without JAX's cache
_cache_of_jax = True  # JAX's own setting, while there are any


class _NamelessError(Exception):
    """A value that has no name which is the same in every process."""


def keep_in(folder: pathlib.Path | None) -> None:
    """Stores programs in a folder from now on; None stores none."""
    _folder[:] = [] if folder is None else [folder]


def result(name: str, fixed: Any, shaped: Any, compute: Callable[[], Any]) -> Any:
    """What a function gives that only looks at shapes, from its file if it was computed before.

    Args:
      name: of the function.
      fixed: modules, numbers and the like on which the value depends.
      shaped: a tree of arrays, or of their shapes, on which it depends.
      compute: the function; its value must be JSON, and is stored if it is true.
    """
    path = None
    if _folder:
        with contextlib.suppress(_NamelessError):
            path = _path(name, [describe(fixed), shapes_of(shaped)])
    if path is not None and path.is_file():
        with contextlib.suppress(OSError, ValueError):
            return json.loads(path.read_text())
    with _tracing:
        value = compute()
    if path is not None and value:
        _write(path, json.dumps(value).encode())
    return value


def program(
    function: Callable[..., Any],
    jitted: Callable[[], Callable[..., Any]],
    static: tuple[int, ...],
    choices: tuple[bool, ...],
) -> Callable[..., Any]:
    """The function that runs a stored executable where it can, and `jitted()` otherwise.

    Args:
      function: what is compiled, which gives the program its name.
      jitted: gives `jax.jit` of it.
      static: positions of its static arguments.
      choices: those of `programs.jit` by which it chooses the compiler's options.

    Returns:
      A function of the same arguments, all positional.
    """
    # Functions that are made by another one share their name, and differ in what that one was told.
    is_named = '<locals>' not in function.__qualname__ and not getattr(function, '__closure__', ())
    executables: dict[Any, Any] = {}
    only_one = threading.Lock()  # compiles, and the other threads of this function wait for it

    def call(*args: Any) -> Any:
        dynamic = [arg for place, arg in enumerate(args) if place not in static]
        leaves, tree = jax.tree.flatten(dynamic)
        are_arrays = all(isinstance(leaf, (np.ndarray, jax.Array)) for leaf in leaves)
        if not (_folder and is_named and are_arrays) or any(map(_is_traced, leaves)):
            return jitted()(*args)
        shapes = [(leaf.shape, str(leaf.dtype)) for leaf in leaves]
        fixed = [args[place] for place in static]
        try:
            described = [describe(fixed), str(tree), shapes, choices]
        except _NamelessError:
            return jitted()(*args)
        key = json.dumps(described)
        with contextlib.ExitStack() as stack:
            if key not in executables:
                stack.enter_context(only_one)
            if key in executables:
                return executables[key](*dynamic)
            path = _path(f'{function.__module__}.{function.__qualname__}', described)
            loaded = _load(path)
            if loaded is not None:
                # A file that cannot be run shows it at the first call. What goes wrong for another
                # reason goes wrong again below.
                with contextlib.suppress(jax.errors.JaxRuntimeError):
                    output = jax.block_until_ready(loaded(*dynamic))
                    executables[key] = loaded
                    return output
            with _tracing:
                lowered = jitted().lower(*args)
            executables[key] = _compile(path, lowered)
        return executables[key](*dynamic)

    return call


def _load(path: pathlib.Path | None) -> Any:
    """The executable in a file; None where there is none that this process can read."""
    from jax.experimental import serialize_executable

    if path is not None and path.is_file():
        # What another version or a full disk left behind is made anew.
        with contextlib.suppress(Exception):
            loaded = serialize_executable.deserialize_and_load(*pickle.loads(path.read_bytes()))
            os.utime(path)
            return loaded
    return None


def _compile(path: pathlib.Path | None, lowered: Any) -> Any:
    """The executable of a lowered program, which is stored."""
    from jax.experimental import serialize_executable

    if path is None:
        return lowered.compile()
    with _without_cache_of_jax():
        executable = lowered.compile()
    with contextlib.suppress(Exception):  # backends that cannot do it say so in many ways
        _write(path, pickle.dumps(serialize_executable.serialize(executable)))
    return executable


@contextlib.contextmanager
def _without_cache_of_jax() -> Iterator[None]:
    """Compiles here: an executable that JAX read from its own cache is incomplete when written.

    The setting is the process's. Of threads that compile at the same time, the first changes it and
    the last changes it back.
    """
    global _compilations, _cache_of_jax
    with _compiling:
        if not _compilations:
            _cache_of_jax = jax.config.values[_CACHE]
            _set_cache_of_jax(False)
        _compilations += 1
    try:
        yield
    finally:
        with _compiling:
            _compilations -= 1
            if not _compilations:
                _set_cache_of_jax(_cache_of_jax)


def _set_cache_of_jax(enabled: bool) -> None:
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update(_CACHE, enabled)
    compilation_cache.reset_cache()  # JAX asks for its setting only once after this


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, Tracer)


def digest(fixed: Any, shaped: Any) -> str | None:
    """A name for modules and shapes that is the same on every machine; None where there is none.

    Args:
      fixed: modules, numbers and the like.
      shaped: a tree of arrays, or of their shapes.
    """
    try:
        text = json.dumps([describe(fixed), shapes_of(shaped)], sort_keys=True)
    except _NamelessError:
        return None
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def describe(value: Any) -> Any:
    """A value as JSON that is the same in every process.

    Raises:
      _NamelessError: it has none, such as a function that was made at run time.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [describe(part) for part in value]
    if isinstance(value, Mapping):
        return {str(name): describe(part) for name, part in sorted(value.items())}
    if isinstance(value, type):
        return f'{value.__module__}.{value.__qualname__}'
    if isinstance(value, np.dtype):
        return str(value)
    if dataclasses.is_dataclass(value):
        # A Flax module's parent is the trace that it is in; what is not compared does not count.
        fields = {
            field.name: describe(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.compare and field.name != 'parent'
        }
        return [describe(type(value)), fields]
    name = getattr(value, '__qualname__', '<')
    if callable(value) and '<' not in name:
        return f'{value.__module__}.{name}'
    raise _NamelessError(repr(value))


def shapes_of(tree: Any) -> list[Any]:
    """The names, shapes and types of the leaves of a tree, as JSON."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [
        [jax.tree_util.keystr(path), list(np.shape(leaf)), str(leaf.dtype)] for path, leaf in leaves
    ]


def _path(name: str, described: Any) -> pathlib.Path | None:
    """The file of a program or a value; None where none are stored."""
    if not _folder:
        return None
    text = json.dumps([name, described, _surroundings()], sort_keys=True)
    return _folder[0] / f'{name.split(".")[-1]}-{hashlib.sha256(text.encode()).hexdigest()[:32]}'


@functools.cache
def _surroundings() -> list[str]:
    """What every program depends on: the source, the versions, the machine, JAX's settings."""
    source = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob('*.py')):
        source.update(path.read_bytes())
    device = jax.devices()[0]
    flags = ''
    with contextlib.suppress(OSError):
        lines = pathlib.Path('/proc/cpuinfo').read_text().splitlines()
        flags = next((line for line in lines if line.startswith(('flags', 'Features'))), '')
    return [
        source.hexdigest(),
        *(library.__version__ for library in (jax, jaxlib, flax, np)),
        device.client.platform_version,
        device.device_kind,
        platform.machine(),
        hashlib.sha256(flags.encode()).hexdigest(),
        os.environ.get('XLA_FLAGS', ''),
        str(len(jax.devices())),
        str(jax.config.values['jax_enable_x64']),
    ]


def _write(path: pathlib.Path, content: bytes) -> None:
    """Writes a file whole or not at all; a disk that is full or closed is a warning."""
    temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
        _prune(path.parent)
    except OSError as error:
        warnings.warn(f'a compiled program could not be stored ({error})', stacklevel=2)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _prune(folder: pathlib.Path) -> None:
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[MOST_FILES:]:
        path.unlink(missing_ok=True)

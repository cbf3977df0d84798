"""Files that are whole or absent, paths as users write them, and errors that name their file.

A path that a user gives may begin with `~` and may lie in a store such as `gs://bucket/folder`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from etils import epath

_FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or the user's share of it

# A path on this machine, or one that epath opens, perhaps in a store such as `gs://`.
AnyPath = pathlib.Path | epath.Path


def user_path(path: str | os.PathLike) -> epath.Path:
    """The path that a user means: `~` stands for the home folder, `gs://` for a store.

    Every path out of a command line, a configuration or an argument of the library goes through
    this function once.
    """
    return epath.Path(path).expanduser()


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path lies in a store such as `gs://`, where only epath can read and write."""
    return '://' in os.fspath(path)


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives another name to write to; what is there becomes `path` if all went well.

    An older file of that name stays whole until then. The folder of the file is made. The name to
    write to is always a local one, since many libraries write no others.

    Args:
      path: the file, as a user may write it.

    Raises:
      OSError: as `named`.
    """
    target = user_path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_remote(target):
        with tempfile.TemporaryDirectory() as folder, named(target):
            temporary = pathlib.Path(folder, target.name)
            yield temporary
            epath.Path(temporary).copy(target, overwrite=True)
        return
    target = pathlib.Path(target)
    # The ending stays, since Matplotlib and others choose the format by it.
    temporary = target.with_name(f'.{target.stem}.{os.getpid()}.tmp{target.suffix}')
    try:
        with named(target):
            yield temporary
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def local(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A local name to read a file by, since many libraries read no others.

    A file that lies in a store is copied into a temporary folder, which is removed afterwards.

    Args:
      path: a file that exists, as a user may write it.
    """
    source = user_path(path)
    if not is_remote(source):
        yield pathlib.Path(source)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, source.name)
        source.copy(copy)
        yield copy


@contextlib.contextmanager
def named(path: str | os.PathLike) -> Iterator[None]:
    """Adds the file's name to an error of the operating system: one of write() or close() has none.

    Raises:
      OSError: as it came, with `path` as its `filename`.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # an error without a number is a sentence of our own
            error.filename = os.fspath(path)
        raise


def disk_is_full(error: BaseException) -> bool:
    """Whether an error tells of a full disk; libraries in C++ say so by their message alone."""
    return getattr(error, 'errno', None) in _FULL or any(
        os.strerror(number) in str(error) for number in _FULL
    )


def read_json(path: AnyPath) -> Any:
    """A JSON file's content."""
    return json.loads(path.read_text())


def write_json(path: AnyPath, content: Any) -> None:
    """Writes a JSON file whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n')

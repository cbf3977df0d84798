"""Files that are whole or absent, and errors of a disk that say which file they are about."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator

_FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or the user's share of it


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives another name to write to; what is there becomes `path` if all went well.

    An older file of that name stays whole until then; its folder is made.

    Raises:
      OSError: as `named`.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Matplotlib tells the format by the ending.
    temporary = path.with_name(f'.{path.stem}.{os.getpid()}.tmp{path.suffix}')
    try:
        with named(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def named(path: str | os.PathLike) -> Iterator[None]:
    """Tells an error of the operating system its file: one of write() or close() knows none.

    Raises:
      OSError: as it came, with `path` as its `filename`.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # others are sentences of our own
            error.filename = os.fspath(path)
        raise


def disk_is_full(error: BaseException) -> bool:
    """Whether an error tells of a full disk; libraries in C++ say so by their message alone."""
    return getattr(error, 'errno', None) in _FULL or any(
        os.strerror(number) in str(error) for number in _FULL
    )

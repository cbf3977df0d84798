"""One command at a time in one place: a folder that only one process may write to.

The lock belongs to the process and ends with it, however it ends; a killed command leaves none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import sys
import time
from collections.abc import Iterator

from capf_jax.runtime import files

_BETWEEN_LOOKS = 0.2  # seconds between two looks at whether the other process has ended
_TAKEN = (errno.EAGAIN, errno.EACCES)


@contextlib.contextmanager
def locked(folder: files.AnyPath, doing: str, name: str = '.lock') -> Iterator[None]:
    """Makes the folder and keeps other processes of this kind out of it.

    Where another one is at work, this one says so on stderr and waits for its end. A store, and a
    file system without locks, cannot keep anybody out.

    Args:
      folder: where the lock lies.
      doing: what the process that has the lock is doing, such as 'is training'.
      name: of the file of the lock.
    """
    if files.is_remote(folder):
        yield
        return
    path, waits = pathlib.Path(folder, name), False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'a+') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in _TAKEN:  # This file system has no locks.
                    yield
                    return
                if not waits:
                    file.seek(0)
                    who = f'process {file.read().strip() or "unknown"}'
                    print(
                        f'{who} {doing} in {folder}: waiting until it ends (Ctrl-C gives up)',
                        file=sys.stderr,
                        flush=True,
                    )
                waits = True
            else:
                # The process that held the lock may have removed the folder meanwhile.
                if path.exists() and os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                    file.truncate(0)
                    file.write(str(os.getpid()))
                    file.flush()
                    try:
                        yield
                    finally:
                        path.unlink(missing_ok=True)  # while it is locked: see above
                    return
                continue
        time.sleep(_BETWEEN_LOOKS)


def is_locked(folder: files.AnyPath, name: str = '.lock') -> bool:
    """Whether another process is at work in a folder; False where nobody can tell.

    Args:
      folder: where the lock lies.
      name: of the file of the lock.
    """
    if files.is_remote(folder):
        return False
    with contextlib.suppress(OSError), open(pathlib.Path(folder, name)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _TAKEN
    return False

"""Files that are whole or absent, paths as users write them, and errors that name their file.

A path that a user gives may begin with `~` and may lie in a store such as `gs://bucket/folder`.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import importlib.util
import itertools
import json
import logging
import os
import pathlib
import platform
import shutil
import stat
import tempfile
from collections.abc import Iterator
from typing import Any

from etils import epath

from capf_jax.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or the user's share of it
_LONGEST_STEM = 80  # letters of a file's name that its temporary name repeats

_STORES = {'gs': 'gcsfs', 's3': 's3fs'}  # stores that epath opens, and the package that it takes

# A path on this machine, or one that epath opens, perhaps in a store such as `gs://`.
AnyPath = pathlib.Path | epath.Path


def user_path(path: str | os.PathLike) -> epath.Path:
    """The path that a user means: `~` stands for the home folder, `gs://` for a store.

    Every path out of a command line, a configuration or an argument of the library goes through
    this function once.

    Raises:
      UserError: it begins with `~` and the name of nobody; a device or a pipe is there, which
        libraries would wait for, read without an end or replace; or it lies in a store that cannot
        be opened.
    """
    expanded = _expanded(path)
    if not is_remote(expanded) and is_device(expanded):
        raise _device_error(expanded)
    return expanded


def path_here(path: str | os.PathLike) -> pathlib.Path:
    """`user_path` of what is read or written on this machine alone.

    Raises:
      UserError: as `user_path`, or the path is in a store.
    """
    if os.fspath(path).partition('://')[0] in _STORES:
        raise UserError(
            f'{os.fspath(path)} is in a store: name a path on this machine, and copy from there or '
            'to there with the tool of the store (gcloud storage cp -r)'
        )
    return pathlib.Path(user_path(path))


def is_device(path: str | os.PathLike, follows_links: bool = True) -> bool:
    """Whether a device, a pipe or a socket is there, which a reader may wait for without an end."""
    try:
        mode = os.stat(path, follow_symlinks=follows_links).st_mode
    except (OSError, ValueError):  # Whoever opens the path tells what is wrong.
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _device_error(path: str | os.PathLike) -> UserError:
    return UserError(f'{os.fspath(path)} is a device or a pipe; name a file or a folder')


def _expanded(path: str | os.PathLike) -> epath.Path:
    """`user_path` of anything that may be there."""
    if is_remote(path):
        _check_store(os.fspath(path))
    expanded = epath.Path(path).expanduser()
    if os.fspath(expanded).startswith('~'):
        name = os.fspath(expanded).split('/')[0]
        raise UserError(
            f'{name} in {os.fspath(path)} is the home folder of nobody: mend the name, or put ./ '
            f'before the path if a folder is called so'
        )
    return expanded


def _check_store(path: str) -> None:
    """UserError about a store that epath does not know, or for which it lacks a package."""
    logger = logging.getLogger('gcsfs')  # It logs the tracebacks of errors that it raises as well.
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    scheme = path.partition('://')[0]
    if scheme not in _STORES:
        raise UserError(
            f'{path} is in no store that can be opened here: name one of '
            f'{" or ".join(f"{known}://" for known in _STORES)}, or a folder of this machine'
        )
    if importlib.util.find_spec(_STORES[scheme]) is None:
        raise UserError(
            f'{path} takes the package {_STORES[scheme]}: pip install {_STORES[scheme]}, or name a '
            f'folder of this machine'
        )


def absolute(path: str | os.PathLike) -> epath.Path:
    """`user_path` from the root of the file system; links stay links, so that a loop does not end
    here but where the file is opened.
    """
    path = user_path(path)
    return path if is_remote(path) else epath.Path(os.path.abspath(path))


def is_remote(path: str | os.PathLike) -> bool:
    """Whether a path lies in a store such as `gs://`, where only epath can read and write."""
    return '://' in os.fspath(path)


def check_writable(folder: AnyPath) -> None:
    """Asks before the work whether files can be written to a folder; nothing is left there.

    Args:
      folder: it may be absent, if a folder above it is there to make it in.

    Raises:
      OSError: the machine refuses it; `filename` is the folder. A store is not asked.
    """
    if is_remote(folder):
        return
    with named(folder):
        path = pathlib.Path(os.path.abspath(folder))
        nearest = next(one for one in (path, *path.parents) if os.path.lexists(one))
        with tempfile.TemporaryFile(dir=nearest):
            pass


@contextlib.contextmanager
def whole(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives another name to write to; what is there becomes `path` if all went well.

    An older file of that name stays whole until then. The folder of the file is made. The name to
    write to is always a local one, since many libraries write no others, and the last part of it
    is that of the file. It lies in a folder of its own, which goes at the end with all that a
    library may have left there; that of a process that was killed goes with the next file.

    Args:
      path: the file, as a user may write it.

    Raises:
      OSError: as `named`.
      UserError: a device or a pipe is there.
    """
    target = _expanded(path)
    if not is_remote(target):
        _refuse_device(pathlib.Path(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_remote(target):
        with tempfile.TemporaryDirectory() as folder, named(target):
            temporary = pathlib.Path(folder, target.name)
            yield temporary
            epath.Path(temporary).copy(target, overwrite=True)
        return
    target = pathlib.Path(target)
    stem, host = target.stem[:_LONGEST_STEM], platform.node()[:_LONGEST_STEM]
    begin, end = f'.{stem}.{host}.', f'.tmp{target.suffix}'
    _remove_leftovers(target.parent, begin, end)
    folder = target.with_name(f'{begin}{os.getpid()}{end}')
    try:
        with named(target):
            folder.mkdir()
            yield folder / target.name
            os.replace(folder / target.name, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_device(target: pathlib.Path) -> None:
    """UserError where a new file would take the place of a device, such as /dev/null, or a pipe.

    For the administrator, the system would let it, and every other program would miss the device.
    A link to one may be replaced, but not those in /dev.
    """
    if is_device(target, follows_links=False) or target.absolute().parent == pathlib.Path('/dev'):
        raise _device_error(target)


def _remove_leftovers(folder: pathlib.Path, begin: str, end: str) -> None:
    """Removes what `whole` left of processes that were killed; their number is between two texts.

    One that has the number of this process is of an earlier one.
    """
    for path in folder.glob(f'{glob.escape(begin)}*{glob.escape(end)}'):
        number = path.name[len(begin) : -len(end)]
        if not number.isdecimal() or (int(number) != os.getpid() and _is_alive(int(number))):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:  # of a version that wrote beside the file
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # It is the process of another user.
        return True
    return True


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


def read_json(path: str | os.PathLike) -> Any:
    """A JSON file's content; a byte-order mark at its beginning is passed over.

    Raises:
      UserError: it is no JSON, is nested deeper than Python reads, or is a device or a pipe.
      OSError: it cannot be read.
    """
    if not is_remote(path) and is_device(path):
        raise _device_error(path)
    with named(path):
        content = epath.Path(path).read_bytes()
    try:
        return parse_json(content)
    except ValueError as error:
        raise UserError(f'{os.fspath(path)} does not read as JSON: {error}') from None


def parse_json(content: bytes | str) -> Any:
    """Content of JSON text in UTF-8, with or without a byte-order mark.

    Raises:
      ValueError: what is wrong with it, in one line, to follow the name of the file.
    """
    try:
        return json.loads(content.decode('utf-8-sig') if isinstance(content, bytes) else content)
    except UnicodeDecodeError as error:
        raise ValueError(f'it is not text in UTF-8 (byte {error.start})') from None
    except RecursionError:
        raise ValueError('it is nested deeper than any file of this kind') from None
    except ValueError as error:  # Numbers of thousands of digits are errors of this kind too.
        raise ValueError(' '.join(str(error).split()) if content else 'it is empty') from None


def clear_the_way(path: AnyPath, *, wanted: str) -> None:
    """Renames what is at `path` if it is not of the kind that is to be written there.

    That is a folder for a file and a file for a folder, a device, a pipe, or a link that leads in
    a circle.

    Args:
      path: a file or a folder to be.
      wanted: 'file' or 'folder'.
    """
    if is_remote(path):
        return
    try:
        mode = os.stat(path).st_mode
        is_other = not (stat.S_ISREG(mode) if wanted == 'file' else stat.S_ISDIR(mode))
    except OSError as error:
        is_other = error.errno == errno.ELOOP
    if is_other:
        names = (f'{path.name}.damaged{number or ""}' for number in itertools.count())
        path.rename(next(free for name in names if not os.path.lexists(free := path.parent / name)))


def write_json(path: AnyPath, content: Any) -> None:
    """Writes a JSON file whole or not at all."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n')

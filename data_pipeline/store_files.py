"""Files in a store such as `gs://`: what there is of them, and whole copies on a disk.

fsspec, by which epath opens stores too, lists and copies them. Its `filecache` and `simplecache`
would take what a killed process left for a whole file, give files other names than TFDS looks for,
and check no checksum.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import os
import pathlib
import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent import futures
from typing import Any, NamedTuple

import fsspec
import fsspec.callbacks
from tqdm import tqdm

from capf_jax.errors import UserError
from capf_jax.runtime import files

AT_ONCE = 8  # files that are copied side by side, since one stream does not fill a fast network
_PIECE = 1 << 22  # bytes of a file that are in memory while its checksum is made
# What tells versions of a file apart, where the store has it; the best first.
_MARKS = ('generation', 'ETag', 'etag', 'LastModified', 'updated', 'mtime', 'created')


class Original(NamedTuple):
    """A file in a store.

    Attributes:
      size: bytes.
      mark: differs from version to version.
      md5: a checksum in base64; '' where the store has none.
      crc32c: likewise.
    """

    size: int
    mark: str
    md5: str = ''
    crc32c: str = ''


def listing(folder: str) -> dict[str, Original]:
    """All files below a folder of a store, by their paths from there; {} of one that is absent.

    Raises:
      UserError: the store cannot be reached.
    """
    with _reaching(folder):
        system, root = fsspec.url_to_fs(folder)
        system.invalidate_cache()  # A library may ask again after hours.
        try:
            entries: Any = system.find(root, detail=True)
        except FileNotFoundError:
            return {}
    originals = {}
    for name, about in entries.items():
        path = name.removeprefix(root).lstrip('/')
        mark = next((str(about[field]) for field in _MARKS if about.get(field)), '')
        md5, crc32c = (str(about.get(field) or '') for field in ('md5Hash', 'crc32c'))
        originals[path] = Original(int(about['size']), mark, md5, crc32c)
    return originals


def copy(
    source: str, target: pathlib.Path, originals: Mapping[str, Original], progress: tqdm | None
) -> Generator[str]:
    """Copies files side by side; each is there whole or not at all.

    An error, a signal, or a caller that asks for no more ends all that are under way.

    Args:
      source: a folder of a store.
      target: the folder on a disk.
      originals: what to copy, by paths from there, as `listing` has it.
      progress: counts bytes.

    Yields:
      The path of each file when it is there.

    Raises:
      UserError: the store cannot be reached, or a file came damaged.
      OSError: the disk is full, or cannot be written to.
    """
    stop = threading.Event()
    with _reaching(source):
        system, root = fsspec.url_to_fs(source)  # each thread would open the store anew

    def one(path: str) -> str:
        url = f'{source}/{path}'
        with files.whole(target / path) as temporary:
            with _reaching(url, target):
                callback = _Callback(progress, stop)
                system.get_file(f'{root}/{path}', str(temporary), callback=callback)
            _check(temporary, url, originals[path])
        return path

    with futures.ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for done in futures.as_completed([pool.submit(one, path) for path in originals]):
                yield done.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


class _StoppedError(Exception):
    """Another file could not be copied, or a signal has come."""


class _Callback(fsspec.callbacks.Callback):
    """Shows bytes that come, and ends a copy that is under way when it is to stop."""

    _lock = threading.Lock()

    def __init__(self, progress: tqdm | None, stop: threading.Event):
        super().__init__()
        self._progress, self._stop = progress, stop

    def relative_update(self, inc: int = 1) -> None:
        """Is called with the bytes that have come since the last call."""
        if self._stop.is_set():
            raise _StoppedError
        if self._progress is not None:
            with self._lock:
                self._progress.update(inc)


def has_size(path: pathlib.Path, size: int) -> bool:
    """Whether a file is there and has so many bytes."""
    return path.is_file() and path.stat().st_size == size


def _check(path: pathlib.Path, url: str, original: Original) -> None:
    """UserError unless a copy has the size and the checksum of its original."""
    is_same = has_size(path, original.size)
    if is_same and original.md5:
        is_same = _digest(path, hashlib.md5(usedforsecurity=False)) == original.md5
    elif is_same and original.crc32c and importlib.util.find_spec('google_crc32c'):
        import google_crc32c  # pyright: ignore[reportMissingImports] - gcsfs brings it

        is_same = _digest(path, google_crc32c.Checksum()) == original.crc32c
    if not is_same:
        raise UserError(
            f'{url} has come damaged, or was changed meanwhile: give the same command again, and '
            'copy it to the store anew if it comes so once more'
        )


def _digest(path: pathlib.Path, checksum: Any) -> str:
    with path.open('rb') as file:
        while piece := file.read(_PIECE):
            checksum.update(piece)
    return base64.b64encode(checksum.digest()).decode()


@contextlib.contextmanager
def _reaching(url: str, target: pathlib.Path | None = None) -> Iterator[None]:
    """Turns what a store's library raises into one sentence.

    Args:
      url: what is read.
      target: the folder that it is copied to.
    """
    try:
        yield
    except _StoppedError:
        raise
    except Exception as error:
        if target is not None and files.disk_is_full(error):
            raise OSError(
                f'the disk of {os.fspath(target)} is full: make room there, or name another folder '
                'in config.data.cache; what is copied already is kept'
            ) from error
        hint = ' (gcloud auth application-default login)' if url.startswith('gs://') else ''
        reason = ' '.join(str(error).split())[:300]
        raise UserError(
            f'{url} cannot be read ({type(error).__name__}: {reason}): '
            f'check its name, the connection, and that you may read it{hint}'
        ) from error

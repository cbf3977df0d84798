"""A store in the memory of this process, which fsspec and epath take for `gs://`.

tests/fake_store.py is one that speaks Google's protocol to other processes.
"""

import base64
import hashlib
import itertools
from typing import ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry as registry

from capf_jax.runtime import files


class MemoryStore(MemoryFileSystem):
    """What a test puts at `gs://bucket/...`; `asked` counts how often each file was read.

    As in Google's store, a file has a generation, and the MD5 that was noted when it came.
    """

    protocol = ('gs', 'gcs')
    cachable = False
    store: ClassVar = {}
    pseudo_dirs: ClassVar = ['']
    asked: ClassVar[list[str]] = []
    _generations = itertools.count(1)

    @classmethod
    def _strip_protocol(cls, path):
        stripped = path.removeprefix('gs://').removeprefix('gcs://').strip('/')
        return f'/{stripped}' if stripped else ''

    def find(self, path, maxdepth=None, withdirs=False, detail=False, **kwargs):
        entries = super().find(path, maxdepth, withdirs, detail=True, **kwargs)
        entries = {name: self._with_marks(entry) for name, entry in entries.items()}
        return entries if detail else list(entries)

    def _open(self, path, mode='rb', **kwargs):
        if mode == 'rb':
            self.asked.append(path.rpartition('/')[2])
        return super()._open(path, mode, **kwargs)

    def _with_marks(self, entry):
        file = self.store.get(entry['name'])
        if file is None:
            return entry
        if not hasattr(file, 'marks'):
            digest = hashlib.md5(file.getvalue()).digest()
            number = str(next(self._generations))
            file.marks = {'generation': number, 'md5Hash': base64.b64encode(digest).decode()}
        return entry | file.marks


def put(url: str, content: bytes) -> None:
    """Puts a file there, as a version of its own."""
    MemoryStore().pipe_file(url, content)


def install(monkeypatch: pytest.MonkeyPatch) -> type[MemoryStore]:
    """Puts an empty store at `gs://` until a test ends."""
    monkeypatch.setattr(files, '_STORES', {'gs': 'fsspec'})
    monkeypatch.setattr(MemoryStore, 'store', {})
    monkeypatch.setattr(MemoryStore, 'pseudo_dirs', [''])
    monkeypatch.setattr(MemoryStore, 'asked', [])
    for name in MemoryStore.protocol:
        monkeypatch.setitem(registry, name, MemoryStore)
    return MemoryStore

"""The text of a program that libtpu has compiled, also where jaxlib cannot read the program.

A libtpu may know instructions that jaxlib does not, and then `Compiled.as_text()` is an error.
libtpu itself can write the same text into a folder, by options that it reads when it is loaded.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import jax

ENVIRONMENT = 'LIBTPU_INIT_ARGS'
KNOWN = '0.0.52'  # the libtpu that has these options; one without them would end the process
# The final text alone: the steps on the way to a real program are gigabytes.
OPTIONS = (
    '--xla_jf_dump_hlo_text=true',
    '--xla_jf_dump_llo_text=false',
    '--xla_jf_dump_llo_pass_label_regex=none',
)
_FINAL = '*-TLP-hlo.txt'


@contextlib.contextmanager
def written() -> Iterator[pathlib.Path]:
    """A folder, for as long as the context lasts, into which libtpu writes the texts of programs.

    It stays empty with another libtpu than `KNOWN`. libtpu must not be loaded yet.
    """
    before = os.environ.get(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        if _version() != KNOWN:
            yield pathlib.Path(folder)
            return
        words = [before or '', f'--xla_jf_dump_to={folder}', *OPTIONS]
        os.environ[ENVIRONMENT] = ' '.join(filter(None, words))
        try:
            yield pathlib.Path(folder)
        finally:
            if before is None:
                del os.environ[ENVIRONMENT]
            else:
                os.environ[ENVIRONMENT] = before


def _version() -> str:
    """That of the installed libtpu; '' where there is none."""
    try:
        return importlib.metadata.version('libtpu')
    except importlib.metadata.PackageNotFoundError:
        return ''


def forget(folder: pathlib.Path) -> None:
    """Removes the texts of the programs so far."""
    for path in folder.iterdir():
        path.unlink()


def text_of(compiled: Any, folder: pathlib.Path | None = None) -> str:
    """The text of a compiled program; '' where there is none.

    Args:
      compiled: what `Lowered.compile` gave.
      folder: that of `written`, in which the texts of earlier programs are forgotten.
    """
    try:
        return compiled.as_text() or ''
    except jax.errors.JaxRuntimeError:
        texts = [path.read_text() for path in folder.glob(_FINAL)] if folder else []
        return max(texts, key=len, default='')  # Small programs are compiled beside it.

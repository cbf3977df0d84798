"""Compiled programs that outlive a run: JAX's compilation cache in the user's cache folder.

Commands that train or evaluate switch it on. The library leaves JAX's settings alone: whoever uses
`capf_jax` from Python and wants the cache calls `use_compilation_cache()` too.
"""

from __future__ import annotations

import os
import pathlib
import tempfile
import warnings

import jax

from capf_jax.backends import stored

LARGEST = 2_000_000_000  # bytes; beyond that JAX removes the programs used longest ago


def use_compilation_cache() -> pathlib.Path | None:
    """Lets JAX keep the programs that it compiles, so that the next start takes less time.

    A folder that the user names to JAX (the environment variable JAX_COMPILATION_CACHE_DIR) stays
    the folder; JAX_ENABLE_COMPILATION_CACHE=false switches the cache off. A folder that
    cannot be written is a warning, since a run needs no cache.

    Returns:
      The folder that this call chose; None where it chose none.
    """
    settings = jax.config.values
    if settings['jax_compilation_cache_dir'] or not settings['jax_enable_compilation_cache']:
        return None
    folder = default_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        warnings.warn(
            f'compiled programs cannot be stored in {folder} ({error.strerror}); every start '
            'compiles them again; the environment variable JAX_COMPILATION_CACHE_DIR names another '
            'folder',
            stacklevel=2,
        )
        return None
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_compilation_cache_max_size', LARGEST)
    return folder


def use_stored_programs() -> None:
    """Keeps executables beside JAX's cache, for commands whose programs run a few times alone.

    They are kept where JAX's own cache is, and not at all where that is switched off.
    """
    settings = jax.config.values
    folder = settings['jax_compilation_cache_dir']
    usable = folder and settings['jax_enable_compilation_cache'] and '://' not in folder
    stored.keep_in(pathlib.Path(folder, 'executables') if usable else None)


def default_folder() -> pathlib.Path:
    """`capf_jax` in the user's cache folder: $XDG_CACHE_HOME, or ~/.cache where that is not set."""
    caches = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    return pathlib.Path(caches).expanduser() / 'capf_jax' / 'programs'

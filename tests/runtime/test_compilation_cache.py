"""Compiled programs go into the user's cache folder, or where JAX was told to put them."""

import os
import subprocess
import sys

import jax
import pytest

from capf_jax.runtime import compilation_cache

PROGRAM = """
import jax, numpy as np
from capf_jax.runtime.compilation_cache import use_compilation_cache
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
print(use_compilation_cache())
jax.jit(lambda x: x @ x)(np.ones((3, 3)))
"""


def run(tmp_path, **environment):
    """What `use_compilation_cache` gives in a process of its own, which compiles a program."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith('JAX_')}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, 'JAX_PLATFORMS': 'cpu', 'XDG_CACHE_HOME': str(tmp_path), **environment},
    )
    return done.stdout.strip(), done.stderr


def test_programs_are_kept_in_the_users_cache_folder(tmp_path):
    folder, _ = run(tmp_path)
    assert folder == str(tmp_path / 'capf_jax' / 'programs')
    assert list((tmp_path / 'capf_jax' / 'programs').glob('jit_*'))


def test_the_folder_that_the_user_names_is_used(tmp_path):
    own = tmp_path / 'own'
    assert run(tmp_path, JAX_COMPILATION_CACHE_DIR=str(own))[0] == 'None'
    assert list(own.glob('jit_*'))
    assert not (tmp_path / 'capf_jax').exists()


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / 'capf_jax').touch()  # a file where a folder should be made
    folder, errors = run(tmp_path)
    assert folder == 'None'
    assert 'compiled programs cannot be stored in' in errors


@pytest.mark.parametrize(('caches', 'expected'), [(None, '.cache'), ('', '.cache'), ('~/c', 'c')])
def test_the_folder_is_the_users(tmp_path, monkeypatch, caches, expected):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    if caches is not None:
        monkeypatch.setenv('XDG_CACHE_HOME', caches)
    folder = compilation_cache.default_folder()
    assert folder == tmp_path / expected / 'capf_jax' / 'programs'


def test_the_import_alone_changes_no_setting():
    assert jax.config.jax_compilation_cache_dir == os.environ.get('JAX_COMPILATION_CACHE_DIR')

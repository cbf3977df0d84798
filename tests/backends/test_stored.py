"""Stored programs: run without being traced again, and compiled anew where anything differs."""

import dataclasses
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capf_jax.backends import programs, stored

TRACES = []
CACHE = 'jax_enable_compilation_cache'


@dataclasses.dataclass(frozen=True)
class Scale:
    """A static argument."""

    factor: float
    note: object = dataclasses.field(default=None, compare=False)


def scaled(scale, tree):
    """The function that is compiled; it tells when it is traced."""
    TRACES.append(scale.factor)
    return {name: scale.factor * value for name, value in tree.items()}


@pytest.fixture
def folder(tmp_path):
    """A folder for programs, which are kept there until the end of the test."""
    TRACES.clear()
    stored.keep_in(tmp_path)
    yield tmp_path
    stored.keep_in(None)


def compiled():
    """The function as a new process would compile it."""
    return programs.jit(scaled, static_argnums=0)


def test_another_process_runs_it_without_tracing_it(folder):
    tree = {'a': np.ones(3, np.float32), 'b': np.zeros((2, 2), np.float32)}
    first = compiled()(Scale(2.0), tree)
    second = compiled()(Scale(2.0, note=lambda: 0), tree)
    assert TRACES == [2.0]
    np.testing.assert_array_equal(first['a'], second['a'])
    np.testing.assert_array_equal(second['a'], [2, 2, 2])


def test_other_shapes_types_and_numbers_are_other_programs(folder):
    function = compiled()
    for scale, array in [
        (2.0, np.ones(3, np.float32)),
        (3.0, np.ones(3, np.float32)),
        (2.0, np.ones(4, np.float32)),
        (2.0, np.ones(3, np.int32)),
    ]:
        np.testing.assert_array_equal(function(Scale(scale), {'a': array})['a'], scale * array)
    assert len(TRACES) == 4
    assert len(list(folder.iterdir())) == 4


@pytest.fixture
def cache_of_jax():
    """JAX's cache is on, without a folder, as it is where nobody has switched it off."""
    before = jax.config.values[CACHE]
    jax.config.update(CACHE, True)
    yield
    jax.config.update(CACHE, before)


def test_threads_compile_a_program_once_and_leave_the_cache_of_jax_on(folder, cache_of_jax):
    functions = [compiled(), compiled()]
    trees = [{'a': np.ones(n, np.float32)} for n in (3, 4)]
    with ThreadPoolExecutor(4) as pool:
        calls = [
            pool.submit(function, Scale(2.0), tree)
            for function, tree in zip(functions * 2, trees * 2, strict=True)
        ]
        sums = [float(call.result()['a'].sum()) for call in calls]
    assert sums == [6, 8, 6, 8]
    assert TRACES == [2.0, 2.0]
    assert jax.config.values[CACHE]


def test_a_damaged_file_is_made_anew(folder):
    tree = {'a': np.ones(3, np.float32)}
    compiled()(Scale(2.0), tree)
    (path,) = folder.iterdir()
    path.write_bytes(b'damaged')
    np.testing.assert_array_equal(compiled()(Scale(2.0), tree)['a'], [2, 2, 2])
    compiled()(Scale(2.0), tree)
    assert TRACES == [2.0, 2.0]


def test_what_has_no_name_is_compiled_as_usual(folder):
    function = programs.jit(lambda call, x: call(x), static_argnums=0)
    np.testing.assert_array_equal(function(lambda x: x + 1, jnp.zeros(2)), [1, 1])
    assert not list(folder.iterdir())


def test_nothing_is_stored_unless_a_command_asks(tmp_path):
    TRACES.clear()
    compiled()(Scale(2.0), {'a': np.ones(3, np.float32)})
    compiled()(Scale(2.0), {'a': np.ones(3, np.float32)})
    assert TRACES == [2.0, 2.0]


def test_results_about_shapes_are_kept_if_they_are_true(folder):
    shaped, calls = {'a': np.ones((2, 3))}, []

    def compute(value):
        calls.append(value)
        return value

    assert stored.result('shapes', Scale(1.0), shaped, lambda: compute([])) == []
    assert stored.result('shapes', Scale(1.0), shaped, lambda: compute([1])) == [1]
    assert stored.result('shapes', Scale(1.0), shaped, lambda: compute([2])) == [1]
    assert stored.result('shapes', Scale(1.0), {'a': np.ones(3)}, lambda: compute([3])) == [3]
    assert calls == [[], [1], [3]]


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / 'file').write_text('')
    stored.keep_in(tmp_path / 'file')
    try:
        with pytest.warns(UserWarning, match='could not be stored'):
            result = compiled()(Scale(2.0), {'a': np.ones(3, np.float32)})
        np.testing.assert_array_equal(result['a'], [2, 2, 2])
    finally:
        stored.keep_in(None)


def test_old_files_go(folder, monkeypatch):
    monkeypatch.setattr(stored, 'MOST_FILES', 2)
    function = compiled()
    for number in range(1, 5):
        function(Scale(2.0), {'a': np.ones(number, np.float32)})
    assert len(list(folder.iterdir())) == 2


OF_JAX = """
import sys, jax, numpy as np
from capf_jax.backends import programs, stored
jax.config.update('jax_compilation_cache_dir', sys.argv[1])
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)

def fused(x):
    return jax.numpy.tanh(x * 2) @ jax.numpy.exp(x.T)

if len(sys.argv) > 2:
    stored.keep_in(stored.pathlib.Path(sys.argv[2]))
programs.jit(fused)(np.ones((30, 10), np.float32))
"""


def test_a_program_that_jax_has_in_its_own_cache_is_stored_whole(tmp_path):
    of_jax, folder = tmp_path / 'of_jax', tmp_path / 'stored'
    for folders in ([of_jax], [of_jax, folder]):  # the second process finds it in JAX's cache
        environment = os.environ | {'JAX_ENABLE_COMPILATION_CACHE': 'true'}
        subprocess.run([sys.executable, '-c', OF_JAX, *folders], check=True, env=environment)
    (path,) = folder.iterdir()
    x = np.ones((30, 10), np.float32)
    output = stored._load(path)(x)
    np.testing.assert_allclose(output, np.tanh(x * 2) @ np.exp(x.T), rtol=1e-5)


def test_a_stored_program_that_cannot_run_is_compiled_anew(folder, monkeypatch):
    def broken(*_):
        raise jax.errors.JaxRuntimeError('NOT_FOUND: Function not found')

    tree = {'a': np.ones(3, np.float32)}
    compiled()(Scale(2.0), tree)
    monkeypatch.setattr(stored, '_load', lambda _: broken)
    np.testing.assert_array_equal(compiled()(Scale(2.0), tree)['a'], [2, 2, 2])


def test_functions_that_another_one_makes_are_not_taken_for_each_other(folder):
    def times(factor):
        return programs.jit(lambda tree: tree['a'] * factor)

    tree = {'a': np.ones(3, np.float32)}
    for factor in (2, 3):
        np.testing.assert_array_equal(times(factor)(tree), np.full(3, factor))
    assert not list(folder.iterdir())

"""Fixtures that many tests share, and the rule that a parity test is never skipped."""

import gc
import os
import pathlib
import shutil
import sys
import tempfile

import jaxtyping
import pytest

from tests import compiling, shape_checks

# The hook is installed before anything imports these rooms, so that each of their calls is checked
# against its signature.
jaxtyping.install_import_hook(shape_checks.ROOMS, 'tests.shape_checks.check')

# Programs that many tests compile are compiled once: all processes of a session share a cache that
# is made for the session; the user's cache is left alone.
CACHE = 'JAX_COMPILATION_CACHE_DIR'
REAL = pathlib.Path(__file__).resolve().parents[2] / 'shared' / 'real'


def pytest_configure(config: pytest.Config) -> None:
    """Sets how programs are compiled and kept; the workers that pytest starts inherit it."""
    if not hasattr(config, 'workerinput'):
        folder = tempfile.TemporaryDirectory(prefix='compiled_for_tests_')
        config.add_cleanup(folder.cleanup)
        os.environ[CACHE] = folder.name
        if compiling.FLAGS not in os.environ:
            os.environ[compiling.FLAGS] = compiling.quickly()
        os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.2'
        os.environ['JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES'] = '-1'


def pytest_collection_finish(session: pytest.Session) -> None:
    """Lets Python look for garbage less often: that takes a tenth of the time of tracing."""
    del session
    gc.collect()
    gc.freeze()  # What is imported stays.
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope='module', autouse=True)
def _no_programs_of_other_files():
    """Frees the programs of a file's tests at its end; the cache still has them on disk."""
    yield
    if 'jax' in sys.modules:
        sys.modules['jax'].clear_caches()


@pytest.fixture(scope='session')
def real_samples() -> pathlib.Path:
    """Folder of small real samples, which lie outside the repository; skips where it is absent."""
    if not REAL.is_dir():
        pytest.skip(f'real samples are not at {REAL}')
    return REAL


@pytest.fixture(scope='session')
def _tiny_dataset(tmp_path_factory):
    """The built dataset of tiny_people, its folder, and a finished run on it."""
    from tests import evaluated
    from tests.data_pipeline import tiny_people

    folder = tmp_path_factory.mktemp('data')
    builder = tiny_people.build(folder)
    workdir = tmp_path_factory.mktemp('run')
    return folder, builder, evaluated.make_run(workdir, evaluated.tiny_config(folder), builder)


@pytest.fixture
def builder(_tiny_dataset):
    """The seven test people of tiny_people."""
    return _tiny_dataset[1]


@pytest.fixture
def config(_tiny_dataset, monkeypatch):
    """The configuration of `evaluated_run`."""
    from tests import evaluated
    from tests.data_pipeline import tiny_people

    tiny_people.add_to_data_pipeline(monkeypatch)
    return evaluated.tiny_config(_tiny_dataset[0])


@pytest.fixture
def evaluated_run(_tiny_dataset, config, tmp_path):
    """A finished run's workdir, a copy of its own for each test."""
    return shutil.copytree(_tiny_dataset[2], tmp_path / 'run')


@pytest.fixture
def memory_store(monkeypatch):
    """The class of a store in memory, which is empty; it lies at `gs://`."""
    from tests import memory_store

    return memory_store.install(monkeypatch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """A skipped test marked `parity` counts as failed: its numbers were not checked."""
    report = yield
    if report.skipped and item.get_closest_marker('parity'):
        report.outcome = 'failed'
        report.longrepr = f'{item.nodeid}: a parity test may not be skipped'
    return report

"""A run in a store: trained, interrupted, gone on with and evaluated, by `gs://` paths alone.

The store is one in memory (tests/fake_store.py), which gcsfs and TensorStore take for Google's.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load

from data_pipeline import datasets
from tests import tiny

fake_store = pytest.importorskip('tests.fake_store', reason='needs requirements-store.txt')

# Each command in a process of its own, since both libraries look for their store once. The tiny
# task compiles at once; the signal comes with the second step of three.
COMMAND = """
import os, signal, sys
from capf_jax import assembly, evaluate, train
from capf_jax.runtime import commands
from data_pipeline import loader
from tests import tiny
assembly.make_task = tiny.linear_task
name, stops, *arguments = sys.argv[1:]
if int(stops):
    taken, count = loader.Batches.__next__, 0
    def take(self):
        global count
        count += self._length is None
        if count == int(stops):
            os.kill(os.getpid(), signal.SIGTERM)
        return taken(self)
    loader.Batches.__next__ = take
sys.argv = [name, *arguments]
commands.run({'train': train, 'evaluate': evaluate}[name].main)
"""
CONFIG = """
from tests import tiny
def get_config():
    return tiny.config({data!r}, epochs=1, log_steps=1)
"""


pytestmark = pytest.mark.slow  # a minute, and it takes requirements-store.txt


@pytest.fixture(scope='module')
def store():
    with fake_store.running() as running:
        yield running


@pytest.fixture(scope='module')
def run(store, tmp_path_factory):
    """Runs a command against the store; returns (exit code, stdout and stderr)."""
    folder = tmp_path_factory.mktemp('store')
    config = folder / 'config.py'
    config.write_text(CONFIG.format(data=str(folder / 'data')))

    def run(name, *arguments, stops=0, dies=None):
        """`stops`: with a signal after so many steps; `dies`: is killed as soon as it holds."""
        command = [sys.executable, '-c', COMMAND, name, str(stops)]
        command += [f'--config={config}'] if name == 'train' else []
        environment = os.environ | store.environment | {'JAX_PLATFORMS': 'cpu'}
        environment['XDG_CACHE_HOME'] = str(folder / 'caches')
        with subprocess.Popen(
            [*command, *arguments],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=pathlib.Path(__file__).parents[1],
        ) as process:  # fmt: skip
            while dies and not dies() and process.poll() is None:
                time.sleep(0.05)
            if dies:
                process.kill()
            text, _ = process.communicate(timeout=300)
        return process.returncode, text

    return run


def content(store, name):
    return store.objects[f'run/{name}'][0]


def test_a_run_in_a_store_goes_on_where_it_was_and_is_evaluated(store, run):
    workdir = f'--workdir=gs://{fake_store.BUCKET}/run'
    code, text = run('train', workdir, stops=2)
    assert code == 143, text
    assert not any(name.endswith('.safetensors') for name in store.objects)
    code, text = run('train', workdir)
    assert code == 0, text
    steps = [json.loads(line)['step'] for line in content(store, 'log.jsonl').splitlines()]
    assert steps == [1, 2, 3, 3]
    weights = load(content(store, 'lifter.safetensors'))
    assert all(np.isfinite(array).all() for array in weights.values())
    assert sum(name.startswith('run/tensorboard/events.out') for name in store.objects) == 2
    code, text = run('evaluate', workdir)
    assert code == 0, text
    assert 'gs://bucket/run' in text
    assert any(name.endswith('.npz') for name in store.objects)


@pytest.fixture
def dataset(store, tmp_path):
    """A dataset in the store, built by a run on this machine and copied there."""
    config = tiny.config(str(tmp_path / 'data'))
    builder = datasets.open_or_build(config.data, build=True)
    for path in (tmp_path / 'data').rglob('*'):
        if path.is_file():
            store.put(f'data/{path.relative_to(tmp_path / "data")}', path.read_bytes())
    store.sent.clear()
    return builder


def shards(store):
    return sorted(name.rpartition('/')[2] for name in store.sent if 'array_record' in name)


def test_a_dataset_in_a_store_is_trained_on_and_evaluated(store, run, dataset, tmp_path):
    """A run is killed while it copies; the next begins again, and an evaluation copies nothing."""
    workdir, copies = f'--workdir={tmp_path / "run"}', tmp_path / 'copies'
    here = ('--config.data.dir=gs://bucket/data', f'--config.data.cache={copies}')
    store.patience = 5.0
    code, text = run('train', workdir, *here, dies=lambda: shards(store))
    assert code == -9, text
    assert not list(copies.glob('gs/bucket/data/synthetic/*/*/synthetic*'))
    store.patience = 0.0
    store.sent.clear()
    code, text = run('train', workdir, *here)
    assert code == 0, text
    assert f'of gs://bucket/data/synthetic are copied to {copies}' in text
    names = ['synthetic-test.array_record-00000-of-00001', 'synthetic-train.array_record']
    assert [name[: len(start)] for name, start in zip(shards(store), names, strict=True)] == names
    kept = sorted(path.name for path in copies.glob('gs/bucket/data/synthetic/*/*/.*'))
    assert kept == []
    store.sent.clear()
    code, text = run('evaluate', workdir)
    assert code == 0, text
    assert store.sent == []


def test_a_dataset_that_a_store_lacks_is_told_to_be_built_elsewhere(store, run):
    code, text = run('train', '--workdir=gs://bucket/other', '--config.data.dir=gs://bucket/none')
    assert code == 2
    assert "there is no dataset 'synthetic' of these data.builder fields in gs://bucket/n" in text


def test_a_file_that_comes_damaged_is_refused(store, run, dataset, tmp_path):
    """By the checksum that Google has of every object."""
    (name,) = [name for name in store.objects if name.endswith('train.array_record-00000-of-00001')]
    content, generation = store.objects[name]
    store.objects[name] = content[:100] + b'!' + content[101:], generation
    code, text = run(
        'train', f'--workdir={tmp_path / "run"}', '--config.data.dir=gs://bucket/data',
        f'--config.data.cache={tmp_path / "copies"}',
    )  # fmt: skip
    assert code == 2
    assert f'gs://bucket/{name} has come damaged' in text

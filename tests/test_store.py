"""A run in a store: trained, interrupted, gone on with and evaluated, by `gs://` paths alone.

The store is one in memory (tests/fake_store.py), which gcsfs and TensorStore take for Google's.
"""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load

from tests import fake_store

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


pytestmark = pytest.mark.slow  # half a minute, and it takes requirements-store.txt


@pytest.fixture(scope='module')
def store():
    pytest.importorskip('gcsfs', reason='needs requirements-store.txt')
    with fake_store.running() as running:
        yield running


@pytest.fixture(scope='module')
def run(store, tmp_path_factory):
    """Runs a command against the store; returns (exit code, stdout and stderr)."""
    folder = tmp_path_factory.mktemp('store')
    config = folder / 'config.py'
    config.write_text(CONFIG.format(data=str(folder / 'data')))

    def run(name, *arguments, stops=0):
        command = [sys.executable, '-c', COMMAND, name, str(stops)]
        command += [f'--config={config}'] if name == 'train' else []
        environment = os.environ | store.environment | {'JAX_PLATFORMS': 'cpu'}
        done = subprocess.run(
            [*command, *arguments],
            env=environment, capture_output=True, text=True, check=False, timeout=300,
            cwd=pathlib.Path(__file__).parents[1],
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

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


def test_a_dataset_in_a_store_is_told_to_be_copied(run):
    code, text = run('train', '--workdir=gs://bucket/other', '--config.data.dir=gs://bucket/data')
    assert code == 2
    assert 'ArrayRecord files are read from disks alone' in text

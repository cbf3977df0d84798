"""A run of two processes is the run of one: the same steps, files and scores."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from capf_jax import assembly, train
from capf_jax.runtime import processes
from tests import tiny

PROGRAM = """
import pathlib, sys
from capf_jax import assembly, train
from capf_jax.runtime import processes
from tests import tiny
data_dir, workdir, *arguments = processes.join_processes(sys.argv[1:])
assert processes.process_count() == 2
assembly.make_task = tiny.linear_task
train.train_and_evaluate(tiny.config(data_dir), pathlib.Path(workdir))
"""


def free_port():
    with socket.socket() as one:
        one.bind(('localhost', 0))
        return one.getsockname()[1]


def run_of_two(data_dir, workdir):
    """Trains in two processes of one device each, which also build the dataset."""
    shared = {
        **os.environ,
        'JAX_PLATFORMS': 'cpu',
        'JAX_COORDINATOR_ADDRESS': f'localhost:{free_port()}',
        'JAX_NUM_PROCESSES': '2',
        'XLA_FLAGS': '',
    }
    command = [sys.executable, '-c', PROGRAM, str(data_dir), str(workdir), '--distributed']
    processes = [
        subprocess.Popen(
            command,
            env={**shared, 'JAX_PROCESS_ID': str(index)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


def scores(workdir):
    lines = [json.loads(line) for line in (workdir / 'log.jsonl').read_text().splitlines()]
    return [line['mpjpe'] for line in lines if line['part'] == 'test']


def test_two_processes_train_and_score_as_one(tmp_path, monkeypatch):
    run_of_two(tmp_path / 'data', tmp_path / 'two')
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    train.train_and_evaluate(tiny.config(tmp_path / 'data'), tmp_path / 'one')
    np.testing.assert_allclose(scores(tmp_path / 'two'), scores(tmp_path / 'one'), rtol=1e-4)


def test_without_the_argument_nothing_is_joined():
    assert processes.join_processes(['train', '--workdir=x']) == ['train', '--workdir=x']
    assert processes.process_count() == 1


def test_an_environment_that_names_the_others_in_part_is_refused(monkeypatch):
    monkeypatch.setenv('JAX_COORDINATOR_ADDRESS', 'localhost:1')
    with pytest.raises(ValueError, match='JAX_NUM_PROCESSES and JAX_PROCESS_ID must be set'):
        processes.join_processes(['train', '--distributed'])

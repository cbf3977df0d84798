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

LINEAR = """
import pathlib, sys
from capf_jax import assembly, train
from capf_jax.runtime import processes
from tests import tiny
data_dir, workdir, *arguments = processes.join_processes(sys.argv[1:])
assert processes.process_count() == 2
assembly.make_task = tiny.linear_task
train.train_and_evaluate(tiny.config(data_dir), pathlib.Path(workdir))
"""

# The real lifter on a frozen HRNet, to the very end of both commands, pictures included.
WHOLE = """
import pathlib, sys
from capf_jax import evaluate, train
from capf_jax.runtime import processes
from tests import tiny
data_dir, workdir, *arguments = processes.join_processes(sys.argv[1:])
assert processes.process_count() == 2
config = tiny.config(data_dir, epochs=1)
config.model.lifter.ablation_step = 3
config.evaluation.pictures = 2
train.train_and_evaluate(config, pathlib.Path(workdir))
assert evaluate.main(['evaluate', f'--workdir={workdir}', '--checkpoint=latest']) == 0
"""


def free_port():
    with socket.socket() as one:
        one.bind(('localhost', 0))
        return one.getsockname()[1]


def run_of_two(program, data_dir, workdir):
    """Runs a program in two processes of one device each, which also build the dataset."""
    shared = {
        **os.environ,
        'JAX_PLATFORMS': 'cpu',
        'JAX_COORDINATOR_ADDRESS': f'localhost:{free_port()}',
        'JAX_NUM_PROCESSES': '2',
        'XLA_FLAGS': '',
    }
    command = [sys.executable, '-c', program, str(data_dir), str(workdir), '--distributed']
    both = [
        subprocess.Popen(
            command,
            env={**shared, 'JAX_PROCESS_ID': str(index)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        for process in both:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
    finally:
        for process in both:  # One that waits for the other would wait for ever.
            process.kill()


def scores(workdir):
    lines = [json.loads(line) for line in (workdir / 'log.jsonl').read_text().splitlines()]
    return [line['mpjpe'] for line in lines if line['part'] == 'test']


def test_two_processes_train_and_score_as_one(tmp_path, monkeypatch):
    run_of_two(LINEAR, tmp_path / 'data', tmp_path / 'two')
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    train.train_and_evaluate(tiny.config(tmp_path / 'data'), tmp_path / 'one')
    np.testing.assert_allclose(scores(tmp_path / 'two'), scores(tmp_path / 'one'), rtol=1e-4)


def test_two_processes_of_the_whole_model_come_to_the_end_of_train_and_evaluate(tmp_path):
    run_of_two(WHOLE, tmp_path / 'data', tmp_path / 'two')
    trained = json.loads((tmp_path / 'two' / 'log.jsonl').read_text().splitlines()[-1])
    content = json.loads((tmp_path / 'two' / 'evaluation_latest_test_flip.json').read_text())
    assert content['headline']['mpjpe'] == pytest.approx(trained['mpjpe'], rel=1e-4)
    assert content['protocol']['samples'] == 6
    assert (tmp_path / 'two' / 'lifter.safetensors').is_file()
    pictures = {path.name for path in (tmp_path / 'two' / 'pictures').iterdir()}
    assert pictures == {'people.png', 'sampling_points.png', 'error_curves.png'}


def test_without_the_argument_nothing_is_joined():
    assert processes.join_processes(['train', '--workdir=x']) == ['train', '--workdir=x']
    assert processes.process_count() == 1


def test_an_environment_that_names_the_others_in_part_is_refused(monkeypatch):
    monkeypatch.setenv('JAX_COORDINATOR_ADDRESS', 'localhost:1')
    with pytest.raises(ValueError, match='JAX_NUM_PROCESSES and JAX_PROCESS_ID must be set'):
        processes.join_processes(['train', '--distributed'])

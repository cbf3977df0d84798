"""Rendering in several processes changes no sample, needs no guard, and never hangs."""

import dataclasses
import functools
import os
import subprocess
import sys

import pytest

from data_pipeline import processes
from data_pipeline.synthetic import workers
from data_pipeline.synthetic.configuration import SyntheticConfig

CONFIG = SyntheticConfig(
    train_size=workers.CHUNK + 3, height=32, width=24, supersample=1, processes=1
)
TWO = dataclasses.replace(CONFIG, processes=2)

# A user's script, which has no `if __name__ == '__main__'`.
SCRIPT = f"""
import hashlib
from data_pipeline.synthetic import configuration, workers
digest = hashlib.sha256()
for person in workers.render_split(configuration.{TWO}, 'train'):
    digest.update(person.image + person.joints3d.tobytes() + person.joints2d_detected.tobytes())
print(digest.hexdigest())
"""


def test_a_script_without_a_guard_renders_the_same_in_two_processes(tmp_path):
    """Two processes render what one does, also where the hashes of texts differ."""
    program = tmp_path / 'script.py'
    results = []
    for count, hash_seed in ((2, '1'), (1, '2')):
        program.write_text(SCRIPT.replace('processes=2', f'processes={count}'))
        process = subprocess.run(
            [sys.executable, program],
            env=os.environ | {'PYTHONPATH': os.getcwd(), 'PYTHONHASHSEED': hash_seed},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert process.returncode == 0, process.stderr
        results.append(process.stdout)
    assert results[0] == results[1]


def test_a_process_that_dies_is_an_error(monkeypatch):
    monkeypatch.setattr(workers, '_prepare_process', functools.partial(os._exit, 1))
    with pytest.raises(RuntimeError, match=r'ended from outside.*processes=1'):
        next(workers.render_split(TWO, 'train'))


def test_the_program_is_only_hidden_while_processes_start():
    program = sys.modules['__main__']
    with processes.hidden_main():
        assert not hasattr(sys.modules['__main__'], '__file__')
    assert sys.modules['__main__'] is program

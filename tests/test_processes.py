"""A run of several processes is the run of one, and ends whole when they differ or one dies."""

import json
import os
import pathlib
import re
import signal
import sys
import time

import jax
import numpy as np
import pytest

from capf_jax import assembly, evaluate, train, training_run
from capf_jax.runtime import checkpoints, commands, joining, processes, stopping
from tests import tiny
from tests.several_processes import several

SYNTHETIC = pathlib.Path(__file__).parents[1] / 'configs' / 'synthetic.py'


def command(main, *argv):
    """Runs a command as the shell does."""
    sys.argv = [main.__module__, *argv, '--distributed']
    commands.run(main)


def train_by_command(*argv):
    command(train.main, f'--config={SYNTHETIC}', *argv)


def train_linear(host, data_dir, workdir, training, stop_after=None):
    """Trains the smallest of all lifters.

    Args:
      host: the working folder of this process, which it may share with others.
      data_dir, workdir: paths, perhaps in '/proc/self/cwd', which is a place on this host alone.
      training: fields of config.training.
      stop_after: a step to stop after, as a signal would.
    """

    class Stop(stopping.StopRequest):
        def reached(self, step):
            return super().reached(step) or step == stop_after

    host.mkdir(parents=True, exist_ok=True)
    os.chdir(host)
    assembly.make_task, train.StopRequest = tiny.linear_task, Stop

    def main(argv):
        with processes.joined(argv):
            train.train_and_evaluate(tiny.config(data_dir, **training), pathlib.Path(workdir))

    command(main)


def train_and_evaluate_all(data_dir, workdir):
    """The real lifter on a frozen HRNet, to the very end of both commands, pictures included."""

    def main(argv):
        with processes.joined(argv):
            jax.config.update('jax_disable_most_optimizations', True)  # It compiles faster.
            config = tiny.config(data_dir, epochs=1)
            config.model.lifter.ablation_step = 3
            config.evaluation.pictures = 2
            train.train_and_evaluate(config, pathlib.Path(workdir))
            own = ['evaluate', f'--workdir={workdir}', '--checkpoint=latest']
            return evaluate.main(own)

    command(main)


def wait_in_vain():
    """Joins another process that never comes, with less patience than usual."""
    os.environ['JAX_NUM_PROCESSES'], joining.ARRIVAL = '2', 1.0
    command(train.main, f'--config={SYNTHETIC}', '--workdir=never')


def log(workdir, part, name):
    """A number of log.jsonl by the step."""
    lines = [json.loads(line) for line in (workdir / 'log.jsonl').read_text().splitlines()]
    return {line['step']: line[name] for line in lines if line['part'] == part}


def test_processes_that_differ_end_with_what_differs(tmp_path):
    workdir = f'--workdir={tmp_path / "run"}'
    arguments = [
        (workdir,),
        (workdir, '--config.training.learning_rate=0.5', '--config.seed=3'),
        (f'--workdir={tmp_path / "other"}', '--config.training.batch_size=4'),
        (workdir, '--config.training.epochs=7'),
    ]
    with several(train_by_command, arguments, tmp_path / 'output') as running:
        assert running.exit_codes() == [2] * 4, running.all_output()
        for index in range(4):
            line = running.output(index).splitlines()[-1]
            assert line.startswith('error: the processes of this run differ')
            assert running.output(index).count('error') == 1
            assert 'config.training.learning_rate is 0.001 in processes 0, 2 and 3, 0.5' in line
            assert '4 in process 2' in line
            assert '7 in process 3' in line
            assert 'config.seed is 0 in processes 0, 2 and 3, 3 in process 1' in line
            assert f'{tmp_path / "other"} in process 2' in line
    assert not (tmp_path / 'run').exists()


def test_one_that_fails_before_the_others_are_ready_ends_them(tmp_path):
    bad = '--config.training.epochs=-1'
    arguments = [(f'--workdir={tmp_path / "run"}', *extra) for extra in ((), (bad,))]
    with several(train_by_command, arguments, tmp_path / 'output') as running:
        assert running.exit_codes() == [2, 2], running.all_output()
        line = running.output(0).splitlines()[-1]
        assert line.startswith('error: process 1 of this run has ended, and so do the others: ')
        assert 'config.training.epochs' in line


def test_one_that_never_comes_is_not_waited_for_for_ever(tmp_path):
    with several(wait_in_vain, [()], tmp_path) as running:
        assert running.exit_codes() == [2], running.all_output()
        (line,) = running.output(0).splitlines()
        assert 'process 0 has waited 1 seconds for the others of 2 at localhost:' in line


def test_four_processes_then_one_then_two_train_and_score_as_one(tmp_path, monkeypatch):
    data_dir = tmp_path / 'data'  # It is built by process 0 of the four.

    def go_on(count, stop_after):
        own = (tmp_path, data_dir, tmp_path / 'many', {}, stop_after)
        with several(train_linear, [own] * count, tmp_path / f'output{count}') as running:
            assert running.exit_codes() == [0] * count, running.all_output()

    go_on(4, 4)
    monkeypatch.setattr(assembly, 'make_task', tiny.linear_task)
    config = tiny.config(data_dir)
    train.train_and_evaluate(config, tmp_path / 'one')

    class Stop(stopping.StopRequest):
        def reached(self, step):
            return super().reached(step) or step == 5

    monkeypatch.setattr(training_run, 'StopRequest', Stop)
    train.train_and_evaluate(config, tmp_path / 'many')
    go_on(2, None)
    for part, name, steps in (('train', 'loss', range(1, 7)), ('test', 'mpjpe', (3, 6))):
        many, one = (log(tmp_path / run, part, name) for run in ('many', 'one'))
        assert list(many) == list(one) == list(steps)
        np.testing.assert_allclose(list(many.values()), list(one.values()), rtol=1e-4)


@pytest.mark.parametrize('victim', [0, 1])
def test_one_killed_ends_the_other_with_a_sentence(victim, tmp_path):
    hosts = [tmp_path / f'host{index}' for index in range(2)]  # They share no disk.
    here, training = pathlib.Path('/proc/self/cwd'), {'epochs': 10_000}
    arguments = [(host, here / 'data', here / 'run', training) for host in hosts]
    run = hosts[0] / 'run'
    with several(train_linear, arguments, tmp_path / 'output') as running:
        running.wait_until(lambda: checkpoints.begun(run))
        begin = time.monotonic()
        os.kill(running.processes[victim].pid, signal.SIGKILL)
        codes = running.exit_codes()
        assert time.monotonic() - begin < 30
        other = 1 - victim
        assert (codes[victim], codes[other]) == (-signal.SIGKILL, 2), running.all_output()
        output = running.output(other)
        last = output.splitlines()[-1]
        assert last.startswith(f'error: process {victim} of this run has ended without a word')
        assert output.count('error') == 1
        assert not re.search('(?i)traceback|stack trace|coordination', output), output
    if victim:  # Process 0 has ended in order, and left nothing half-written.
        assert not [path for path in run.rglob('*') if 'tmp' in path.name or path.name == '.lock']
        return
    with several(train_linear, arguments, tmp_path / 'output_again') as running:
        assert running.exit_codes() == [2, 2], running.all_output()
        line = running.output(0).splitlines()[-1]
        assert f"the checkpoint 'latest' in {here / 'run'} is of step " in line
        assert 'in process 0, absent in process 1: process 0 decides' in line


@pytest.mark.slow  # other tests here run a lifter of one matrix in the same way
def test_two_processes_of_the_whole_model_come_to_the_end_of_train_and_evaluate(tmp_path):
    own = (tmp_path / 'data', tmp_path / 'two')
    with several(train_and_evaluate_all, [own] * 2, tmp_path / 'output') as running:
        assert running.exit_codes() == [0, 0], running.all_output()
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

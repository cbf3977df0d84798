"""The command `benchmarks.run` chooses benchmarks, and says which names and flags it knows."""

import subprocess

import pytest

from benchmarks import machine, run, sampling
from capf_jax.errors import UserError


@pytest.fixture
def one_row(monkeypatch):
    monkeypatch.setattr(machine, 'matmul_peak', lambda: 1e9)
    monkeypatch.setattr(run.programs, 'start_process', lambda: None)
    monkeypatch.setattr(sampling, 'rows', lambda many='1': [machine.Row('x', 1e-3)] * int(many))


def test_prints_a_table(one_row, capsys):
    run.main(['run', 'sampling'])
    assert '| x      | 1.00' in capsys.readouterr().out


def test_flags_reach_the_benchmark(one_row, capsys):
    run.main(['run', 'sampling', '--many=2'])
    assert capsys.readouterr().out.count('| x ') == 2


def test_several_run_in_processes_of_their_own_each_with_its_flags(one_row, monkeypatch):
    started = []
    monkeypatch.setattr(
        run.subprocess,
        'run',
        lambda command: started.append(command[1:]) or subprocess.CompletedProcess(command, 0),
    )
    run.main(['run', 'sampling', 'conversion', '--many=2'])
    assert started == [
        ['-m', 'benchmarks.run', 'sampling', '--many=2'],
        ['-m', 'benchmarks.run', 'conversion'],
    ]


def test_failed_ones_are_named_after_all_have_run(one_row, monkeypatch, capsys):
    codes = iter([1, 0])
    monkeypatch.setattr(
        run.subprocess,
        'run',
        lambda command: subprocess.CompletedProcess(command, next(codes)),
    )
    assert run.main(['run', 'sampling', 'conversion']) == 1
    assert capsys.readouterr().err.endswith('failed: sampling\n')
    assert next(codes, None) is None


@pytest.mark.parametrize('users', [False, True])
def test_what_the_commands_set_is_set_but_for_a_users_process(one_row, monkeypatch, users):
    done = []
    monkeypatch.setattr(run.programs, 'start_process', lambda: done.append('settings'))
    monkeypatch.setattr(sampling, 'IN_USERS_PROCESS', users, raising=False)
    run.main(['run', 'sampling'])
    assert done == ([] if users else ['settings'])


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('--more=2', "unknown argument '--more=2'; the nearest is --many"),
        ('--many', 'expected one'),
    ],
)
def test_unknown_flag_is_named(one_row, argument, message):
    with pytest.raises(UserError, match=message):
        run.main(['run', 'sampling', argument])


def test_unknown_benchmark_is_named(one_row):
    with pytest.raises(UserError, match=r"the benchmark is 'nothing'; the nearest is .*conversion"):
        run.main(['run', 'nothing'])

"""The jobs of benchmarks.gpu: their processes, what is timed, and what is told of them."""

import subprocess

import jax
import numpy as np
import pytest
import torch

from benchmarks import gpu_jobs, gpu_ours, gpu_subjects, gpu_torch
from benchmarks.gpu_subjects import Job, Program

H100 = 'NVIDIA H100 80GB HBM3'


def test_a_process_of_a_gpu_sees_one_gpu_and_only_our_side_uses_jax_there(monkeypatch):
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    monkeypatch.setenv('XLA_PYTHON_CLIENT_MEM_FRACTION', '.5')
    seen = []

    def run(command, env, **_):
        seen.append((env['JAX_PLATFORMS'], env['CUDA_VISIBLE_DEVICES']))
        assert env['XLA_CLIENT_MEM_FRACTION'] == '.95'
        assert 'XLA_PYTHON_CLIENT_MEM_FRACTION' not in env  # JAX refuses both at once.
        return subprocess.CompletedProcess(command, -9, '', '')

    monkeypatch.setattr(gpu_jobs.subprocess, 'run', run)
    for program, device in (('ours', H100), ('compiled', H100), ('ours', 'CPU')):
        job = Job('lifter', 'float32', program, device=device)
        assert gpu_jobs.in_process(job, 1)['failure'] == 'ended by SIGKILL'
    assert seen == [('cuda,cpu', '0'), ('cpu', '0'), ('cpu', '')]


def test_a_process_that_ends_or_hangs_leaves_a_failure(monkeypatch):
    job = Job('lifter', 'float32', 'ours')

    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, '', 'much\nImportError: no torch\n')

    def hang(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(gpu_jobs.subprocess, 'run', run)
    assert gpu_jobs.in_process(job, 1)['failure'] == 'ImportError: no torch'
    monkeypatch.setattr(gpu_jobs.subprocess, 'run', hang)
    assert gpu_jobs.in_process(job, 1.5)['failure'] == 'not done after 1.5 minutes'


@pytest.mark.parametrize('program', ['ours', 'eager'])
def test_a_gpu_that_a_library_does_not_see_is_a_failure(program):
    failure = gpu_jobs.measured(Job('lifter', 'float32', program, device=H100))['failure']
    assert failure.startswith('UserError: ')
    assert 'docs/accelerators.md' in failure


def stub(**changes):
    calls = []
    program = Program('x', lambda: calls.append('run'), lambda _: calls.append('wait'), list)
    return calls, program, changes


def test_one_person_is_waited_for_and_steps_follow_each_other(monkeypatch):
    calls, program, _ = stub()
    assert gpu_jobs.timed(program, 0.01, one_by_one=True)['calls_a_group'] == 1
    assert calls[:4] == ['run', 'wait', 'run', 'wait']
    monkeypatch.setattr(gpu_jobs, '_GROUP', 1e-4)
    result = gpu_jobs.timed(program, 0.01, one_by_one=False)
    assert result['calls_a_group'] > 1
    assert 0 < result['fastest'] <= result['seconds']
    assert result['groups'] >= gpu_jobs.LEAST


def test_one_program_that_fails_leaves_the_others_of_its_row(monkeypatch):
    def programs_of(job):
        for name in ('first', 'second'):
            _, program, _ = stub()
            program.name, program.values = name, lambda name=name: value_of(name)
            yield program

    def value_of(name):
        if name == 'first':
            raise RuntimeError('out of memory\nand much more')
        return gpu_subjects.compared(2.0)

    monkeypatch.setattr(gpu_ours, 'programs_of', programs_of)
    result = gpu_jobs.measured(Job('sampling', 'float32', 'ours', small=True))
    assert result['failure'] == 'first: RuntimeError: out of memory'
    assert [measure.get('value') for measure in result['measures']] == [None, 2.0]


def test_the_memory_of_a_row_is_that_of_its_largest_program(monkeypatch):
    """PyTorch's peak is forgotten before each program of a process is timed."""
    peaks = iter([3, 1])

    def programs_of(job):
        for name in ('first', 'second'):
            _, program, _ = stub()
            program.name, program.values = name, lambda: gpu_subjects.compared(1.0)
            yield program

    monkeypatch.setattr(gpu_torch, 'programs_of', programs_of)
    monkeypatch.setattr(gpu_torch, 'peak_bytes', lambda: next(peaks))
    result = gpu_jobs.measured(Job('sampling', 'float32', 'eager', small=True))
    assert result['memory'] == 3


@pytest.mark.parametrize(('program', 'forgets'), [('compiled', True), ('graphs', False)])
def test_the_memory_that_a_cuda_graph_got_when_it_was_recorded_counts(
    monkeypatch, program, forgets
):
    calls = []
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: None)
    monkeypatch.setattr(torch.cuda, 'reset_peak_memory_stats', lambda: calls.append('forgets'))
    gpu_torch.begin_to_time(Job('train', 'float32', program, device=H100))
    assert bool(calls) == forgets


def test_products_of_our_lifter_are_as_precise_as_the_configuration_says(monkeypatch):
    """PyTorch's are, on its side."""
    seen = []

    def jit(function, few_rows):
        seen.append(jax.config.jax_default_matmul_precision)
        raise NotImplementedError

    monkeypatch.setattr(gpu_ours.programs, 'jit', jit)
    for precision in ('default', 'high'):
        config = gpu_subjects.settings(Job('lifter', 'float32', 'ours'))
        config.training.precision = precision
        monkeypatch.setattr(gpu_ours, 'settings', lambda job, config=config: config)
        with pytest.raises(NotImplementedError):
            gpu_ours._jitted('lifter', Job('lifter', 'float32', 'ours'), abs, (1.0,))
    assert seen == ['default', 'high']


def test_numbers_are_compared_from_all_over_an_output():
    gradient = np.zeros((2, 40, 30, 8))
    gradient[1] = 1
    numbers, loss, few = gpu_subjects.compared(gradient, 2.0, [[1, 2], [3, 4]])
    assert numbers.mean() == 0.5
    assert (loss.tolist(), few.tolist()) == ([2], [1, 2, 3, 4])


def test_outputs_differ_as_shares_of_their_own_numbers():
    assert gpu_subjects.difference([[500.0], [1.0, 0.5]], [[500.0], [1.0, 0.4]]) == (
        pytest.approx(0.1)
    )
    assert np.isnan(gpu_subjects.difference([[1.0], [float('nan')]], [[1.0], [1.0]]))
    assert gpu_subjects.difference([[1.0]], [[1.0], [1.0]]) == float('inf')
    assert gpu_subjects.difference([[1.0]], [[1.0, 1.0]]) == float('inf')

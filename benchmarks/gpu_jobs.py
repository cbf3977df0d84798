"""Runs one job of benchmarks.gpu in a process of its own, where no other program takes memory.

    python -m benchmarks.gpu_jobs JOB RESULT

JOB is the job as JSON, RESULT the file that its result is written to. A job that fails has a result
too, which says why. `benchmarks.gpu` starts these processes, one after another.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks.gpu_subjects import Job, Program, flops

OURS = 'ours'
LEAST = 5  # groups of calls that a median is of; a small job has fewer
_GROUP = 0.2  # seconds of calls, at least, between two looks at the clock
_WARM = 3  # calls before the clock runs
Result = dict[str, Any]


def in_process(job: Job, minutes: float) -> Result:
    """Runs a job in a new process; its result, which is a failure where the process gave none.

    Args:
      job: what to run.
      minutes: after which the process is ended.
    """
    # The side that does not compute on the GPU must not touch it, and ours takes what it needs.
    platform = 'cuda,cpu' if job.on_gpu and job.program == OURS else 'cpu'
    environment = {
        **os.environ,
        'JAX_PLATFORMS': platform,
        'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
        'XLA_CLIENT_MEM_FRACTION': '.95',  # JAX would stop at 75%, and PyTorch takes all
        'CUDA_DEVICE_ORDER': 'PCI_BUS_ID',  # as nvidia-smi counts
        'CUDA_VISIBLE_DEVICES': visible_gpu() if job.on_gpu else '',
    }
    environment.pop('XLA_PYTHON_CLIENT_MEM_FRACTION', None)  # JAX refuses its older name beside it.
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'result.json')
        command = [sys.executable, '-m', 'benchmarks.gpu_jobs', _text(job), str(path)]
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                errors='replace',
                timeout=60 * minutes,
            )
        except subprocess.TimeoutExpired:
            return failed(job, f'not done after {minutes:g} minutes')
        if path.exists():
            return json.loads(path.read_text())
    if done.returncode < 0:
        return failed(job, f'ended by {signal.Signals(-done.returncode).name}')
    lines = done.stderr.strip().splitlines() or [f'ended with code {done.returncode}']
    return failed(job, lines[-1])


def visible_gpu() -> str:
    """The GPU to use, as CUDA numbers or names it: the first that this process may see, or ''."""
    return os.environ.get('CUDA_VISIBLE_DEVICES', '0').split(',')[0].strip()


def measured(job: Job) -> Result:
    """Runs a job in this process; what it measured, or why it failed."""
    # The process of one side loads nothing of the other's.
    side: Any = importlib.import_module(
        'benchmarks.gpu_ours' if job.program == OURS else 'benchmarks.gpu_torch'
    )
    result: Result = {**dataclasses.asdict(job), 'people': job.people, 'measures': []}
    versions = {name: importlib.metadata.version(name) for name in side.PACKAGES}
    try:
        result |= {'kind': side.begin(job), 'versions': versions}
        result['flops'] = None if job.check else flops(job)
        for program in side.programs_of(job):
            try:
                measure = _measure(job, program, side)
            except Exception as error:  # The next one may do.
                measure = {'name': program.name}
                result.setdefault('failure', f'{program.name}: {_sentence(error)}')
            result['measures'].append(measure)
        peaks = [measure.get('peak_bytes') or 0 for measure in result['measures']]
        result['memory'] = max(peaks, default=0) or None
    except Exception as error:  # A program that does not fit or compile is a result, too.
        result['failure'] = _sentence(error)
    return result


def _measure(job: Job, program: Program, side: Any) -> Result:
    """The outputs of a program, its times, and the most memory in use by then."""
    began = time.monotonic()
    values = program.values()
    first_seconds = time.monotonic() - began
    measure: Result = {'name': program.name, 'value': float(_value(job, values))}
    if job.check:
        return {**measure, 'values': [output.tolist() for output in values]}
    side.begin_to_time(job)
    times = timed(program, 0 if job.small else job.seconds, one_by_one=job.subject == 'lifter')
    return {
        **measure,
        'compile_seconds': round(program.compile_seconds or first_seconds, 2),
        'program_bytes': program.bytes,
        'peak_bytes': side.peak_bytes(),
        **times,
    }


def _value(job: Job, values: list[np.ndarray]) -> float:
    """A number by which a program that computes something else shows: a loss, or a mean size."""
    return values[0][0] if job.subject == 'train' else abs(np.concatenate(values)).mean()


def timed(program: Program, seconds: float, one_by_one: bool) -> Result:
    """The median time of a call.

    Args:
      program: has been called before, so that it is compiled.
      seconds: about how long to measure; 0 for a single group of calls.
      one_by_one: whether each call is waited for, as for one person; otherwise calls follow each
        other as in training, and a group of them is waited for.
    """
    for _ in range(_WARM if seconds else 1):
        program.wait(program.run())
    number = 1
    while seconds and not one_by_one and _seconds_of(program, number) < _GROUP:
        number *= 2
    each: list[float] = []
    least, began = LEAST if seconds else 1, time.monotonic()
    while len(each) < least or time.monotonic() - began < seconds:
        each.append(_seconds_of(program, number) / number)
    return {
        'seconds': statistics.median(each),
        'fastest': min(each),
        'groups': len(each),
        'calls_a_group': number,
    }


def _seconds_of(program: Program, number: int) -> float:
    """Seconds of so many calls, the last of which is waited for."""
    began, result = time.perf_counter(), None
    for _ in range(number):
        result = program.run()
    program.wait(result)
    return time.perf_counter() - began


def failed(job: Job, why: str) -> Result:
    """The result of a job that has measured nothing."""
    return {**dataclasses.asdict(job), 'people': job.people, 'measures': [], 'failure': why}


def _sentence(error: Exception) -> str:
    """The kind of an error and its first line, in which XLA and PyTorch say what is wrong."""
    lines = str(error).strip().splitlines() or ['']
    return f'{type(error).__name__}: {lines[0]}'[:300]


def _text(job: Job) -> str:
    return json.dumps(dataclasses.asdict(job))


def main(argv: list[str]) -> int:
    """Runs the job that the arguments name; returns the exit code."""
    _, text, path = argv
    result = measured(Job(**json.loads(text)))
    pathlib.Path(path).write_text(json.dumps(result))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))

"""Measures our steps, the lifter and the samplers on a GPU, beside PyTorch there.

    python -m benchmarks.gpu --out=docs/results
    python -m benchmarks.gpu --out=docs/results --what=train,evaluate --dtype=bfloat16 --batch=256
    python -m benchmarks.gpu --out=docs/results --programs=ours,eager --again
    python -m benchmarks.gpu --out=runs/gpu --small
    python -m benchmarks.gpu --out=runs/gpu --device=cpu --programs=ours,eager

What runs, in float32 and in bfloat16: a training step (frozen detector and lifter), an evaluation
step with its flip test, the lifter for one person, and bilinear samplers. Programs are ours and
PyTorch's: 'eager', 'compiled' by torch.compile, and 'graphs', which is compiled and replayed as a
CUDA graph. Each runs in a process of its own, on one GPU. First both sides run once in float32 on
the same weights and people; where they disagree, nothing is timed.

Into --out go gpu.json after each row, and gpu.md, which has the tables. A row that is there is not
measured again; one that failed says why, and is tried again by the same command. Nothing is
downloaded, and no weights or data are read. Where there is no GPU, or with --small, networks and
batches are tiny: that checks the command, measures nothing, and is written to gpu-check.json.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import tqdm

from benchmarks import gpu_jobs, gpu_report
from benchmarks.accelerators import chosen
from benchmarks.gpu_jobs import OURS, Result
from benchmarks.gpu_subjects import DTYPES, SUBJECTS, TOLERANCE, Job, difference, settings
from benchmarks.table_runs import this_machine
from capf_jax.errors import UserError
from capf_jax.runtime import commands, files

PROGRAMS = (OURS, 'eager', 'compiled', 'graphs')
Start = Callable[[Job], Result]


def gpu_name() -> str:
    """The name of the NVIDIA GPU that would be used, by its driver; '' where there is none."""
    gpu = gpu_jobs.visible_gpu()
    if shutil.which('nvidia-smi') is None or not gpu:
        return ''
    command = ['nvidia-smi', f'--id={gpu}', '--query-gpu=name', '--format=csv,noheader']
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    names = done.stdout.strip().splitlines() if done.returncode == 0 else []
    return names[0].strip() if names else ''


def device_of(choice: str) -> str:
    """The device to run on, by --device: the name of a GPU, or 'CPU'.

    Raises:
      UserError: --device=gpu, and there is none.
    """
    name = '' if choice == 'cpu' else gpu_name()
    if choice == 'gpu' and not name:
        raise UserError(
            'nvidia-smi shows no GPU here: run this where there is one, or --device=cpu, which '
            'checks the command on a tiny model'
        )
    return name or 'CPU'


def jobs_of(values: Any, device: str) -> list[Job]:
    """What is to be run, checks of a subject before what is timed of it.

    Raises:
      UserError: an unknown subject, type or program, or a configuration without a counterpart.
    """
    programs = chosen(values.programs, '--programs', PROGRAMS)
    if device == 'CPU':
        programs = [program for program in programs if program != 'graphs']
    small = values.small or device == 'CPU'
    common = {'device': device, 'config': values.config, 'small': small}
    common |= {'batch': values.batch, 'eval_batch': values.eval_batch, 'seconds': values.seconds}
    if not programs:
        raise UserError('--programs names none that runs here')
    jobs = []
    for subject in chosen(values.what, '--what', SUBJECTS):
        first = Job(subject, 'float32', OURS, **common)
        jobs += [first.checked(program) for program in (OURS, 'eager')]
        for dtype in chosen(values.dtype, '--dtype', DTYPES):
            jobs += [Job(subject, dtype, program, **common) for program in programs]
    if not any(not job.check for job in jobs):
        raise UserError('nothing to measure: name a --what, a --dtype and one of --programs')
    settings(jobs[0])
    return jobs


def run_all(
    jobs: Sequence[Job], path: files.AnyPath, start: Start, again: bool = False
) -> list[Result]:
    """Runs the jobs that a file does not have, and keeps each result there and in a table.

    Args:
      jobs: in order.
      path: of the JSON; the table is beside it.
      start: runs a job.
      again: whether jobs are run that the file has.

    Returns:
      The results of these jobs.
    """
    results = read_results(path)
    missing = [job for job in jobs if again or 'failure' in results.get(job.name, {'failure': ''})]
    if len(missing) < len(jobs):
        print(f'{len(jobs) - len(missing)} of {len(jobs)} rows are there already', file=sys.stderr)
    with tqdm.tqdm(missing, unit='row') as progress:
        for job in progress:
            progress.set_postfix_str(job.name)
            why = '' if job.check else disagreement(job, results)
            result = gpu_jobs.failed(job, why) if why else start(job)
            results = {**read_results(path), job.name: {**result, **_conditions()}}
            write_results(path, results)
    return [results[job.name] for job in jobs]


def disagreement(job: Job, results: dict[str, Result]) -> str:
    """Why a job's times would say nothing; '' where both sides agree about its subject."""
    checks = [results.get(job.checked(program).name) for program in (OURS, 'eager')]
    if not all(check and 'failure' not in check for check in checks):
        return 'not timed: the two sides could not be compared'
    for ours, theirs in zip(*(check['measures'] for check in checks), strict=True):
        error = difference(ours['values'], theirs['values'])
        if not error < TOLERANCE:
            return f"not timed: {ours['name']} differs from PyTorch's by {error:.1e}"
    return ''


def read_results(path: files.AnyPath) -> dict[str, Result]:
    """The results of a file by their jobs' names; none where there is no file."""
    return files.read_json(path)['rows'] if path.exists() else {}


def write_results(path: files.AnyPath, results: dict[str, Result]) -> None:
    """Writes all results as JSON, and the tables beside them."""
    files.write_json(path, {'rows': results})
    with files.whole(path.with_suffix('.md')) as temporary:
        temporary.write_text(gpu_report.markdown(list(results.values())))


def _conditions() -> dict[str, Any]:
    """When and where a row was measured."""
    return {'date': datetime.date.today().isoformat(), 'machine': this_machine()}


def parse(argv: Sequence[str]) -> Any:
    """The arguments of the command."""
    parser = commands.Parser('benchmarks.gpu', __doc__)
    add = parser.add_argument
    add('--out', required=True, type=commands.path, metavar='FOLDER', help='of JSON and tables')
    add('--device', default='auto', choices=('auto', 'gpu', 'cpu'), help='cpu is a check alone')
    add('--config', default=Job.config, metavar='FILE', help='of the lifter and its HRNet')
    add('--what', default=','.join(SUBJECTS), help='of train,evaluate,lifter,sampling')
    add('--dtype', default=','.join(DTYPES), help='to compute in: float32,bfloat16')
    add('--programs', default=','.join(PROGRAMS), help='of ours,eager,compiled,graphs')
    add('--batch', default=0, type=int, help="people in a training step; 0: the configuration's")
    add('--eval_batch', default=0, type=int, help='people in an evaluation step, likewise')
    add('--seconds', default=Job.seconds, type=float, help='to measure each program')
    add('--minutes', default=20.0, type=float, help='after which a row is given up')
    parser.add_flag('small', default=False, help='tiny networks: a check, no measurement')
    parser.add_flag('again', default=False, help='measure rows again that --out has')
    values = parser.parse(argv)
    if min(values.batch, values.eval_batch) < 0 or min(values.seconds, values.minutes) <= 0:
        raise UserError('--batch, --eval_batch, --seconds and --minutes are positive numbers')
    return values


def main(argv: Sequence[str], start: Start | None = None) -> int:
    """Runs the command; returns the exit code: 1 if a row failed.

    Args:
      argv: as `sys.argv`.
      start: runs a job; by default in a process of its own.
    """
    values = parse(argv)
    device = device_of(values.device)
    jobs = jobs_of(values, device)
    if device == 'CPU':
        print('no GPU is used: this checks the command and measures nothing', file=sys.stderr)
    files.check_writable(values.out)
    path = values.out / ('gpu-check.json' if jobs[0].small else 'gpu.json')
    start = start or (lambda job: gpu_jobs.in_process(job, values.minutes))
    results = run_all(jobs, path, start, values.again)
    print(gpu_report.markdown(results))
    failures = [result for result in results if 'failure' in result]
    return int(bool(failures))


if __name__ == '__main__':
    commands.run(main)

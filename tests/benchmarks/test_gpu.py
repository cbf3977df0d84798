"""benchmarks.gpu: its whole path on a CPU, what it says, and what it does where a row fails."""

import json
import subprocess

import pytest
import torch

from benchmarks import chips, gpu, gpu_jobs, gpu_report, gpu_subjects
from benchmarks.gpu_subjects import Job
from capf_jax.errors import UserError

H100 = 'NVIDIA H100 80GB HBM3'


@pytest.fixture
def one_thread():
    """PyTorch's threads would wait for each other longer than the tiny networks compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def checked(tmp_path, *arguments):
    """Runs the command on a CPU, each job in this process; what it has kept, and its tables."""
    argv = ['gpu', f'--out={tmp_path}', '--device=cpu', '--programs=ours,eager', *arguments]
    assert gpu.main(argv, gpu_jobs.measured) == 0
    rows = json.loads((tmp_path / 'gpu-check.json').read_text())['rows'].values()
    return list(rows), (tmp_path / 'gpu-check.md').read_text()


def test_the_whole_command_runs_on_a_cpu(tmp_path, one_thread, capsys):
    checked(tmp_path, '--what=sampling', '--dtype=bfloat16')
    rows, text = checked(tmp_path, '--what=train', '--dtype=float32')
    assert [(row['subject'], row['program'], row['check']) for row in rows] == [
        ('sampling', 'ours', True), ('sampling', 'eager', True),
        ('sampling', 'ours', False), ('sampling', 'eager', False),
        ('train', 'ours', True), ('train', 'eager', True),
        ('train', 'ours', False), ('train', 'eager', False),
    ]  # fmt: skip
    assert all(m['seconds'] > 0 for row in rows if not row['check'] for m in row['measures'])
    # A loss, the size of its gradients, and the loss after a step of the optimizer.
    ours, theirs = ([n for one in row['measures'][0]['values'] for n in one] for row in rows[4:6])
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert len(set(ours)) == 3
    assert text.startswith(gpu_report.MEASURES_NOTHING)
    assert text.count('| yes') == 4
    assert 'x |' not in text.split('## Memory')[0]  # Ratios of tiny networks say nothing.
    assert 'measures nothing' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize('what', gpu_subjects.SUBJECTS)
def test_all_programs_run_in_processes_of_their_own(tmp_path, what):
    argv = ['gpu', f'--out={tmp_path}', '--device=cpu', f'--what={what}', '--dtype=bfloat16']
    assert gpu.main(argv) == 0
    rows = json.loads((tmp_path / 'gpu-check.json').read_text())['rows'].values()
    assert {row['program'] for row in rows} == {'ours', 'eager', 'compiled'}
    assert '| NO' not in (tmp_path / 'gpu-check.md').read_text()
    assert 'other result' not in (tmp_path / 'gpu-check.md').read_text()


def jobs(**changes):
    """A comparison and what is timed after it."""
    job = Job('lifter', 'bfloat16', 'ours', **changes)
    return [job.checked('ours'), job.checked('eager'), job]


def told(job, values):
    """What a job's process may tell."""
    measure = {'name': job.subject, 'value': values[0]}
    measure |= {'values': [values]} if job.check else {'seconds': 0.5, 'program_bytes': 2**30}
    result = gpu_jobs.failed(job, '') | {'measures': [measure], 'memory': None, 'flops': 1}
    del result['failure']
    return result


def test_rows_that_are_there_are_not_run_again_but_for_failures(tmp_path):
    run = []

    def start(job):
        run.append(job.name)
        return told(job, [1.0]) if job.check else gpu_jobs.failed(job, 'no memory')

    path = tmp_path / 'gpu.json'
    gpu.run_all(jobs(), path, start)
    gpu.run_all(jobs(), path, start)
    assert run == [job.name for job in (*jobs(), jobs()[-1])]
    gpu.run_all(jobs(), path, start, again=True)
    assert len(run) == 7
    gpu.run_all(jobs(device=H100)[:1], path, start)
    assert len(run) == 8  # Another device has rows of its own.


@pytest.mark.parametrize('values', [[1.01], [float('nan')], [1.0, 1.0]])
def test_nothing_is_timed_where_the_two_sides_disagree(tmp_path, values):
    def start(job):
        assert job.check
        return told(job, [1.0] if job.program == 'ours' else values)

    *_, timed = gpu.run_all(jobs(), tmp_path / 'gpu.json', start)
    assert timed['failure'].startswith("not timed: lifter differs from PyTorch's by")
    assert 'lifter, bfloat16, 1, ours: not timed' in (tmp_path / 'gpu.md').read_text()


def test_nothing_is_timed_where_the_two_sides_could_not_be_compared(tmp_path):
    def start(job):
        return told(job, [1.0]) if job.program == 'ours' else gpu_jobs.failed(job, 'no PyTorch')

    *_, timed = gpu.run_all(jobs(), tmp_path / 'gpu.json', start)
    assert timed['failure'] == 'not timed: the two sides could not be compared'


def row(program, seconds, **changes):
    """A timed row as it is kept; None for one that failed."""
    job = Job('train', 'bfloat16', program, device=H100)
    measure = {'name': 'train', 'value': 1.0, 'seconds': seconds, 'program_bytes': 3 * 2**30}
    result = gpu_jobs.failed(job, 'RuntimeError: CUDA out of memory') | {'people': 512}
    if seconds:
        del result['failure']
        result |= {'measures': [measure], 'memory': 2 * 2**30, 'flops': 0.5 * 989.4e12}
    return result | {'versions': {'jax': '1'}, 'date': 'today', 'machine': 'one'} | changes


def cells(results):
    """The table of times: header -> cell of its only line."""
    lines = gpu_report.markdown(results).split('## Times\n\n')[1].splitlines()
    header, line = ([cell.strip() for cell in lines[i].split('|')[1:-1]] for i in (0, 2))
    return dict(zip(header, line, strict=True))


def test_ratios_are_to_the_best_of_pytorch_and_to_the_best_compiled():
    line = cells([row('ours', 1.0), row('eager', 1.5), row('compiled', 3.0), row('graphs', 2.5)])
    assert line['ours, ms'] == '1000.000'
    assert line['people a second'] == '512'
    assert line['best of PyTorch'] == 'eager'
    assert line['ratio to it'] == '1.50x'
    assert line['ratio to compiled (goal 2x)'] == '2.50x'
    assert line['MFU (goal 40%)'] == '50.0%'


def test_a_row_that_failed_is_told_and_the_others_stay():
    results = [row('ours', 1.0), row('eager', 2.0), row('compiled', None)]
    line = cells(results)
    assert line['compiled, ms'] == 'failed'
    assert line['graphs, ms'] == 'not run'
    assert line['ratio to compiled (goal 2x)'] == ''
    assert line['ratio to it'] == '2.00x'
    assert gpu_report.markdown(results).endswith(
        '- train, bfloat16, 512, compiled: RuntimeError: CUDA out of memory\n'
    )


def test_a_program_of_another_loss_is_not_compared():
    other = row('compiled', 0.1)
    other['measures'][0]['value'] = 1.06
    line = cells([row('ours', 1.0), row('eager', 2.0), other])
    assert line['compiled, ms'] == 'other result'
    assert line['best of PyTorch'] == 'eager'


def test_a_gpu_without_a_published_peak_has_no_mfu_and_float32_has_none():
    unknown = [row('ours', 1.0, device='NVIDIA Nothing')]
    assert cells(unknown)['MFU (goal 40%)'] == ''
    text = gpu_report.markdown(unknown)
    assert 'No MFU: no published peak of NVIDIA Nothing is in benchmarks/chips.py.' in text
    assert cells([row('ours', 1.0, dtype='float32')])['MFU (goal 40%)'] == ''
    assert cells([row('ours', 1.0, kind=f'{H100} MIG 1g.10gb')])['MFU (goal 40%)'] == ''


def test_each_gpu_has_tables_of_its_own():
    text = gpu_report.markdown([row('ours', 1.0), row('eager', 2.0, device='NVIDIA Nothing')])
    assert text.count('## Times') == 2
    assert 'x |' not in text  # No ratio is made of two GPUs.


@pytest.mark.parametrize('name', chips.GPUS)
def test_the_figures_of_a_gpu_name_their_source(name):
    gpu_chip = chips.GPUS[name]
    assert 'data sheet' in gpu_chip.source
    assert 1e14 < gpu_chip.flops < 1e15  # dense; a slip of a prefix would show
    assert gpu_chip.name.split()[0] in name


def test_flops_are_of_the_frozen_detector_once_and_of_the_lifter_three_times():
    train, evaluate, lifter = (
        gpu_subjects.flops(Job(subject, 'float32', 'ours', small=True))
        for subject in ('train', 'evaluate', 'lifter')
    )
    # Two people; an evaluation sees each of them twice.
    assert train / 2 - evaluate / 4 == 2 * lifter > 0
    assert gpu_subjects.flops(Job('sampling', 'float32', 'ours', small=True)) is None


def test_batches_are_the_configurations_own_or_as_told():
    assert Job('train', 'float32', 'ours').people == 512
    assert Job('evaluate', 'float32', 'ours').people == 256
    assert Job('sampling', 'float32', 'ours', batch=64).people == 64
    assert Job('lifter', 'float32', 'ours', batch=64).people == 1


def parsed(*arguments):
    return gpu.parse(['gpu', '--out=somewhere', *arguments])


def test_a_gpu_has_all_programs_and_a_cpu_no_cuda_graphs():
    on_gpu = gpu.jobs_of(parsed('--what=lifter', '--dtype=float32'), H100)
    assert [(job.program, job.check) for job in on_gpu] == [
        ('ours', True), ('eager', True),
        ('ours', False), ('eager', False), ('compiled', False), ('graphs', False),
    ]  # fmt: skip
    assert not any(job.small for job in on_gpu)
    on_cpu = gpu.jobs_of(parsed('--what=lifter', '--dtype=float32'), 'CPU')
    assert 'graphs' not in {job.program for job in on_cpu}
    assert all(job.small for job in on_cpu)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--what=training'], r"--what is 'training'; the nearest is 'train'"),
        (['--programs=torch'], '--programs is'),
        (['--programs=graphs'], '--programs names none that runs here'),
        (['--dtype='], 'nothing to measure'),
        (['--config=configs/human36m_cpn.py'], 'is not the published lifter on an HRNet'),
        (['--config=configs/human36m_hrnet32.py:step=1'], 'choose another --config'),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, message):
    with pytest.raises(UserError, match=message):
        gpu.jobs_of(parsed(*arguments), 'CPU')


def test_numbers_must_be_positive():
    with pytest.raises(UserError, match='positive numbers'):
        parsed('--batch=-1')


def test_the_gpu_is_named_by_its_driver(monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,1')
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, f'{H100}\n', '')

    monkeypatch.setattr(gpu.shutil, 'which', lambda name: name)
    monkeypatch.setattr(gpu.subprocess, 'run', run)
    assert gpu.device_of('auto') == gpu.device_of('gpu') == H100
    assert commands[0][1] == '--id=3'
    assert gpu.device_of('cpu') == 'CPU'
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    assert gpu.device_of('auto') == 'CPU'


def test_a_missing_gpu_is_one_sentence(monkeypatch):
    monkeypatch.setattr(gpu.shutil, 'which', lambda name: None)
    with pytest.raises(UserError, match=r'shows no GPU here.*--device=cpu'):
        gpu.device_of('gpu')

"""benchmarks.scaling: what it counts, what it says of that, its errors; small steps run here."""

import argparse
import json
import math
import os
import pathlib

import pytest

from benchmarks import (
    accelerator_report,
    loader_cores,
    others_share,
    scaling,
    scaling_report,
    virtual_devices,
)
from benchmarks.scaling import LoaderRow, StepRow
from capf_jax import assembly
from capf_jax.errors import UserError
from tests import tiny

CONDITIONS = {'date': '2026-11-27', 'machine': 'one', 'versions': {'jax': '0.10.2'}}
SMALL = (
    'data.builder.height=64', 'data.builder.width=32', 'model.hrnet.width=4',
    'model.hrnet.stem_channels=4', 'model.hrnet.blocks=1', 'model.lifter.ablation_step=0',
    'model.lifter.channels=8', 'model.lifter.layers=1', 'model.lifter.heads=2',
    'model.detector_weights=',
)  # fmt: skip


def step(devices=1, **changes):
    """A row of a training step as the command keeps it."""
    return {
        'config': 'synthetic', 'step': 'train', 'devices': devices, 'each': 8,
        'compile_seconds': 9.0, 'seconds': 0.04, 'processor_seconds': 0.04, 'steps': 99,
        'others': 0.0, 'cores_apart': False, 'flops': 1e9, 'peak_memory': 2**30,
        'memory': {
            'arguments': 50, 'outputs': 40, 'shared': 30, 'temporaries': 40, 'program': 0,
        },
        'collectives': {'all-reduce': {'count': 2, 'bytes': 1000}}, **CONDITIONS,
    } | changes  # fmt: skip


def reading(cores=2, **changes):
    """A row of the loader as the command keeps it."""
    return {
        'kind': loader_cores.CROPS, 'cores': cores, 'threads': 4, 'batch': 128, 'speed': 5000.0,
        'processor_seconds': 0.0004, 'python_seconds': 0.00003, 'others': 0.0, **CONDITIONS,
    } | changes  # fmt: skip


def demand(people_a_second=10_000.0):
    """Chips that need so many people a second at the bound."""
    return accelerator_report.Demand(
        'human36m_hrnet32', 'bfloat16', 'training', '8 v5e', 1.0, round(3600 * people_a_second)
    )


def cells(markdown, *words):
    """The cells of each line of a table that begins with these words."""
    lines = [[cell.strip() for cell in line.split('|')[1:-1]] for line in markdown.splitlines()]
    return [line for line in lines if line[: len(words)] == list(words)]


@pytest.mark.parametrize(
    ('text', 'numbers'), [('1,2,4,8', [1, 2, 4, 8]), ('4,2', [1, 2, 4]), ('1', [1])]
)
def test_one_device_is_always_among_the_numbers(text, numbers):
    assert scaling.counts(text) == numbers


@pytest.mark.parametrize('text', ['', '0', '1,,2', '-1', 'two', '1.5'])
def test_what_is_no_list_of_numbers_is_an_error(text):
    with pytest.raises(argparse.ArgumentTypeError, match='no list of numbers such as 1,2,4,8'):
        scaling.counts(text)


def test_overhead_is_the_processors_time_over_that_of_as_many_steps_of_one_device():
    four = step(4, processor_seconds=0.2)
    assert scaling_report.overhead(four, step()) == pytest.approx(1.25)
    markdown = scaling_report.markdown([four, step()], [], [])
    (row,) = cells(markdown, 'synthetic', 'train', '4', '32 (8)')
    # ms, processor's ms, of it a device, overhead, time ratio, cores in use, used by others
    assert row[4:] == ['40.0', '200.0', '50.0', '1.25', '0.25', '5.00', '0%']


def test_the_outputs_of_all_people_grow_with_the_devices_and_what_each_adds_does_not():
    def gathered(devices):
        collectives = {'all-gather': {'count': 3, 'bytes': 1672 * devices}}
        return step(devices, step='evaluate', collectives=collectives)

    rows = [gathered(devices) for devices in (1, 2, 8)]
    assert [scaling_report.exchanged(row) for row in rows] == [{'all-gather': (3, 1672)}] * 3
    (verdict,) = scaling_report.verdicts(rows)
    assert 'on 1, 2, 8 devices' in verdict
    assert 'the same exchanges' in verdict


def test_memory_and_exchanges_that_depend_on_the_number_of_devices_are_told():
    more = {'all-reduce': {'count': 3, 'bytes': 1000}}
    grown = step(4)['memory'] | {'temporaries': 90}  # 150 in use instead of 100
    (verdict,) = scaling_report.verdicts([step(4, memory=grown, collectives=more), step(2), step()])
    assert 'differs by at most 50.00%' in verdict
    assert '**the exchanges of 4 devices are others than those of 1**' in verdict


def test_other_people_a_device_are_compared_with_their_own_row_of_one_device():
    rows = [step(), step(2), step(each=4), step(2, each=4), step(step='evaluate')]
    assert [len(group) for group in scaling_report.groups(rows)] == [1, 2, 2]


@pytest.mark.parametrize(('share', 'cores', 'processes'), [(1.0, 16, 2), (0.4, 7, 1)])
def test_cores_are_those_that_have_the_processors_time(share, cores, processes):
    people = demand(40_000).people_a_second(share)
    assert scaling_report.cores_needed(people, reading()) == cores
    assert scaling_report.processes_needed(people, reading()) == processes


def test_the_table_of_cores_reckons_with_all_cores_and_with_features_where_they_are():
    one = reading(1, processor_seconds=0.1)
    features = reading(kind=loader_cores.FEATURES, processor_seconds=0.001)
    markdown = scaling_report.markdown([], [reading(), one, features], [demand(10_000)])
    (row,) = cells(markdown, 'human36m_hrnet32')
    pixels = 10_000 * 256 * 192 * 3 / 1e9
    assert row[4:8] == ['10,000', '4', '1', f'{pixels:.1f}']
    assert row[8:] == ['4,000', '2', '1', f'{0.4 * pixels:.1f}', '4', '1']
    (row,) = cells(scaling_report.markdown([], [reading()], [demand()]), 'human36m_hrnet32')
    assert row[-2:] == ['-', '-']


def test_a_demand_at_a_share_of_the_bound_is_that_of_the_hours_table():
    row = demand(10_000)
    assert row.people_a_second(1.0) == pytest.approx(10_000)
    assert row.people_a_second(accelerator_report.GUESS) == pytest.approx(4_000)


def test_times_beside_other_programs_are_marked():
    markdown = scaling_report.markdown([step(), step(2, others=0.3)], [reading(others=None)], [])
    assert '**1 of 3 rows were timed beside other programs**' in markdown
    assert [row[4] for row in cells(markdown, 'synthetic', 'train')[:2]] == ['40.0', '40.0 *']
    assert 'beside other programs' not in scaling_report.markdown([step()], [], [])


def stat(folder, *busy):
    """A file like /proc/stat: seconds that each core was busy, half of them for the system."""
    ticks = os.sysconf('SC_CLK_TCK')
    lines = [f'cpu{n} {b * ticks // 2} 0 {b * ticks // 2} 99999 9 0 0 0 77 7' for n, b in busy]
    (folder / 'stat').write_text('\n'.join(['cpu  1 2 3', *lines, 'intr 5']))
    return folder / 'stat'


def test_others_use_what_the_cores_did_beside_this_process(tmp_path, monkeypatch):
    clock = {'wall': 100.0, 'own': 10.0}
    monkeypatch.setattr(others_share.os, 'sched_getaffinity', lambda _: {0, 2}, raising=False)
    monkeypatch.setattr(others_share.time, 'perf_counter', lambda: clock['wall'])
    monkeypatch.setattr(others_share.time, 'process_time', lambda: clock['own'])
    monkeypatch.setattr(others_share, 'STAT', stat(tmp_path, (0, 50), (1, 0), (2, 50)))
    others = others_share.Others()
    clock.update(wall=110.0, own=16.0)  # 20 seconds of two cores, of which this process had 6
    stat(tmp_path, (0, 56), (1, 99), (2, 54))
    assert others.share() == pytest.approx((10 - 6) / 20)


def test_nobody_knows_what_others_use_where_the_system_does_not_count_it(tmp_path, monkeypatch):
    monkeypatch.setattr(others_share, 'STAT', tmp_path / 'nothing')
    assert others_share.Others().share() is None


def test_the_first_steps_are_not_counted():
    calls = []
    time = virtual_devices.timed(lambda: calls.append(1), seconds=0.0)
    assert time.steps == virtual_devices.LEAST
    assert len(calls) == virtual_devices.WARM + virtual_devices.LEAST


@pytest.mark.parametrize('step_name', ['train', 'evaluate'])
def test_a_step_runs_here_and_is_accounted_for(step_name, monkeypatch):
    monkeypatch.setattr(assembly, 'make_task', lambda config, steps: tiny.linear_task(config))
    told = virtual_devices.measure(tiny.config(), step_name, each=4, seconds=0.0)
    json.dumps(told)
    assert (told['devices'], told['each']) == (1, 4)
    assert told['memory']['arguments'] > 4 * 17 * 2 * 4  # at least the joints
    assert told['seconds'] > 0
    assert told['peak_memory'] > 2**25
    assert told['collectives'].keys() <= {'all-reduce', 'all-gather'}


def test_people_of_a_device_that_do_not_divide_into_parts_are_an_error():
    with pytest.raises(UserError, match=r'--each people a device is 3, .* 1 devices with 2 parts'):
        virtual_devices.measure(tiny.config(accumulate=2), 'train', each=3, seconds=0.0)


def test_a_process_started_on_one_core_stays_there():
    counts = loader_cores.core_counts()
    before = os.sched_getaffinity(0)
    with loader_cores.on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    assert counts == sorted({1, len(before)})


@pytest.mark.parametrize(
    ('words', 'typed'),
    [
        ([], ['--config=configs/synthetic.py']),
        (['--config', 'a.py', '--each=2'], ['--config=a.py']),
        (['--config.seed=1'], ['--config=configs/synthetic.py', '--config.seed=1']),
    ],
)
def test_the_default_runs_configuration_stands_in_for_none(words, typed):
    line, arguments = scaling._with_config(['scaling', *words])
    assert arguments == typed
    assert [word for word in line if word.startswith('--each')] == words[2:3]


def test_a_process_that_fails_is_an_error_that_names_the_row():
    with pytest.raises(UserError, match='the row "train on 2" failed'):
        scaling._in_process('benchmarks.no_such_file', [], {}, 'train on 2')


def test_no_file_of_chips_is_an_error_that_names_the_argument(tmp_path):
    with pytest.raises(UserError, match=r'nothing\.json is not there.*--accelerators'):
        scaling._demands(tmp_path / 'nothing.json')


def test_results_are_read_as_they_were_written(tmp_path):
    rows = {
        scaling.name_of(StepRow('synthetic', 'train', 2, 8)): step(2),
        scaling.name_of(LoaderRow(loader_cores.CROPS, 2)): reading(),
    }
    scaling.write_results(tmp_path, rows, [demand()])
    assert scaling.read_results(tmp_path / 'scaling.json') == rows


def test_a_row_that_is_there_is_not_run_again(tmp_path, monkeypatch):
    scaling.write_results(tmp_path, {'a row': step(1, seconds=7.0)}, [])
    run = []

    def told(row, config, seconds):
        run.append((row.devices, config, seconds))
        return {name: value for name, value in step(row.devices).items() if name not in CONDITIONS}

    monkeypatch.setattr(scaling, 'step_result', told)
    arguments = [f'--out={tmp_path}', '--devices=1,2', '--step=train', '--noloader']
    scaling.main(['scaling', *arguments])
    assert run == [(2, ['--config=configs/synthetic.py'], 3.0)]
    rows = json.loads((tmp_path / 'scaling.json').read_text())['steps']
    assert {row['devices']: row['seconds'] for row in rows} == {1: 7.0, 2: 0.04}
    assert 'on 1, 2 devices' in (tmp_path / 'scaling.md').read_text()


@pytest.mark.slow
def test_two_virtual_devices_take_the_memory_and_the_exchanges_of_one(tmp_path):
    overrides = [f'--config.{field}' for field in SMALL]
    arguments = [f'--out={tmp_path}', '--devices=1,2', '--noloader', '--each=2', '--seconds=0']
    scaling.main(['scaling', *arguments, *overrides])
    rows = json.loads((tmp_path / 'scaling.json').read_text())['steps']
    assert [(row['step'], row['devices']) for row in rows] == [
        ('train', 1), ('train', 2), ('evaluate', 1), ('evaluate', 2),
    ]  # fmt: skip
    for one, two in (rows[:2], rows[2:]):
        assert scaling_report.exchanged(one) == scaling_report.exchanged(two)
        used = [accelerator_report.memory_in_use(row) for row in (one, two)]
        assert math.isclose(*used, rel_tol=0.02)
    assert rows[1]['collectives']['all-reduce']['count'] == 2
    assert rows[3]['collectives'].keys() == {'all-gather'}


@pytest.mark.slow
def test_crops_and_features_are_read_on_one_core(tmp_path: pathlib.Path):
    for kind in loader_cores.KINDS:
        folder = loader_cores.write_dataset(kind, tmp_path / kind)
        told = scaling.loader_result(LoaderRow(kind, 1), folder)
        assert told['speed'] > 0
        assert 0 < told['python_seconds'] < told['processor_seconds']

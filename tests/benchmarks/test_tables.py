"""The command `benchmarks.tables` makes the runs that are missing, and prints what holds."""

import dataclasses
import json
import pathlib

import pytest

from benchmarks import table_report, table_runs, tables
from benchmarks.table_parts import Order
from benchmarks.table_rows import FULL, QUICK, QUICK_ROWS, ROWS, TABLES
from benchmarks.table_runs import Run
from capf_jax.errors import UserError
from capf_jax.runtime import configuration


def trained(folder, mpjpe, task='sequence'):
    """A folder as a finished training leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    line = {'step': 6, 'part': 'test', 'mpjpe': mpjpe, 'mpjve': mpjpe / 10}
    (folder / 'log.jsonl').write_text(json.dumps({**line, 'step': 3}) + '\n' + json.dumps(line))
    (folder / 'versions.json').write_text(json.dumps([{'git_commit': 'abc123'}]))
    (folder / f'{task}.safetensors').write_bytes(b'')


class Product:
    """Stands in for the commands that train: each training scores 1 mm less than the last one."""

    def __init__(self):
        self.started, self.mpjpe = [], 100.0

    def __call__(self, arguments):
        self.started.append(arguments[0].removeprefix('capf_jax.'))
        folder = pathlib.Path(arguments[-1].removeprefix('--workdir='))
        if arguments[0] == 'capf_jax.train':
            self.mpjpe -= 1
            trained(folder, self.mpjpe)


@pytest.fixture
def product():
    return Product()


def experiment(tmp_path, **others):
    settings = {'quick': True, 'machine': 'a test', **others}
    return tables.Experiment(tmp_path / 'runs', tmp_path / 'out', **settings)


def run_of(row, seed, mpjpe):
    return Run(row, seed, 'command', {'mpjpe': mpjpe}, 'abc123', 'a test', 1.0)


def test_the_command_writes_what_is_trained_already(tmp_path, capsys):
    row = ROWS['poseformer-1']
    trained(experiment(tmp_path).folder(row, 0), 61.25)
    flags = ['--rows=poseformer-1', '--seeds=0', '--quick', '--machine=two cores']
    folders = [f'--out={tmp_path / "out"}', f'--workdir={tmp_path / "runs"}']
    assert tables.main(['tables', *flags, *folders]) == 0
    page = (tmp_path / 'out/table6-quick.md').read_text()
    assert '| PoseFormer, 1 frame   | 61.2 ' in page
    for words in ('53.2', 'two cores', 'abc123'):
        assert words in page
    assert 'Not run: ca_pf_s-1' in page
    assert str(tmp_path / 'out/table6-quick.md') in capsys.readouterr().out


def test_a_run_that_the_tables_have_is_not_made_again(tmp_path, product):
    rows = tables.chosen_rows('poseformer-1,poseformer-3', quick=True)
    tables.run_all(experiment(tmp_path), rows[:1], [0], product)
    tables.run_all(experiment(tmp_path), rows, [0], product)
    assert product.started == ['train', 'train']
    runs = json.loads((tmp_path / 'out/table6-quick.json').read_text())['runs']
    assert [(run['row'], run['scores']['mpjpe']) for run in runs] == [
        ('poseformer-1', 99.0),
        ('poseformer-3', 98.0),
    ]


def test_scores_of_another_size_do_not_count(tmp_path, product):
    rows = tables.chosen_rows('poseformer-1', quick=True)
    tables.run_all(experiment(tmp_path), rows, [0], product)
    (path,) = (tmp_path / 'out').glob('*.json')
    path.write_text(path.read_text().replace('epochs=3', 'epochs=5'))
    assert not experiment(tmp_path).is_finished(rows[0], 0)


def test_a_table_without_a_row_of_its_own_is_not_written(tmp_path, product):
    runs = experiment(tmp_path)
    tables.run_all(runs, [ROWS['step-0'], ROWS['step-3']], [0], product)
    assert sorted(path.name for path in runs.out.iterdir()) == [
        'table3-quick.json',
        'table3-quick.md',
    ]
    tables.run_all(runs, [ROWS['without-4x']], [0], product)
    assert (runs.out / 'table4-quick.md').exists()


def test_scores_and_weights_are_of_the_averaged_weights(tmp_path, product):
    row, runs = ROWS['ca_pf_s-1'], experiment(tmp_path)
    folder = runs.folder(row, 0)
    trained(folder, 60.0)
    line = {'step': 7, 'part': 'test', 'mpjpe': 60.0, 'averaged_mpjpe': 50.0}
    (folder / 'log.jsonl').write_text(json.dumps(line))
    (folder / 'sequence_averaged.safetensors').write_bytes(b'')
    tables.run_all(runs, [row], [0], product)
    assert runs.runs['ca_pf_s-1', 0].scores == {'mpjpe': 50.0}
    assert runs.weights_of(row, 0, product).endswith('sequence_averaged.safetensors')


def test_an_interrupted_run_leaves_the_runs_before_it(tmp_path):
    def fails_at_3(arguments):
        if 'frames=3' in ' '.join(arguments):
            raise UserError('no')
        trained(pathlib.Path(arguments[-1].removeprefix('--workdir=')), 50.0)

    rows = tables.chosen_rows('poseformer-1,poseformer-3', quick=True)
    with pytest.raises(UserError):
        tables.run_all(experiment(tmp_path), rows, [0], fails_at_3)
    assert experiment(tmp_path).is_finished(rows[0], 0)


def test_the_time_of_a_row_is_that_of_all_its_starts(tmp_path, product, monkeypatch):
    row, clock = ROWS['poseformer-1'], iter([100, 130, 500, 507])
    monkeypatch.setattr(table_runs.time, 'monotonic', lambda: next(clock))

    def is_stopped(arguments):
        raise UserError('stopped')

    with pytest.raises(UserError):
        experiment(tmp_path).run(row, 0, is_stopped)
    runs = experiment(tmp_path)
    runs.run(row, 0, product)
    run = runs.runs[row.name, 0]
    assert (run.seconds, run.starts, run.unknown) == (37, 2, 0)
    assert run.time == '37 s in 2 starts'


def test_a_start_that_was_killed_has_an_unknown_time(tmp_path, product):
    row, runs = ROWS['poseformer-1'], experiment(tmp_path)
    folder = runs.folder(row, 0)
    with table_runs.timed(folder, row.name):
        killed = (folder / f'times_{row.name}.json').read_text()
    (folder / f'times_{row.name}.json').write_text(killed)
    runs.run(row, 0, product)
    run = runs.runs[row.name, 0]
    assert run.time == f'{run.seconds:.0f} s and the unknown time of 1 of 2 starts'


def test_a_table_of_before_the_count_of_starts_tells_those_of_the_folder(tmp_path, product):
    row = ROWS['poseformer-1']
    tables.run_all(experiment(tmp_path), [row], [0], product)
    (path,) = (tmp_path / 'out').glob('*.json')
    content = json.loads(path.read_text())
    for name in ('starts', 'unknown'):
        del content['runs'][0][name]
    path.write_text(json.dumps(content))
    versions = experiment(tmp_path).folder(row, 0) / 'versions.json'
    versions.write_text(json.dumps([{'git_commit': 'abc123'}] * 3))
    run = experiment(tmp_path).runs[row.name, 0]
    assert (run.starts, run.unknown) == (3, 2)


def test_the_detector_runs_once_over_a_dataset_and_once_for_each_kept_projection(tmp_path, product):
    rows = tables.chosen_rows('kept-9,ca_pf_s-3', quick=True)
    assert [row.name for row in rows] == ['ca_pf_s-1', 'kept-9', 'ca_pf_s-3']
    tables.run_all(experiment(tmp_path), rows, [0], product)
    assert product.started == ['features', 'train', 'features', 'train', 'train']


def test_a_row_whose_weights_another_workdir_has_is_trained_again(tmp_path, product):
    single, kept = tables.chosen_rows('kept-9', quick=True)
    tables.run_all(experiment(tmp_path), [single], [0], product)
    elsewhere = tables.Experiment(tmp_path / 'new', tmp_path / 'out', quick=True, machine='a test')
    product.started.clear()
    tables.run_all(elsewhere, [single, kept], [0], product)
    assert product.started == ['features', 'train', 'features', 'train']
    assert list(elsewhere.folder(single, 0).glob('*.safetensors'))


def test_the_time_left_is_told(tmp_path, product, capsys):
    tables.run_all(experiment(tmp_path), [ROWS['poseformer-1']], [0, 1], product)
    assert capsys.readouterr().err.count('minutes left') == 1


def test_a_training_that_two_rows_share_takes_its_time_once(tmp_path):
    runs = [(ROWS['noise-3'], 0), (ROWS['step-3'], 0), (ROWS['step-3'], 1)]
    first, second, other_seed = experiment(tmp_path).minutes(runs)
    assert first == other_seed > 4
    assert second < 1


@pytest.mark.parametrize(
    ('scores', 'words'),
    [
        ({'a': [9, 9], 'b': [8, 7]}, 'holds with each of 2 seeds'),
        ({'a': [9, 9], 'b': [8, 9]}, '**does not hold** (with 1 of 2 seeds)'),
        (
            {'a': [9], 'b': [8]},
            'holds with the one seed that was run, too few to claim it',
        ),
        ({'a': [9], 'c': [10]}, '**does not hold** (with 0 of 1 seeds, without b, not run)'),
        ({'a': [9]}, 'not run'),
    ],
)
def test_an_order_that_does_not_hold_is_printed_as_such(scores, words):
    runs = [run_of(row, i, mpjpe) for row, all_ in scores.items() for i, mpjpe in enumerate(all_)]
    rows = tuple(sorted({'a', 'b', *scores}))
    assert table_report.verdict(Order('falls', 'mpjpe', rows), runs) == words


@pytest.mark.parametrize(
    ('mpjve', 'words'),
    [
        ([8.0, 5.0], 'holds with the one seed that was run, too few to claim it'),
        ([8.0, 7.5], '**does not hold** (with 0 of 1 seeds)'),
    ],
)
def test_an_error_may_have_to_fall_by_a_larger_share_than_another(mpjve, words):
    runs = [
        dataclasses.replace(run_of(row, 0, 0.0), scores={'mpjpe': mpjpe, 'mpjve': value})
        for row, mpjpe, value in zip('ab', (80.0, 60.0), mpjve, strict=True)
    ]
    order = Order('falls more', 'mpjve', ('a', 'b'), beside='mpjpe')
    assert table_report.verdict(order, runs) == words


def test_seeds_stand_beside_their_mean_and_causal_scores_in_columns_of_their_own():
    runs = [run_of('ca_pf_s-3', seed, mpjpe) for seed, mpjpe in ((1, 44.0), (0, 42.0))]
    runs.append(run_of('ca_pf_s-3-causal', 0, 47.0))
    lines = table_report.grid(TABLES['table6'], runs).splitlines()
    names = [name.strip() for name in lines[0].split('|')]
    cells = next([c.strip() for c in line.split('|')] for line in lines if 'PF-S, 3' in line)
    line = dict(zip(names, cells, strict=True))
    assert line['MPJPE, mm, ours'] == '43.0 (42.0, 44.0)'
    assert line['MPJPE, mm, paper'] == '44.2'
    assert line['causal MPJPE, mm, ours'] == '47.0'


def test_every_row_describes_a_configuration(tmp_path):
    for quick in (False, True):
        runs = experiment(tmp_path, quick=quick)
        for row in ROWS.values():
            arguments = runs.config(row, 1, 'single.safetensors')
            config = configuration.parse(['x', *arguments], required=()).config
            assert config.seed == 1
            assert config.data.frames == row.frames
            assert config.data.features == row.features
            assert quick == (config.data.builder.train_size <= 4000)


def test_a_wrong_name_is_told_with_the_nearest_one():
    with pytest.raises(UserError, match="nearest is 'table6'"):
        tables.chosen_rows('tabel6', quick=False)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--out=x', '--rows='], "--rows is '', which names no row"),
        (['--out=x', '--rows=tabel6'], "nearest is 'table6'"),
        (['--out='], '--out: it is empty; name a folder'),
        (['--out=x', '--seeds=0,-1'], "--seeds is '0,-1'; give whole numbers"),
    ],
)
def test_a_wrong_argument_is_told_before_anything_starts(arguments, sentence, monkeypatch):
    monkeypatch.setattr(tables, 'run_all', None)
    with pytest.raises(UserError, match=sentence):
        tables.main(['tables', *arguments])


def test_a_file_is_no_folder_of_tables(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file is a file; name a folder'):
        tables.main(['tables', f'--out={tmp_path / "file"}'])


def test_a_lifter_takes_the_network_of_its_line_and_seed(tmp_path, product):
    rows = tables.chosen_rows('on-detector-vitpose,on-classifier-hrnet', quick=True)
    assert [row.name for row in rows] == [
        'detector-vitpose', 'on-detector-vitpose', 'classifier-hrnet', 'on-classifier-hrnet',
    ]  # fmt: skip
    runs = experiment(tmp_path)
    for row in rows[:1]:
        trained(runs.folder(row, 1), 0.0, 'detector')
    tables.run_all(runs, rows[:2], [1], product)
    config = runs.config(rows[1], 1, 'a.safetensors')
    parsed = configuration.parse(['x', *config], required=()).config
    assert (parsed.model.detector, parsed.model.detector_weights) == ('vitpose', 'a.safetensors')
    assert product.started == ['train']


def test_a_network_and_its_lifter_share_a_line_with_the_metrics_of_each():
    joints = Run('detector-vitpose', 0, 'command', {'error_px': 12.0}, 'abc123', 'a test', 1.0)
    page = table_report.grid(TABLES['table7'], [joints, run_of('on-detector-vitpose', 0, 101.0)])
    (line,) = (line for line in page.splitlines() if 'ViTPose' in line)
    assert [cell.strip() for cell in line.split('|')[2:-1]] == ['101.0', '-', '12.0']


def test_orders_name_rows_of_their_table():
    for table in TABLES.values():
        names = {row.name for row in table.rows}
        assert all(set(order.rows) <= names for order in table.orders)
    assert {row.config for row in ROWS.values()} == set(QUICK) == set(FULL)
    assert set(ROWS) > QUICK_ROWS

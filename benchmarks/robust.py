"""Makes the table of the means against bad 2D joints, each alone and all together.

    python -m benchmarks.robust --out=docs/results
    python -m benchmarks.robust --out=docs/results --people=8000 --seeds=0,1 --rows=05

Every row is trained with every seed in a folder of its own under --workdir, and evaluated without
and with noise of 5 px on the 2D joints. Markdown and JSON go into --out after every run, as
robust-PEOPLE.md and robust-PEOPLE.json. Interrupted, it goes on; what --workdir has is not trained
or evaluated again.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import tensorflow_datasets as tfds
from ml_collections import ConfigDict

from benchmarks import robust_report, table_runs
from benchmarks.robust_report import LEAST, MOST, PLAIN, ROWS
from benchmarks.table_parts import Row
from benchmarks.table_runs import Run, Start, folder_of
from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.runtime import commands, configuration, files

# Arguments of a training that say where and not what.
PLACES = ('--workdir=', '--config.data.dir=')


def arguments(values: argparse.Namespace, row: Row, seed: int) -> list[str]:
    """What describes the training of a row.

    Args:
      values: the arguments of the command.
      row: what to train.
      seed: of its weights.
    """
    return [
        f'--config={row.config}:{row.arguments},people={values.people},seed={seed}',
        '--config.evaluation.pictures=0',
        f'--config.data.test_split={values.split}',
        *values.overrides.split(),
    ]


class Experiment:
    """Runs of rows with seeds, by the arguments of the command."""

    def __init__(self, values: argparse.Namespace):
        """Reads which runs the tables in `--out` have.

        Raises:
          UserError: the table there does not read.
        """
        self.values = values
        self.runs: dict[tuple[str, int], Run] = {}
        path = self.path('json')
        for fields in files.read_json(path)['runs'] if path.exists() else ():
            run = Run(**fields)
            row = ROWS.get(run.row)
            if row is not None and run.command == self.command(row, run.seed):
                self.runs[run.row, run.seed] = run

    def path(self, ending: str) -> files.AnyPath:
        """The file of the table."""
        return self.values.out / f'robust-{self.values.people}.{ending}'

    def command(self, row: Row, seed: int) -> str:
        """The training without the folders of the run and of the data."""
        return shlex.join(
            ['python', '-m', 'capf_jax.train', *_what(arguments(self.values, row, seed))]
        )

    def run(self, row: Row, seed: int, start: Start) -> None:
        """Trains and evaluates a row, unless its folder has that.

        Raises:
          UserError: the folder holds a training of other arguments.
        """
        values = self.values
        means = row.arguments.removeprefix('means=') or PLAIN
        folder = values.workdir / f'{means}-{values.people}-seed{seed}'
        of_row = arguments(values, row, seed)
        for entry in table_runs.starts_of(folder):
            if set(_what(shlex.split(entry['command']))) != set(_what(of_row)):
                raise UserError(
                    f'{folder} was trained with {entry["command"]}: give another --workdir, or the '
                    'same --overrides and --split'
                )
        if not (folder / 'lifter.safetensors').exists() or _result(folder, values.split) is None:
            with table_runs.timed(folder, row.name):
                self._make(folder, of_row, start)
        result = _result(folder, values.split)
        assert result is not None  # `_make` has left it
        commits = table_runs.commits_of(folder), result['protocol']['versions']['git_commit']
        self.runs[row.name, seed] = Run(
            row=row.name,
            seed=seed,
            command=self.command(row, seed),
            scores=robust_report.figures(result['noise']),
            commit=' and '.join(dict.fromkeys(commits)),
            machine=values.machine,
            **table_runs.times_of(folder, row.name),
        )

    def _make(self, folder: files.AnyPath, of_row: Sequence[str], start: Start) -> None:
        if not (folder / 'lifter.safetensors').exists():
            start(['capf_jax.train', *of_row, f'--workdir={folder}'])
        noise, split = f'--noise={LEAST:g},{MOST:g}', f'--split={self.values.split}'
        workdir = f'--workdir={folder}'
        start(['capf_jax.evaluate', workdir, '--checkpoint=latest', split, noise])

    def write(self) -> None:
        """Writes the table, once it has a run of the plain lifter."""
        values, places = self.values, list(ROWS)
        runs = sorted(self.runs.values(), key=lambda run: (places.index(run.row), run.seed))
        if not any(run.row == PLAIN for run in runs):
            return
        overrides = ' '.join(_what(values.overrides.split()))
        seeds = ','.join(map(str, sorted({run.seed for run in runs})))
        command = ['python', '-m', 'benchmarks.robust', '--out=docs/results', f'--seeds={seeds}']
        command += [f'--people={values.people}', f'--split={values.split}']
        command += [f'--overrides={overrides}'] if overrides else []
        form = f'{values.people} rendered people to train on, `{values.split}` to test on'
        form += f', `{overrides}`' if overrides else ''
        with files.whole(self.path('md')) as path:
            path.write_text(robust_report.page(form, shlex.join(command), runs))
        content = {
            'table': robust_report.TITLE,
            'form': form,
            'goal': robust_report.verdicts(robust_report.scores_of(runs)),
            'runs': [run.to_json() for run in runs],
        }
        files.write_json(self.path('json'), content)


def _what(arguments: Sequence[str]) -> list[str]:
    return [argument for argument in arguments if not argument.startswith(PLACES)]


def _result(folder: files.AnyPath, split: str) -> dict[str, Any] | None:
    """The noise sweep of a folder over a split; None where there is none of both noises."""
    for path in sorted(folder.glob('evaluation_latest_*_noise.json')):
        result = files.read_json(path)
        noises = [point['sigma_px'] for point in result['noise']]
        if result['protocol']['split'] == split and {LEAST, MOST} <= set(noises):
            return result
    return None


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command's arguments.

    Raises:
      UserError: one of them is wrong.
    """
    parser = commands.Parser('benchmarks.robust', __doc__)
    add = parser.add_argument
    add('--out', required=True, type=folder_of, metavar='FOLDER', help='of the table')
    add('--seeds', default='0', help='seeds, separated by commas')
    add(
        '--rows', default='012345', help='digits of the rows to run, from 0; 0 is always among them'
    )
    add('--people', default=20_000, type=int, help='rendered people to train on')
    add('--split', default='test', help='people to test on')
    add('--workdir', default='runs/robust', type=folder_of, help='folder of all runs')
    add('--overrides', default='', help='further arguments of each training, separated by spaces')
    add('--machine', default=table_runs.this_machine(), help='what the table calls this machine')
    values = parser.parse(argv)
    if not set(values.rows) <= set('012345'):
        raise UserError(f'--rows={values.rows}: give digits of the rows 0 to 5, such as 05')
    values.seeds = table_runs.seeds_of(values.seeds)
    values.rows = [list(ROWS.values())[int(digit)] for digit in sorted({'0', *values.rows})]
    for row in values.rows:
        argv = ['train', *arguments(values, row, values.seeds[0])]
        config = configuration.parse(argv, ('config',), check=assembly.problems).config
        assert config is not None  # `parse` requires one.
        _check_split(values.split, config.data.builder)
    return values


def _check_split(split: str, builder: ConfigDict) -> None:
    """UserError where the rendered people of a configuration have no such split."""
    sizes = {'train': builder.train_size, 'test': builder.test_size}
    infos = [
        tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0, filename_template=None)
        for name, size in sizes.items()
    ]
    try:
        spans = tfds.core.ReadInstruction.from_spec(split).to_absolute(tfds.core.SplitDict(infos))
        ends = [
            (span.from_ or 0, sizes[span.splitname] if span.to is None else span.to)
            for span in spans
        ]
        if not any(first < end for first, end in ends):
            raise ValueError('it is empty')
    except ValueError as error:
        known = ' and '.join(f'{name!r} with {size}' for name, size in sizes.items())
        reason = str(error).splitlines()[0].rstrip('.')
        raise UserError(
            f'--split is {split!r} ({reason}); the rendered people are in {known}: give one of '
            "these, or a part such as 'test[:500]'"
        ) from error


def main(argv: Sequence[str], start: Start = table_runs.start) -> int:
    """Does what is missing and writes the table; returns the exit code."""
    values = parse(argv)
    experiment = Experiment(values)
    for row in values.rows:
        for seed in values.seeds:
            if (row.name, seed) not in experiment.runs:
                print(f'{row.name}, seed {seed}', file=sys.stderr, flush=True)
                experiment.run(row, seed, start)
                experiment.write()
    experiment.write()
    print(experiment.path('md'))
    return 0


if __name__ == '__main__':
    commands.run(main)

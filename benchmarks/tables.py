"""Makes the paper's tables anew on rendered people, with the paper's numbers beside ours.

    python -m benchmarks.tables --out=docs/results
    python -m benchmarks.tables --out=docs/results --rows=table6 --seeds=0,1
    python -m benchmarks.tables --out=docs/results --rows=ca_pf_s-9,poseformer-9 --seeds=0 --quick

Each row is trained with each seed, in a folder of its own under --workdir, and scored after its
last step. Markdown and JSON go into --out after every run, as TABLE.md and TABLE.json, or as
TABLE-quick.md with --quick. A run that --out has the scores of is not made again, and one that was
interrupted goes on. Rows and tables are listed in benchmarks/table_rows.py and detector_rows.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import table_report, table_runs
from benchmarks.table_parts import Row
from benchmarks.table_rows import FULL, QUICK, QUICK_ROWS, ROWS, TABLES
from benchmarks.table_runs import Run, Start, folder_of
from capf_jax.errors import UserError, unknown
from capf_jax.runtime import commands, files

_QUICKER = 3  # how many times as fast a row is in the quick form, about
_EVALUATION = 0.5  # minutes of a run whose training is there


def chosen_rows(text: str, quick: bool) -> list[Row]:
    """The rows that `--rows` names, each once, those first that others need.

    Args:
      text: tables and rows, separated by commas; a row that is named is run in the quick form too.
      quick: whether rows of a table that the quick form does not have are left out.

    Raises:
      UserError: there is no such table or row.
    """
    rows: dict[str, Row] = {}
    for name in filter(None, text.split(',')):
        if name in TABLES:
            chosen = [row for row in TABLES[name].rows if row.name in QUICK_ROWS or not quick]
        elif name in ROWS:
            chosen = [ROWS[name]]
        else:
            raise unknown('--rows', name, [*TABLES, *ROWS])
        for row in chosen:
            if row.needs:
                rows.setdefault(row.needs, ROWS[row.needs])
            rows.setdefault(row.name, row)
    return list(rows.values())


class Experiment:
    """Runs of rows in folders, in one form."""

    def __init__(self, workdir: files.AnyPath, out: files.AnyPath, *, quick: bool, machine: str):
        """Reads which runs are finished.

        Args:
          workdir: folder of all runs.
          out: folder of the tables.
          quick: whether the small sizes are trained.
          machine: in words.

        Raises:
          UserError: a file in `out` does not read.
        """
        self.workdir, self.out, self.machine = workdir, out, machine
        self.sizes = QUICK if quick else FULL
        self.form = 'quick' if quick else 'full'
        self.ending = '-quick' if quick else ''
        self.runs: dict[tuple[str, int], Run] = {}
        self._detected: set[str] = set()
        for name in TABLES:
            path = self.path(name, 'json')
            for fields in files.read_json(path)['runs'] if path.exists() else ():
                run = self._counted(fields)
                self.runs[run.row, run.seed] = run

    def _counted(self, fields: Mapping[str, Any]) -> Run:
        """A run of the tables, with the starts that older code has not counted.

        That code's seconds are of the last start alone.
        """
        run = Run(**fields)
        row = ROWS.get(run.row)
        if run.starts or row is None or row.noise:  # A row of noise has another's training.
            return run
        starts = len(table_runs.starts_of(self.folder(row, run.seed)))
        return dataclasses.replace(run, starts=starts, unknown=max(starts - 1, 0))

    def path(self, table: str, ending: str) -> files.AnyPath:
        """The file of a table."""
        return self.out / f'{table}{self.ending}.{ending}'

    def config(self, row: Row, seed: int, weights: str) -> list[str]:
        """What describes the training of a row: --config=..., and its further fields.

        Args:
          row: what to train.
          seed: of its weights.
          weights: what stands for the weight file of the row that it needs.
        """
        size = self.sizes[row.config]
        text = row.arguments.replace(f'{{{row.needs}}}', weights) if row.needs else row.arguments
        parts = ','.join(filter(None, (text, size.arguments, f'seed={seed}')))
        return [f'--config={row.config}:{parts}', *row.fields, *size.fields]

    def command(self, row: Row, seed: int) -> str:
        """The training without its folder, by which a run is known to be this one."""
        arguments = self.config(row, seed, f'<weights of {row.needs}>')
        return shlex.join(['python', '-m', 'capf_jax.train', *arguments])

    def folder(self, row: Row, seed: int) -> files.AnyPath:
        """Where the training of a row goes: rows that train the same share a folder."""
        words = ' '.join(self.config(row, seed, row.needs))
        words = words.removeprefix('--config=configs/').replace('--config.', '').replace('.py', '')
        letters = (c if c.isalnum() or c in '._' else '-' for c in words)
        return self.workdir / ''.join(letters)

    def is_finished(self, row: Row, seed: int) -> bool:
        """Whether the tables have the scores of a row."""
        run = self.runs.get((row.name, seed))
        return run is not None and run.command == self.command(row, seed)

    def weights_of(self, row: Row, seed: int, start: Start) -> str:
        """The weight file of a row; it is trained if --workdir is not that of its scores."""
        folder = self.folder(row, seed)
        if not list(folder.glob('*.safetensors')):
            self.run(row, seed, start)
        averaged = list(folder.glob('*_averaged.safetensors'))
        return os.fspath((averaged or list(folder.glob('*.safetensors')))[0])

    def run(self, row: Row, seed: int, start: Start) -> None:
        """Trains and scores a row, or goes on with it."""
        folder = self.folder(row, seed)
        weights = ''
        if row.needs:
            weights = self.weights_of(ROWS[row.needs], seed, start)
        with table_runs.timed(folder, row.name):
            scores = self._scores(row, seed, weights, start)
        self.runs[row.name, seed] = Run(
            row=row.name,
            seed=seed,
            command=self.command(row, seed),
            scores=scores,
            commit=table_runs.commits_of(folder),
            machine=self.machine,
            **table_runs.times_of(folder, row.name),
        )

    def minutes(self, runs: Sequence[tuple[Row, int]]) -> list[float]:
        """About how long each of some runs takes in the full form, one after the other.

        Two rows may share a training; the one that finds it done only evaluates.
        """
        minutes, trained = [], set()
        for row, seed in runs:
            folder = self.folder(row, seed)
            is_trained = folder in trained or list(folder.glob('*.safetensors'))
            minutes.append(_EVALUATION if is_trained else row.minutes)
            trained.add(folder)
        return minutes

    def _scores(self, row: Row, seed: int, weights: str, start: Start) -> dict[str, float]:
        """The scores of a row, which is trained unless it is."""
        folder, arguments = self.folder(row, seed), self.config(row, seed, weights)
        if not list(folder.glob('*.safetensors')):
            if row.features and weights not in self._detected:
                start(['capf_jax.features', *arguments])
                self._detected.add(weights)
            start(['capf_jax.train', *arguments, f'--workdir={folder}'])
        scores = dict(table_runs.last_scores(folder))
        if row.noise:
            noise = ','.join(map(str, row.noise))
            start(['capf_jax.evaluate', f'--workdir={folder}', f'--noise={noise}'])
            for point in files.read_json(next(iter(folder.glob('*_noise.json'))))['noise']:
                scores[f'mpjpe_{point["sigma_px"]:g}'] = point['headline']['mpjpe']
        return scores

    def write(self) -> None:
        """Writes the tables that have a run which is still described by the rows.

        A table of which nothing has been run but what a table before it has too is left out.
        """
        before: set[str] = set()
        for name, table in TABLES.items():
            order = [row.name for row in table.rows]
            rows = {row.name: row for row in table.rows}
            own = set(order) - before
            before |= own
            runs = [
                run
                for run in self.runs.values()
                if run.row in rows and self.is_finished(rows[run.row], run.seed)
            ]
            if not any(run.row in own for run in runs):
                continue
            runs.sort(key=lambda run: (order.index(run.row), run.seed))
            command = f'python -m benchmarks.tables --out=docs/results --rows={name}'
            command += ' --quick' if self.form == 'quick' else ''
            text = table_report.markdown(table, self.words(table.rows), command, runs)
            with files.whole(self.path(name, 'md')) as path:
                path.write_text(text)
            content = {
                'table': table.title,
                'form': self.words(table.rows),
                'paper': {row.name: dict(row.paper) for row in table.rows if row.paper},
                'orders': {o.claim: table_report.verdict(o, runs) for o in table.orders},
                'runs': [run.to_json() for run in runs],
            }
            files.write_json(self.path(name, 'json'), content)

    def words(self, rows: Sequence[Row]) -> str:
        """The form with its sizes."""
        sizes = dict.fromkeys(self.sizes[row.config] for row in rows)
        texts = [' '.join(filter(None, (size.arguments, *size.fields))) for size in sizes]
        return f'{self.form}, with ' + ' and '.join(
            f'`{text}`' if text else 'the sizes of the config' for text in texts
        )


def run_all(
    experiment: Experiment,
    rows: Sequence[Row],
    seeds: Sequence[int],
    start: Start = table_runs.start,
) -> None:
    """Makes the runs that are missing, and writes the tables after each of them.

    Args:
      experiment: holds the runs.
      rows: in order.
      seeds: all rows are run with one before the next.
      start: runs a command of the product.
    """
    missing = [(r, s) for s in seeds for r in rows if not experiment.is_finished(r, s)]
    minutes = experiment.minutes(missing)
    quiet = sum(minutes) / (_QUICKER if experiment.form == 'quick' else 1)
    print(f'{len(missing)} runs, about {quiet:.0f} minutes on 2 quiet cores', file=sys.stderr)
    began = time.monotonic()
    for place, (row, seed) in enumerate(missing):
        if place:
            done, left = sum(minutes[:place]), sum(minutes[place:])
            rest = (time.monotonic() - began) / done * left / 60
            print(f'about {rest:.0f} minutes left', file=sys.stderr)
        print(f'{row.name}, seed {seed}', file=sys.stderr, flush=True)
        experiment.run(row, seed, start)
        experiment.write()
    experiment.write()


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command's arguments.

    Raises:
      UserError: one of them is wrong.
    """
    parser = commands.Parser('benchmarks.tables', __doc__)
    add = parser.add_argument
    add('--out', required=True, type=folder_of, metavar='FOLDER', help='of the tables')
    add('--rows', default=','.join(TABLES), help='tables and rows, separated by commas')
    add('--seeds', default='0,1', help='seeds, separated by commas')
    add('--workdir', default='runs/tables', type=folder_of, help='folder of all runs')
    add('--machine', default=table_runs.this_machine(), help='what the tables call this machine')
    parser.add_flag('quick', default=False, help='fewer people and rows')
    values = parser.parse(argv)
    values.seeds = table_runs.seeds_of(values.seeds)
    rows = chosen_rows(values.rows, values.quick)
    if not rows:
        raise UserError(
            f'--rows is {values.rows!r}, which names no row of this form; give tables and rows, '
            'such as table6,step-3'
        )
    values.rows = rows
    return values


def main(argv: Sequence[str]) -> int:
    """Makes the tables; returns the exit code."""
    values = parse(argv)
    experiment = Experiment(values.workdir, values.out, quick=values.quick, machine=values.machine)
    run_all(experiment, values.rows, values.seeds)
    for table in TABLES:
        path = pathlib.Path(experiment.path(table, 'md'))
        if path.exists():
            print(path)
    return 0


if __name__ == '__main__':
    commands.run(main)

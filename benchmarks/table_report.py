"""What has come out of the rows of a table, as Markdown: ours beside the paper's, and orders."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence

import tabulate

from benchmarks.table_parts import Order, Table
from benchmarks.table_runs import Run

NOT_RUN = 'not run'


def verdict(order: Order, runs: Iterable[Run]) -> str:
    """Whether a claim holds, in words, over those of its rows that have been run."""
    scores: dict[str, dict[int, Mapping[str, float]]] = {}
    for run in runs:
        if run.row in order.rows and {order.metric, order.beside or order.metric} <= {*run.scores}:
            scores.setdefault(run.row, {})[run.seed] = run.scores
    rows = [row for row in order.rows if row in scores]
    if len(rows) < 2:
        return NOT_RUN
    seeds = sorted(set.intersection(*(set(scores[row]) for row in rows)))
    if not seeds:
        return f'{NOT_RUN} with the same seed'
    missing = [row for row in order.rows if row not in scores]
    without = f', without {" and ".join(missing)}, {NOT_RUN}' if missing else ''

    def rest(metric: str, seed: int) -> float:
        """What the last row has left of the first row's error."""
        return scores[rows[-1]][seed][metric] / scores[rows[0]][seed][metric]

    def falls(seed: int) -> bool:
        if order.beside:
            return rest(order.metric, seed) < rest(order.beside, seed)
        values = [scores[row][seed][order.metric] for row in rows]
        return all(before > after for before, after in itertools.pairwise(values))

    true = [falls(seed) for seed in seeds]
    if not all(true):
        return f'**does not hold** (with {sum(true)} of {len(seeds)} seeds{without})'
    if len(seeds) == 1:
        return f'holds with the one seed that was run, too few to claim it{without}'
    return f'holds with each of {len(seeds)} seeds{without}'


def cell(values: Sequence[float]) -> str:
    """The mean of a row's scores, and each of them where there are several."""
    if not values:
        return NOT_RUN
    each = f' ({", ".join(f"{value:.1f}" for value in values)})' if len(values) > 1 else ''
    return f'{statistics.mean(values):.1f}{each}'


def grid(table: Table, runs: Sequence[Run]) -> str:
    """The lines of a table, with the paper's scores beside ours."""
    lines: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}  # in the order of the first row that has them
    for row in sorted(table.rows, key=lambda row: row.column):
        line = lines.setdefault(row.line, {})
        of_row = sorted((run for run in runs if run.row == row.name), key=lambda run: run.seed)
        for metric, title in table.metrics.items():
            if row.metrics and metric not in row.metrics:
                continue
            ours = f'{row.column} {title}, ours'.strip()
            columns.setdefault(ours)
            line[ours] = cell([run.scores[metric] for run in of_row if metric in run.scores])
            if any(metric in other.paper for other in table.rows if other.column == row.column):
                columns.setdefault(f'{title}, paper')
                if metric in row.paper:
                    line[f'{title}, paper'] = f'{row.paper[metric]:.1f}'
    rows = [[name, *(line.get(column, '-') for column in columns)] for name, line in lines.items()]
    return tabulate.tabulate(rows, ['', *columns], 'github', disable_numparse=True)


def markdown(table: Table, form: str, command: str, runs: Sequence[Run]) -> str:
    """The page of a table.

    Args:
      table: what it is.
      form: 'full' or 'quick', with the sizes, in words.
      command: that makes the page.
      runs: those of its rows that have finished.
    """
    names = {row.name for row in table.rows}
    runs = [run for run in runs if run.row in names]
    parts = [
        'Ours: **trained here** on rendered people and tested on other rendered people; the mean '
        'over the seeds, and each seed in brackets. Paper: as published, on Human3.6M. The two are '
        'of different data, so that orders and not sizes are to be compared.',
        grid(table, runs),
        items(facts(form, runs, [row.name for row in table.rows])),
    ]
    if table.orders:
        claims = [f'{order.claim}: {verdict(order, runs)}.' for order in table.orders]
        parts += ['## Orders', items(claims)]
    return page(table.title, command, parts, runs)


def page(title: str, command: str, parts: Sequence[str], runs: Sequence[Run]) -> str:
    """A page that a command writes, with the commands of its runs at the end.

    Args:
      title: its heading.
      command: that makes it.
      parts: paragraphs, lists and tables.
      runs: those that it tells of.
    """
    lines = [f'{run.command}   # {run.row}, {run.time}' for run in runs]
    parts = [
        f'# {title}',
        f'Written by `{command}`: a change by hand is lost when the command runs again.',
        *parts,
        '## Commands of the runs',
        '\n'.join(['```', *lines, '```']),
    ]
    return '\n\n'.join(parts) + '\n'


def facts(form: str, runs: Sequence[Run], rows: Sequence[str]) -> list[str]:
    """Form, machines, commits and seeds of runs, where there are any, and the rows without one."""
    lines = [f'Form: {form}']
    lines += [f'{words}: {", ".join(sorted(values))}' for words, values in _origins(runs).items()]
    missing = [row for row in rows if row not in {run.row for run in runs}]
    return lines + ([f'{NOT_RUN.capitalize()}: {", ".join(missing)}'] if missing else [])


def items(lines: Iterable[str]) -> str:
    """A list."""
    return '\n'.join(f'- {line}' for line in lines)


def _origins(runs: Sequence[Run]) -> dict[str, set[str]]:
    """Machines, commits and seeds of runs, where there are any."""
    origins = {
        'Machine': {run.machine for run in runs},
        'Commit': {run.commit for run in runs},
        'Seeds': {str(run.seed) for run in runs},
    }
    return {name: values for name, values in origins.items() if values}

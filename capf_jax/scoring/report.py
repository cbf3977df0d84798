"""The report of an evaluation: tables, the protocol in words, and a JSON file."""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tabulate

from capf_jax.runtime import configuration
from capf_jax.scoring import detection, protocols
from capf_jax.scoring.detection import DetectionResult
from capf_jax.scoring.results import Result

TITLES = {name: metric.title for name, metric in protocols.METRICS.items()}
GROUPS = ('action', 'sequence', 'subject', 'camera')  # labels that a table can be made by
# How tables are printed, and what stands before each line of the protocol below them.
FORMATS = {'text': ('simple', ''), 'markdown': ('pipe', '- '), 'latex': ('latex_booktabs', '% ')}


def default_group(labels: Mapping[str, np.ndarray]) -> str:
    """The first of action, sequence, subject and camera that has more than one value."""
    return next((name for name in GROUPS if len(set(labels[name])) > 1), 'action')


def table(result: Result | DetectionResult, group: str | None = None, form: str = 'text') -> str:
    """Tables by `group` (default: as the protocol wants) with both averages named below.

    A detector's is by joint. `form` is one of `FORMATS`.
    """
    if isinstance(result, DetectionResult):
        return detection.table(result, FORMATS[form][0])
    wanted = result.rules.tables or ((default_group(result.labels),) * 2,)
    if group is not None:
        wanted = [(label, title) for label, title in wanted if label == group] or [(group, group)]
    return '\n\n'.join(_table(result, label, title, form) for label, title in wanted)


def _table(result: Result, group: str, title: str, form: str) -> str:
    """One table: the groups, both averages, and the subsets of frames."""
    names = list(result.errors)
    rows = [_row(label, row, names) for label, row in result.groups(group).items()]
    samples = len(result.targets)
    averages = []
    # one group's mean and the mean over the samples are the same number
    if len(rows) > 1:
        plural = f'{title[:-1]}ies' if title.endswith('y') else f'{title}s'
        mean = result.mean_over_groups(group)
        averages.append(_row(f'mean of {len(rows)} {plural}', {'samples': samples} | mean, names))
    whole = {'samples': samples} | result.mean_over_frames
    averages.append(_row('mean of frames', whole, names))
    subsets = [_row(name, row, names) for name, row in result.subsets.items() if row['samples']]
    if len(rows) > 1:
        rows.append(tabulate.SEPARATING_LINE)
    rows += averages
    if subsets:
        rows += [tabulate.SEPARATING_LINE, *subsets]
    return grid(rows, [title, 'samples', *(TITLES[name] for name in names)], form)


def grid(rows: Sequence[Any], headers: Sequence[str], form: str) -> str:
    """Rows of cells as one table; the first column is words, missing numbers are dashes.

    Args:
      rows: lists of cells, or `tabulate.SEPARATING_LINE`.
      headers: one for each column.
      form: one of `FORMATS`.
    """
    if form == 'markdown':  # it knows no lines between rows
        rows = [row for row in rows if not isinstance(row, str)]
    return tabulate.tabulate(
        [row if isinstance(row, str) else [_blank(cell) for cell in row] for row in rows],
        headers,
        FORMATS[form][0],
        floatfmt='.1f',
        missingval='-',
        disable_numparse=[0],
    )


def _row(label: str, values: Mapping[str, float], names: Sequence[str]) -> list[Any]:
    return [label, values['samples'], *(values[name] for name in names)]


def describe(protocol: Mapping[str, Any], form: str = 'text') -> str:
    """The protocol as lines of 'name: value', with names aligned; comments in LaTeX."""
    before = FORMATS[form][1]
    lines = [(name.replace('_', ' '), _words(value)) for name, value in protocol.items()]
    if form == 'markdown':
        return '\n'.join(f'{before}{name}: {value}' for name, value in lines)
    width = max(len(name) for name, _ in lines)
    return '\n'.join(f'{before}{name:<{width}}  {value}' for name, value in lines)


def to_json(result: Result | DetectionResult) -> dict[str, Any]:
    """For `write_json`: protocol, averages, the groups of every label (or joint), and subsets."""
    if isinstance(result, DetectionResult):
        return detection.to_json(result)
    return {
        'protocol': dict(result.protocol),
        'headline': result.scores,
        'mean_over_frames': result.mean_over_frames,
        'mean_over_actions': result.mean_over_actions,
        'groups': {name: result.groups(name) for name in GROUPS if name in result.labels},
        'subsets': result.subsets,
    }


def write(
    result: Result | DetectionResult,
    path: pathlib.Path,
    group: str | None = None,
    form: str = 'text',
) -> str:
    """Writes the JSON file and returns the text for people: tables, then protocol.

    `group` and `form` are as in `table`.
    """
    write_json(path, to_json(result))
    return words(result, group, form) + f'\n\n{FORMATS[form][1]}result: {path}'


def words(result: Result | DetectionResult, group: str | None = None, form: str = 'text') -> str:
    """Tables, then protocol; `group` and `form` are as in `table`."""
    return f'{table(result, group, form)}\n\n{describe(result.protocol, form)}'


def write_json(path: str | os.PathLike, content: Mapping[str, Any]) -> pathlib.Path:
    """Writes `content` whole or not at all; numbers that are not finite become null."""
    path = pathlib.Path(path)
    configuration.write_json(path, _plain(content))
    return path


def _blank(cell: Any) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ', '.join(f'{name} {_words(inner)}' for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return '; '.join(map(_words, value))
    if value is None or value == '':
        return '-'
    return {True: 'yes', False: 'no'}[value] if isinstance(value, bool) else str(value)


def _plain(value: Any) -> Any:
    """The same with NumPy values as Python's, and non-finite numbers as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

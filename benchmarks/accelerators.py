"""Compiles the training and evaluation steps for TPUs that are not here, and says what they need.

    pip install -r requirements-accelerators.txt
    python -m benchmarks.accelerators --out=docs/results
    python -m benchmarks.accelerators --out=docs/results --topology=v5e:2x2,v4:2x2x4 --step=train
    python -m benchmarks.accelerators --out=docs/results --dtype=bfloat16 \\
        --config=configs/human36m_hrnet48.py --config.model.lifter.layers=2
    python -m benchmarks.accelerators --out=docs/results \\
        --only=human36m_hrnet32/bfloat16/train/v5e:2x2 --again
    python -m benchmarks.accelerators --out=docs/results --price=v5e:1.2,v6e:2.7,H100:3

A row is one step of one configuration, in one type of numbers, for one topology. Into --out go
accelerators.json after each row, and accelerators.md, which has the tables. A row that is there is
not compiled again. Compiling takes minutes a row; nothing is computed, and no weights are read.
With --price, of an hour of one chip, the estimated hours get their money beside.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import jax
import tqdm
from ml_collections import ConfigDict

from benchmarks import accelerator_report, chips, program_texts
from benchmarks.compiled_steps import DTYPES, STEPS, Row, batch_size, compiled_row
from benchmarks.table_runs import this_machine
from capf_jax.errors import UserError, unknown
from capf_jax.runtime import commands, configuration, files

CONFIGS = ('configs/human36m_hrnet32.py', 'configs/human36m_hrnet48.py')
PACKAGES = ('jax', 'jaxlib', 'libtpu', 'flax')


def chosen(text: str, argument: str, known: Sequence[str]) -> list[str]:
    """The words of a list with commas.

    Raises:
      UserError: one of them is not among the known ones.
    """
    words = [word for word in text.split(',') if word]
    for word in words:
        if word not in known:
            raise unknown(argument, word, known)
    return words


def rows_of(
    configs: Sequence[str], dtypes: Sequence[str], steps: Sequence[str], topologies: Sequence[str]
) -> list[Row]:
    """All rows of these; those of one topology follow each other.

    Raises:
      UserError: there is no such topology.
    """
    for topology in topologies:
        chips.chip_of(topology)
    return [
        Row(config, dtype, step, topology)
        for config in configs
        for topology in topologies
        for dtype in dtypes
        for step in steps
    ]


def only(rows: Sequence[Row], names: str) -> list[Row]:
    """The rows that --only names; all of them without it.

    Raises:
      UserError: there is no such row among them.
    """
    if not names:
        return list(rows)
    by_name = {row.name: row for row in rows}
    return [by_name[name] for name in chosen(names, '--only', list(by_name))]


def prices_of(text: str) -> dict[str, float]:
    """The prices of a list such as 'v5e:1.2,H100:3': of an hour of one chip, by its name.

    Raises:
      UserError: there is no such chip, or a price is not a positive number.
    """
    prices = {}
    for word in filter(None, text.split(',')):
        name, _, price = word.partition(':')
        chosen(name, '--price', [*chips.CHIPS, chips.H100.name])
        try:
            prices[name] = float(price)
        except ValueError:
            prices[name] = float('nan')
        if not 0 < prices[name] < float('inf'):
            raise UserError(
                f'--price has {word!r}, and should name a chip and the price of its hour, such as '
                'v5e:1.2'
            )
    return prices


def read_results(path: files.AnyPath) -> dict[str, dict[str, Any]]:
    """The rows of a file, by their names; none where there is no file."""
    if not path.exists():
        return {}
    fields = ('config', 'dtype', 'step', 'topology')
    return {
        Row(*(result[field] for field in fields)).name: result
        for result in files.read_json(path)['rows']
    }


def write_results(
    folder: files.AnyPath, results: dict[str, dict[str, Any]], prices: dict[str, float]
) -> None:
    """Writes all rows as JSON, and the tables."""
    files.write_json(folder / 'accelerators.json', {'rows': list(results.values())})
    with files.whole(folder / 'accelerators.md') as temporary:
        temporary.write_text(accelerator_report.markdown(list(results.values()), prices))


def _conditions() -> dict[str, Any]:
    """When, where and with what a row was compiled."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        'date': datetime.date.today().isoformat(),
        'machine': this_machine(),
        'versions': versions,
    }


def named_configs(paths: Sequence[str], overrides: Sequence[str]) -> dict[str, ConfigDict]:
    """What rows call each configuration -> it: its file, its arguments, and overridden fields."""
    configs = {}
    for path in paths:
        file, _, arguments = path.partition(':')
        name = pathlib.Path(file).stem + (f':{arguments}' if arguments else '')
        argv = ['benchmarks.accelerators', f'--config={path}', *overrides]
        config = configuration.parse(argv, required=('config',)).config
        assert config is not None  # `parse` requires one.
        configs[' '.join([name, *overrides])] = config
    return configs


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('benchmarks.accelerators', __doc__)
    add = parser.add_argument
    add('--out', required=True, type=commands.path, metavar='FOLDER', help='of JSON and tables')
    add('--topology', default=','.join(chips.TOPOLOGIES), help='such as v5e:2x2,v4:2x2x4')
    add('--config', action='append', metavar='FILE', help='a configuration; may be repeated')
    add('--dtype', default=','.join(DTYPES), help='to compute in: float32,bfloat16')
    add('--step', default=','.join(STEPS), help='train,evaluate')
    add('--only', default='', help='names of rows, separated by commas')
    add('--price', default='', help="of a chip's hour, such as v5e:1.2,v6e:2.7,H100:3")
    add('--texts', type=commands.path, metavar='FOLDER', help='keeps the compiled programs as text')
    parser.add_flag('again', default=False, help='compile rows again that --out has')
    overrides = [argument for argument in argv[1:] if argument.startswith('--config.')]
    values = parser.parse([argument for argument in argv if argument not in overrides])
    prices = prices_of(values.price)
    jax.config.update('jax_platforms', 'cpu')  # A TPU of this machine stays with who uses it.
    configs = named_configs(values.config or CONFIGS, overrides)
    rows = rows_of(
        list(configs),
        chosen(values.dtype, '--dtype', DTYPES),
        chosen(values.step, '--step', STEPS),
        values.topology.split(','),
    )
    rows = only(rows, values.only)
    files.check_writable(values.out)
    results = read_results(values.out / 'accelerators.json')
    missing = [row for row in rows if values.again or row.name not in results]
    if len(missing) < len(rows):
        print(f'{len(rows) - len(missing)} of {len(rows)} rows are there already', file=sys.stderr)
    with program_texts.written() as written:
        for row in missing:  # What cannot be compiled is told now, and not after an hour.
            batch_size(configs[row.config], row.step, len(chips.devices_of(row.topology)))
        with tqdm.tqdm(missing, unit='row') as progress:
            for row in progress:
                progress.set_postfix_str(row.name)
                config = configs[row.config].copy_and_resolve_references()
                config.dtype = row.dtype
                result = compiled_row(row, config, values.texts, written) | _conditions()
                results = {**read_results(values.out / 'accelerators.json'), row.name: result}
                write_results(values.out, results, prices)
                jax.clear_caches()  # The programs of a row are of no use to the next one.
    shown = [results[row.name] for row in rows]
    if not shown:
        raise UserError('no rows to compile: name a --topology, a --dtype and a --step')
    write_results(values.out, results, prices)  # Prices may be others than before.
    print(accelerator_report.markdown(shown, prices))
    return 0


if __name__ == '__main__':
    commands.run(main)

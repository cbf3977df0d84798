"""Steps on 1, 2, 4 and 8 virtual devices of this machine, and the cores that feed real chips.

    python -m benchmarks.scaling --out=docs/results
    python -m benchmarks.scaling --out=runs/scaling --devices=1,2 --step=train --noloader
    python -m benchmarks.scaling --out=runs/scaling --each=4 \\
        --config=configs/synthetic.py:resolution=256x192 --config.model.lifter.layers=4

The product's own training and evaluation steps run with as many people a device on each number of
devices, each in a fresh process: what they take of the processor, what XLA allots on a device, and
which collectives they have. Then the loader is timed, and set against the crops that chips would
eat by the rows of benchmarks.accelerators. Into --out go scaling.json after each row, and
scaling.md, which has the tables and says what such a simulation can show. A row that is there is
not run again without --again. It takes about six minutes of the processor; rows that were timed
beside other programs are marked.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any, ClassVar

import tqdm

from benchmarks import accelerator_report, accelerators, loader_cores, scaling_report
from benchmarks.compiled_steps import STEPS
from benchmarks.table_runs import this_machine
from capf_jax import assembly
from capf_jax.errors import UserError
from capf_jax.runtime import commands, configuration, files

CONFIG = 'configs/synthetic.py'
PACKAGES = ('jax', 'jaxlib', 'flax', 'grain')
ACCELERATORS = pathlib.Path('docs/results/accelerators.json')
Results = dict[str, dict[str, Any]]  # a row's name -> what is to be told of it, as JSON holds it


@dataclasses.dataclass(frozen=True)
class StepRow:
    """One step on a number of virtual devices.

    Attributes:
      config: the configuration file's name without its ending, with its arguments and with fields
        that were set.
      step: 'train' or 'evaluate'.
      devices: how many.
      each: people a device.
    """

    LIST: ClassVar[str] = 'steps'
    config: str
    step: str
    devices: int
    each: int


@dataclasses.dataclass(frozen=True)
class LoaderRow:
    """The loader on a number of cores.

    Attributes:
      kind: what it reads, one of loader_cores.KINDS.
      cores: how many.
    """

    LIST: ClassVar[str] = 'loader'
    kind: str
    cores: int


Row = StepRow | LoaderRow


def name_of(row: Row) -> str:
    """What results call a row."""
    return ', '.join(f'{field} {value}' for field, value in dataclasses.asdict(row).items())


def read_results(path: files.AnyPath) -> Results:
    """The rows of a file, by their names; none where there is no file."""
    if not path.exists():
        return {}
    content = files.read_json(path)
    return {
        name_of(kind(*(result[field.name] for field in dataclasses.fields(kind)))): result
        for kind in (StepRow, LoaderRow)
        for result in content[kind.LIST]
    }


def write_results(
    folder: files.AnyPath, results: Results, demands: Sequence[accelerator_report.Demand]
) -> None:
    """Writes all rows as JSON, and the tables."""
    steps = [result for result in results.values() if 'step' in result]
    readings = [result for result in results.values() if 'kind' in result]
    files.write_json(folder / 'scaling.json', {StepRow.LIST: steps, LoaderRow.LIST: readings})
    with files.whole(folder / 'scaling.md') as temporary:
        temporary.write_text(scaling_report.markdown(steps, readings, demands))


def counts(text: str) -> list[int]:
    """The numbers of a list with commas, and 1, which all are compared with.

    Raises:
      argparse.ArgumentTypeError: it is no such list.
    """
    words = text.split(',')
    if not all(word.isdecimal() and int(word) for word in words):
        raise argparse.ArgumentTypeError(f'{text!r} is no list of numbers such as 1,2,4,8')
    return sorted({1, *map(int, words)})


def step_result(row: StepRow, config: Sequence[str], seconds: float) -> dict[str, Any]:
    """Runs a step in a fresh process.

    Args:
      row: what to run.
      config: the arguments that name its configuration.
      seconds: about how long to time it.

    Raises:
      UserError: that process failed; it has told why.
    """
    flags = f'--xla_force_host_platform_device_count={row.devices}'
    arguments = [*config, f'--step={row.step}', f'--each={row.each}', f'--seconds={seconds}']
    environment = {'XLA_FLAGS': flags, 'JAX_PLATFORMS': 'cpu'}
    told = _in_process('benchmarks.virtual_devices', arguments, environment, name_of(row))
    if told['devices'] != row.devices:
        raise RuntimeError(f'XLA made {told["devices"]} devices of the CPU, not {row.devices}')
    return told


def loader_result(row: LoaderRow, folder: str) -> dict[str, Any]:
    """Reads a dataset in a fresh process, which stays on the cores of the row.

    Raises:
      UserError: as `step_result`.
    """
    with loader_cores.on_cores(row.cores):
        return _in_process('benchmarks.loader_cores', [f'--folder={folder}'], {}, name_of(row))


def _in_process(
    module: str, arguments: Sequence[str], environment: dict[str, str], name: str
) -> dict[str, Any]:
    """The JSON that a module prints last."""
    done = subprocess.run(
        [sys.executable, '-m', module, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise UserError(f'the row "{name}" failed; its process says above why')
    return json.loads(done.stdout.splitlines()[-1])


def _conditions() -> dict[str, Any]:
    """When, where and with what a row was made."""
    return {
        'date': datetime.date.today().isoformat(),
        'machine': this_machine(),
        'versions': {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _demands(path: files.AnyPath) -> list[accelerator_report.Demand]:
    """What chips need to be read for them.

    Raises:
      UserError: the file of the chips' rows is not there.
    """
    if not path.exists():
        raise UserError(
            f'{path} is not there: run this in the repository, or name the JSON file of '
            'benchmarks.accelerators by --accelerators'
        )
    return accelerator_report.demands(files.read_json(path)['rows'])


def _rows(values: argparse.Namespace, config: str) -> list[Row]:
    steps = accelerators.chosen(values.step, '--step', STEPS)
    rows: list[Row] = [
        StepRow(config, step, devices, values.each) for step in steps for devices in values.devices
    ]
    if values.loader:
        cores = loader_cores.core_counts()
        rows += [LoaderRow(kind, count) for kind in loader_cores.KINDS for count in cores]
    return rows


def _parser() -> commands.Parser:
    parser = commands.Parser('benchmarks.scaling', __doc__)
    add = parser.add_argument
    add('--out', required=True, type=commands.path, metavar='FOLDER', help='of JSON and tables')
    add('--devices', type=counts, default='1,2,4,8', help='numbers of them; 1 is always there')
    add('--step', default=','.join(STEPS), help='train,evaluate; neither with --step=')
    add('--each', type=int, default=8, help='people a device')
    add('--seconds', type=float, default=3.0, help='about how long each step is timed')
    add('--accelerators', type=commands.path, default=ACCELERATORS, metavar='FILE',
        help='rows of benchmarks.accelerators')  # fmt: skip
    parser.add_flag('loader', default=True, help='time the loader')
    parser.add_flag('again', default=False, help='runs rows again that --out has')
    return parser


def _with_config(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command line with a configuration, and the arguments that name it and its fields."""
    words = list(argv)
    if '--config' in words[:-1]:
        place = words.index('--config')
        words[place : place + 2] = [f'--config={words[place + 1]}']
    if not any(word.startswith('--config=') for word in words):
        words.insert(1, f'--config={CONFIG}')
    return words, [word for word in words if word.startswith(('--config=', '--config.'))]


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    argv, typed = _with_config(argv)
    values = configuration.parse(
        argv, required=('config', 'out'), parser=_parser(), check=assembly.problems
    ).values
    (config,) = accelerators.named_configs(
        [word.partition('=')[2] for word in typed if word.startswith('--config=')],
        [word for word in typed if word.startswith('--config.')],
    )
    rows, demands, path = (
        _rows(values, config),
        _demands(values.accelerators),
        values.out / 'scaling.json',
    )
    files.check_writable(values.out)
    results = read_results(path)
    missing = [row for row in rows if values.again or name_of(row) not in results]
    if len(missing) < len(rows):
        print(f'{len(rows) - len(missing)} of {len(rows)} rows are there already', file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary, tqdm.tqdm(missing, unit='row') as progress:
        datasets: dict[str, str] = {}
        for row in progress:
            progress.set_postfix_str(name_of(row))
            if isinstance(row, StepRow):
                told = step_result(row, typed, values.seconds)
            else:
                if row.kind not in datasets:
                    folder = pathlib.Path(temporary, str(len(datasets)))
                    datasets[row.kind] = loader_cores.write_dataset(row.kind, folder)
                told = loader_result(row, datasets[row.kind])
            result = {**dataclasses.asdict(row), **told, **_conditions()}
            results = {**read_results(path), name_of(row): result}
            write_results(values.out, results, demands)
    write_results(values.out, results, demands)  # The chips' rows may have changed since then.
    print(values.out / 'scaling.md')
    return 0


if __name__ == '__main__':
    commands.run(main)

"""Looks at a dataset: is it whole and right, or can it be built at all?

    python -m data_pipeline.check human36m --source=DIR     before: what DIR lacks, by file
    python -m data_pipeline.check human36m --data_dir=data  afterwards: counts, bones, crops

    NAME               human36m, mpi_inf_3dhp, synthetic or own_data
    --source=DIR       the downloaded files; --FIELD=VALUE as for data_pipeline.build, such as
                       --subjects=S9+S11, looks for a part of the dataset alone
    --data_dir=DIR     where built datasets are kept; all of this name are checked (default data)
    --people=N         people of each split that are looked at, drawn at random (default 2000)
    --seed=N           which (default 0)
    --pictures=DIR     where the pages of random crops go (default runs/check)

The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Sequence

from capf_jax.errors import UserError
from capf_jax.runtime import commands
from data_pipeline import arguments, datasets
from data_pipeline.building import SourceSettings
from data_pipeline.checks import dataset
from data_pipeline.checks.findings import WRONG, as_lines


def before(name: str, source: pathlib.Path, flags: Sequence[str] = ()) -> bool:
    """Prints all that is wrong with the files that a dataset is built from.

    Args:
      name: of the dataset.
      source: the folder.
      flags: `--FIELD=VALUE` of the dataset's settings, as `data_pipeline.build` takes them.

    Returns:
      Whether nothing is wrong.

    Raises:
      UserError: the dataset is not built from files, or an argument does not exist.
    """
    package = datasets.package(name, 'the name of the dataset')
    if not issubclass(package.Settings, SourceSettings):
        raise UserError(f'{name} is not built from a folder; leave out --source')
    parser = commands.Parser(f'data_pipeline.check {name}', __doc__)
    arguments.add_settings(parser, package.Settings)
    values = parser.parse([name, f'--source={source}', *flags])
    problems = package.layout(**arguments.fields_of(values, package.Settings))
    for number, problem in enumerate(problems, 1):
        print(f'{number}. {problem}')
    if problems:
        guide = getattr(package, 'LAYOUT', '')
        if guide and not any(guide in problem for problem in problems):
            print(guide)
        print(f'{source}: {len(problems)} problem{"s" if len(problems) > 1 else ""}')
        return False
    command = shlex.join([name, f'--source={source}', *flags])
    print(f'{source} has everything; build it with `python -m data_pipeline.build {command}`')
    return True


def after(name: str, data_dir: pathlib.Path, choices: dataset.Choices) -> bool:
    """Prints findings about all built datasets of a name.

    Returns:
      Whether nothing is wrong.

    Raises:
      FileNotFoundError: none is built.
    """
    paths = dataset.find(data_dir, name)
    if not paths:
        guide = getattr(datasets.package(name), 'LAYOUT', '')
        raise FileNotFoundError(
            f'no dataset {name!r} is built in {data_dir}; build it with '
            f'`python -m data_pipeline.build {name} --source=DIR`, or check what it is made of '
            f'with --source=DIR' + (f'; {guide}' if guide else '')
        )
    good = True
    for path in paths:
        print(path)
        try:
            by_split = dataset.check(path, choices)
        except (ValueError, RuntimeError) as error:
            print(f'  {WRONG}  {error}')
            good = False
            continue
        for split, findings in by_split.items():
            print(f' {split}')
            print(as_lines(findings))
            good &= all(finding.verdict != WRONG for finding in findings)
    print('nothing is wrong' if good else 'something is WRONG, see above')
    return good


def main(argv: Sequence[str]) -> int:
    """Runs the command; returns the exit code."""
    parser = commands.Parser('data_pipeline.check', __doc__)
    defaults = dataset.Choices()
    parser.add_argument('name', choices=datasets.names())
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--source', type=commands.path, help='folder of downloaded files')
    where.add_argument('--data_dir', type=commands.path, default=pathlib.Path('data'))
    parser.add_argument('--people', type=int, default=defaults.people)
    parser.add_argument('--seed', type=int, default=defaults.seed)
    parser.add_argument('--pictures', type=commands.path, default=defaults.pictures)
    values, flags = parser.parse_known_args(list(argv[1:]))
    if values.people < 1:
        raise UserError(f'--people is {values.people}; give at least 1')
    if values.seed < 0:
        raise UserError(f'--seed is {values.seed}; give at least 0')
    if values.source is not None:
        return 0 if before(values.name, values.source, flags) else 1
    if flags:
        raise parser.unknown(flags[0])
    choices = dataset.Choices(values.people, values.seed, values.pictures)
    return 0 if after(values.name, values.data_dir, choices) else 1


if __name__ == '__main__':
    commands.run(main)

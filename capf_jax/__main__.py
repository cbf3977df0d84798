"""`python -m capf_jax` lists all commands of the project, `python -m capf_jax NAME` runs one.

    python -m capf_jax
    python -m capf_jax train --config=configs/synthetic.py --workdir=runs/synthetic
    python -m capf_jax evaluate --help

Every command can be run by its own module too: `python -m capf_jax.train`.
"""

from __future__ import annotations

import ast
import pathlib
import re
import runpy
import sys
from collections.abc import Sequence
from typing import NoReturn

from capf_jax.errors import UserError, nearest
from capf_jax.runtime import commands

ROOT = pathlib.Path(__file__).resolve().parents[1]
COMMANDS = {  # name -> what `python -m` takes; those without a console script are added here
    **commands.COMMANDS,
    'from_pose2sim': 'data_pipeline.from_pose2sim',
    'fetch': 'converters.fetch',
    'preview': 'data_pipeline.preview',
    'export_programs': 'capf_jax.export',  # 'export' is the one to PyTorch
    'flops': 'capf_jax.flops',
    'ablation': 'benchmarks.ablation',
    'tables': 'benchmarks.tables',
    'robust': 'benchmarks.robust',
    'benchmark': 'benchmarks.run',
}


def summary(module: str) -> str:
    """The first sentence of a module's docstring, read without importing it; '' without the file.

    An installed package comes without the benchmarks.
    """
    path = ROOT.joinpath(*module.split('.')).with_suffix('.py')
    if not path.is_file():
        return ''
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ''
    first = ' '.join(docstring.partition('\n\n')[0].split())
    return re.sub(r'^`python -m [^`]*`: ', '', first).partition('. ')[0].rstrip('.')


def listing() -> str:
    """One line for each command that there is."""
    width = max(map(len, COMMANDS))
    lines = [
        f'  {name:<{width}}  {sentence}'
        for name, module in COMMANDS.items()
        if (sentence := summary(module))
    ]
    usage = 'python -m capf_jax NAME --help shows the arguments and examples of a command:'
    return '\n'.join([usage, '', *lines])


def main(argv: Sequence[str]) -> int:
    """Lists the commands, or runs the one that is named."""
    if len(argv) < 2 or argv[1] in ('-h', '--help'):
        print(listing())
        return 0
    name, *rest = argv[1:]
    if name not in COMMANDS:
        raise UserError(
            f'there is no command {name!r}; the nearest is {nearest(name, COMMANDS)!r}, and '
            'python -m capf_jax lists them all'
        )
    sys.argv = [f'python -m {COMMANDS[name]}', *rest]
    runpy.run_module(COMMANDS[name], run_name='__main__')
    return 0


def console() -> NoReturn:
    """The console script of the installed package."""
    commands.run(main)


if __name__ == '__main__':
    console()
